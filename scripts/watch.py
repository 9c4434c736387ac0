"""chiron-watch: shows an episode of a student, or the tasks of an env."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from gymnasium.error import DependencyNotInstalled
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ..conf.build import build
from ..conf.schema import require_component
from ..conf.watch_schema import check_watch_ranges
from ..envs.importing import trusting
from ..runs.blaming import blaming
from ..runs.printable import printable_lines
from ..runs.run_directory import RunDirectory
from .arguments import with_home
from .console import outlive_the_terminal
from .hydra_command import hydra_errors_refused, keeping_errors, overrides_of
from .refusal import refuse, say_error

if TYPE_CHECKING:
    import gymnasium as gym

    from ..runs.trained_student import TrainedStudent

_PROGRAM = "chiron-watch"
FAILED = 1
"""Exit code for an env that raised an error."""


def main() -> None:
    """Run the command line."""
    outlive_the_terminal()
    if {"-m", "--multirun"} & set(sys.argv[1:]):
        refuse(ValueError("there is one thing to watch at a time: leave out -m"), _PROGRAM)
    sys.argv[1:] = rejoin_braces(with_home(sys.argv[1:]))
    try:
        with hydra_errors_refused(_PROGRAM):
            _watch()
    except KeyboardInterrupt:
        sys.exit(130)


def rejoin_braces(arguments: list[str]) -> list[str]:
    """Undo the brace expansion of an unquoted `task={a:1,b:2}` by shells to `task=a:1 task=b:2`."""
    pieces = [argument.removeprefix("task=") for argument in arguments if argument.startswith("task=")]
    if len(pieces) < 2:
        return arguments
    others = [argument for argument in arguments if not argument.startswith("task=")]
    return [*others, f"task={{{','.join(pieces)}}}"]


@hydra.main(version_base="1.3", config_path="pkg://chiron.conf", config_name="watch")
@keeping_errors
def _watch(config: DictConfig) -> None:
    try:
        own = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        resolved = OmegaConf.to_container(own, resolve=True, throw_on_missing=True)
        assert isinstance(resolved, dict)
        wanted = {str(key): value for key, value in resolved.items()}
        check_watch_ranges(wanted)
        _require_env(wanted)
        # Code named on the command line may be executed; code named in the files of a run must be trusted.
        with trusting(wanted["trust"]) if wanted["run"] is not None else nullcontext():
            (_draw_sheet if wanted["sheet"] else _play)(wanted)
    except (ValueError, DependencyNotInstalled, HydraException, OmegaConfBaseException) as error:
        refuse(error, _PROGRAM)
    except RuntimeError as error:
        say_error(error, _PROGRAM)
        sys.exit(FAILED)


def _draw_sheet(wanted: Mapping[str, Any]) -> None:
    # Here for start-up time: these import matplotlib and numba, which --help does not need.
    from ..analysis.track_sheet import SHEET_SUFFIXES, draw_track_sheet
    from ..envs.walkers.walker_env import WalkerEnv

    out = _out(wanted)
    if out is None or out.suffix.lower() not in SHEET_SUFFIXES:
        raise ValueError(f"sheet=true needs out= with a file that ends in one of {', '.join(SHEET_SUFFIXES)}")
    env = _make_env(wanted, _student(wanted), None)
    if not isinstance(env.unwrapped, WalkerEnv):
        raise ValueError(f"sheet=true draws the tracks of walkers, and {env.unwrapped} has none")
    draw_track_sheet(env.unwrapped, out, wanted["seed"])
    print(out)


def _play(wanted: Mapping[str, Any]) -> None:
    # For start-up time, as above.
    from ..evaluation.task_sets import named_task
    from ..runs.drawn_env import draw_without_display, has_display
    from ..runs.video import require_video
    from ..runs.watch import no_student, watch

    out = _out(wanted)
    if out is not None:
        with blaming("out"):
            require_video(out)
        draw_without_display()
    elif not has_display():
        raise ValueError(
            "there is no display to open a window on: give out=video.gif, video.mp4 or still.png"
        )
    student = _student(wanted)
    env = _make_env(wanted, student, "human" if out is None else "rgb_array")
    if wanted["lidar"]:
        if not hasattr(env.unwrapped, "draw_lidar"):
            raise ValueError(f"lidar=true: {env.unwrapped} has no lidar")
        env.unwrapped.draw_lidar = True
    space, seed = env.get_wrapper_attr("task_space"), wanted["seed"]
    task = None if wanted["task"] is None else named_task(space, wanted["task"], seed)
    idle = partial(no_student, wanted["actions"], seed=seed)
    make_policy, times = (idle, 1) if student is None else (student.policy, student.action_repeat)
    print(printable_lines(watch(env, make_policy, task, seed, times, wanted["seconds"], out)))
    if out is not None:
        print(out)


def _out(wanted: Mapping[str, Any]) -> Path | None:
    if wanted["out"] is None:
        return None
    out = Path(wanted["out"])
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise ValueError(f"out={out}: {out.parent} is not a writable folder")
    return out


def _require_env(wanted: Mapping[str, Any]) -> None:
    if wanted["run"] is None:
        require_component("env", wanted["env"])
        if wanted["env"]["_target_"] is None:
            raise ValueError("env=simulated has no env to watch")
        return
    others = [text for text in overrides_of(HydraConfig.get()) if text.lstrip("+~").startswith("env")]
    if others:
        raise ValueError(f"{others[0]} and run= exclude each other: a run brings its own env")
    RunDirectory(Path(wanted["run"])).require_student()


def _student(wanted: Mapping[str, Any]) -> TrainedStudent | None:
    if wanted["run"] is None:
        return None
    # Here for start-up time: it imports torch.
    from ..runs.trained_student import TrainedStudent

    return TrainedStudent(RunDirectory(Path(wanted["run"])), build)


def _make_env(
    wanted: Mapping[str, Any], student: TrainedStudent | None, render_mode: str | None
) -> gym.Env[Any, Any]:
    # For start-up time, as above.
    from ..envs.vector.env_error import ErrorsNamed
    from ..runs.drawn_env import require_drawing
    from ..runs.made_env import made_env

    node = wanted["env"] if student is None else student.env
    chosen = f"env={HydraConfig.get().runtime.choices['env']}" if student is None else f"run={wanted['run']}"
    drawing = {} if render_mode is None else {"render_mode": render_mode}
    with blaming(chosen):
        component = build(node)
    made = made_env(chosen, component, **drawing)
    with blaming(chosen):
        return made if render_mode is None else ErrorsNamed(require_drawing(made, render_mode))


if __name__ == "__main__":
    main()
