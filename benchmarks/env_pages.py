"""Writes docs/gallery: every env with its task space and a picture, and every walker body.

python -m benchmarks.env_pages           texts, and pictures that are missing
python -m benchmarks.env_pages --draw    all pictures again
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from chiron import conf
from chiron.analysis.track_sheet import draw_track_sheet
from chiron.conf.build import build
from chiron.envs.env_info import env_info
from chiron.envs.task_space import TaskSpace
from chiron.envs.walkers.stump_tracks import StumpTracks
from chiron.envs.walkers.walker_body import BODIES
from chiron.envs.walkers.walker_env import WalkerEnv
from chiron.evaluation.task_sets import graded_task
from chiron.runs.drawn_env import draw_without_display
from PIL import Image

from benchmarks.command_line import parser_of

DOCS = Path(__file__).parent.parent / "docs" / "gallery"
CONF = Path(conf.__path__[0]) / "env"
WITHOUT_ENV = "simulated"
_WIDEST = 480
"""Largest width of a frame, pixels."""
_COLORS = 256
"""Colours of a frame."""
_INTRO = """# Gallery of environments

<!-- Made by python -m benchmarks.env_pages. -->

`chiron-train env=<name>` trains in one of these. [Environments](../envs.md) has their settings, and
[Add an env](../add_an_env.md) how to make more. The tables show what a task is made of: a teacher chooses
these numbers for every episode.
"""
_WALKERS = """
## Walkers

Beginnings of tracks from all over the task space of each env, with the default walker, to scale.
Obstacles are coloured by difficulty: their height relative to the knees of the walker. The kinds of
obstacles are stumps, rows of stumps, hexagons, pits, stairs and rough ground.
"""
_BODIES = """
## Bodies

`env.body=` of all walkers; [a body of your own](../envs.md#walkers) is a `WalkerBody`.
"""
_OTHERS = """
## Other envs
"""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("env_pages", __doc__)
    parser.add_argument("--draw", action="store_true", help="draw pictures that are there, too")
    draw_again = parser.parse_args(arguments).draw
    draw_without_display()
    (DOCS / "images").mkdir(parents=True, exist_ok=True)
    walkers, others = list[str](), list[str]()
    for name in env_names():
        make = build(yaml.safe_load((CONF / f"{name}.yaml").read_text()))
        env = make()
        is_drawn = "rgb_array" in env.metadata.get("render_modes", ())
        if is_drawn:
            env.close()
            env = make(render_mode="rgb_array")
        picture = DOCS / "images" / f"{name}.png"
        is_walker = isinstance(env.unwrapped, WalkerEnv)
        if draw_again or not picture.exists():
            if is_walker:
                draw_track_sheet(env.unwrapped, picture)
            elif is_drawn:
                _draw_frame(env, picture)
        (walkers if is_walker else others).append(section(name, env))
        env.close()
    for body in BODIES:
        picture = DOCS / "images" / f"body_{body}.png"
        if draw_again or not picture.exists():
            _draw_frame(StumpTracks(body=body, render_mode="rgb_array"), picture)
    bodies = " | ".join(f"`{body}`" for body in BODIES)
    pictures = " | ".join(f"![{body}](images/body_{body}.png)" for body in BODIES)
    table = f"\n| {bodies} |\n|{'---|' * len(BODIES)}\n| {pictures} |\n"
    text = "".join([_INTRO, _WALKERS, *walkers, _BODIES, table, _OTHERS, *others])
    (DOCS / "README.md").write_text(text)


def env_names() -> list[str]:
    """The envs in `conf/env`."""
    return sorted(path.stem for path in CONF.glob("*.yaml") if path.stem != WITHOUT_ENV)


def section(name: str, env: Any) -> str:
    """The gallery's section on an env.

    Args:
        name: Its name for `env=`.
        env: The env.
    """
    info = env_info(env)
    lines = (CONF / f"{name}.yaml").read_text().splitlines()
    comments = [line[2:] for line in lines if line.startswith("# ")]
    kind = type(env.unwrapped)
    is_ours = kind.__module__.startswith("chiron.")
    of_class = (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")
    summary = of_class if is_ours else comments[0]
    rows = "\n".join(_rows(info.task_space))
    table = f"| task parameter | from | to | unit |\n|---|---|---|---|\n{rows}"
    is_drawn = (DOCS / "images" / f"{name}.png").exists()
    image = f"images/{name}.png"
    picture = f"[![{name}]({image})]({image})\n\n" if is_drawn else ""
    return f"\n### {name}\n\n`env={name}` · {summary}\n\n{picture}{table}\n"


def _rows(space: TaskSpace) -> list[str]:
    return [
        f"| `{p.name}`{f' ({p.size} numbers)' if p.size > 1 else ''} "
        f"| {np.min(p.low):g} | {np.max(p.high):g} | {p.unit} |"
        for p in space.parameters
    ]


def _draw_frame(env: Any, picture: Path) -> None:
    """Draw an env a few steps into an episode of a task of medium difficulty."""
    task = graded_task(env_info(env).task_space, 0.5)
    env.reset(seed=0, options={"task": task})
    env.action_space.seed(0)
    for _ in range(5):
        env.step(env.action_space.sample())
    frame = Image.fromarray(np.asarray(env.render()))
    env.close()
    small = frame.resize((_WIDEST, round(frame.height * _WIDEST / frame.width)), Image.Resampling.LANCZOS)
    small.quantize(_COLORS).save(picture, optimize=True)


if __name__ == "__main__":
    main()
