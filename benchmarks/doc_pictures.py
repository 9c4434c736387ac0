"""Writes the pictures of the docs that show results: a walker, the first study, the report, TensorBoard.

    python -m benchmarks.doc_pictures results

reads the studies of these commands from the folder `results`; pictures of missing studies are kept:

    chiron-train                                 # main: the main job, for the README and docs/usage.md
    chiron-train experiment=main_job             # main_job and toy_grid_study: the first study
    chiron-train experiment=toy_grid_study
    chiron-train -m study=tracks teacher=alp_gmm,riac,random total_steps=700_000
    chiron-train -m study=poles env=cart_pole teacher=alp_gmm,random student.learning_rate=0.0003,0.001 \
        seed=0,1,2 total_steps=50_000
    chiron-train experiment=studies/stump_tracks  # and the other registered studies
    chiron-train experiment=studies/headway_stump_tracks
    chiron-train experiment=studies/unlearnable
    chiron-train experiment=studies/bodies
    chiron-train experiment=studies/short_legs
    chiron-train experiment=studies/four_dimensions
    chiron-train experiment=studies/hexagon_tracks

Screenshots need Chromium.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import matplotlib as mpl
import numpy as np
from chiron.analysis.compare_folders import compare_folders
from chiron.analysis.comparison import Choice
from chiron.analysis.comparison_figures import draw_learning_curves
from chiron.analysis.figure_style import PAPER
from chiron.analysis.paper import STYLE
from chiron.analysis.track_sheet import draw_track_sheet
from chiron.envs.walkers.stump_tracks import StumpTracks
from chiron.runs.run_directory import RunDirectory
from chiron.runs.run_pictures import draw_curriculum
from chiron.runs.teacher_styles import teacher_style
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.command_line import parser_of

DOCS = Path(__file__).parent.parent / "docs"
_FIGURES = (
    *("learning_curves.png", "mastery_maps.png", "performance_profiles.png", "significance.png"),
    "table.csv",
)
_PAPER = ("learning_curves.pdf", "table.tex")
_CURVES = ("learning_curves", "return_curves", "mastery_maps")


class Registered(NamedTuple):
    """Which figures of a registered study are shown."""

    folder: str
    """Below `docs/studies`."""
    parts: dict[str, Choice]
    """What is compared separately, by the suffix of the file names."""
    figures: tuple[str, ...] = _CURVES
    beside: tuple[str, ...] = ()
    """Studies of more teachers on the same problem."""


REGISTERED = {
    "studies/stump_tracks": Registered(
        "stump_tracks",
        {"3": Choice()},
        ("mastery_maps",),
        beside=("studies/headway_stump_tracks",),
    ),
    "studies/unlearnable": Registered(
        "unlearnable", {height: Choice(only=[f"env.stump_height=[0,{height}]"]) for height in ("6", "9")}
    ),
    "studies/bodies": Registered("bodies", {"quadruped": Choice(only=["env.body=quadruped"])}),
    "studies/short_legs": Registered("bodies", {"short": Choice()}),
    "studies/four_dimensions": Registered("many_dimensions", {"4": Choice()}),
    "studies/hexagon_tracks": Registered("many_dimensions", {"12": Choice()}, ("return_curves",)),
}
PICTURES: dict[str, tuple[str, ...]] = {
    "main": ("images/main_job.png", "images/gait.gif", "images/stump_tracks.png"),
    "main_job": (
        *(f"studies/stump_tracks_ppo/{name}" for name in _FIGURES),
        *(f"studies/stump_tracks_ppo/paper/{name}" for name in (*_PAPER, "learning_curves.png")),
        *("images/tensorboard_scalars.png", "images/tensorboard_custom_scalars.png"),
    ),
    "toy_grid_study": (
        *(f"studies/toy_grid/{name}" for name in _FIGURES),
        "images/comparison_report.png",
    ),
    "tracks": ("images/tensorboard_images.png",),
    "poles": ("images/tensorboard_hparams.png",),
    **{
        study: tuple(f"studies/{of.folder}/{name}_{part}.png" for part in of.parts for name in of.figures)
        for study, of in REGISTERED.items()
    },
}
"""Files written for each study, below `docs`."""
_COLORS = 256
"""Size of the palette, which keeps files small."""
_PATIENCE = 120_000
"""Milliseconds to wait for an element before it counts as missing."""
_DRAWING = 5_000
"""Milliseconds that charts need to redraw after new data or colours arrive."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_of("doc_pictures", __doc__)
    parser.add_argument("results", type=Path)
    results: Path = parser.parse_args(arguments).results
    kinds: dict[str, Callable[[Path], None]] = {
        "main": _main_job,
        "main_job": _stump_tracks,
        "toy_grid_study": _toy_grid,
        "tracks": _images,
        "poles": _hparams,
        **dict.fromkeys(REGISTERED, _registered),
    }
    for study, draw in kinds.items():
        if (results / study).is_dir():
            draw(results / study)
        print(", ".join(PICTURES[study]) if (results / study).is_dir() else f"{study} is not there")


def _main_job(study: Path) -> None:
    run = RunDirectory(study / "stump_tracks" / "alp_gmm" / "ppo" / "seed0")
    draw_curriculum(run)
    run.record(run.figure)
    _keep(run.figure, DOCS / "images" / "main_job.png")
    gait = DOCS / "images" / "gait.gif"
    shown = [f"run={run.path}", "task=[1.2,4]", "lidar=true", "seconds=6", f"out={gait}"]
    subprocess.run([sys.executable, "-m", "chiron.scripts.watch", *shown], check=True)
    draw_track_sheet(StumpTracks(), DOCS / "images" / "stump_tracks.png")


def _stump_tracks(study: Path) -> None:
    """Pictures of the first study: figures, the files for a paper, and its curves in TensorBoard."""
    out = study / "comparison"
    comparison = compare_folders([study], out, paper=True)
    for name in _FIGURES:
        _keep(out / name, DOCS / "studies" / "stump_tracks_ppo" / name)
    paper = DOCS / "studies" / "stump_tracks_ppo" / "paper"
    paper.mkdir(exist_ok=True)
    for name in _PAPER:
        _keep(out / "paper" / name, paper / name)
    with mpl.rc_context(STYLE):
        figure = draw_learning_curves(comparison, np.random.default_rng(0), PAPER)
        figure.savefig(paper / "learning_curves.png", dpi=150)
    _curves(study)


def _toy_grid(study: Path) -> None:
    out = study / "comparison"
    compare_folders([study], out)
    for name in _FIGURES:
        _keep(out / name, DOCS / "studies" / "toy_grid" / name)
    with _browser() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1180})
        page.goto((out / "report.html").resolve().as_uri())
        _photograph(page, "comparison_report.png")


def _curves(study: Path) -> None:
    teachers = "alp_gmm|random"
    with _browser() as browser, _served(study) as address:
        page = browser.new_page(viewport={"width": 1500, "height": 680})
        tags, group = quote("evaluation/(mastered|return)"), quote(f"regex:({teachers})")
        page.goto(f"{address}?smoothing=0&tagFilter={tags}&runColorGroup={group}#timeseries")
        _wait_for(page, "card-view", 2)
        _color(page, teachers)
        _photograph(page, "tensorboard_scalars.png")
        page.set_viewport_size({"width": 1500, "height": 1000})
        page.goto("about:blank")
        page.goto(f"{address}#custom_scalars&_smoothingWeight=0")
        page.get_by_text("Ignore outliers in chart scaling").click()
        _wait_for(page, "tf-custom-scalar-multi-line-chart-card svg", 3)
        _photograph(page, "tensorboard_custom_scalars.png")


def _registered(study: Path) -> None:
    results = study.parent.parent
    of = REGISTERED[str(study.relative_to(results))]
    for part, choice in of.parts.items():
        out = study / f"comparison_{part}"
        compare_folders([study, *(results / name for name in of.beside)], out, choice=choice)
        for name in of.figures:
            _keep(out / f"{name}.png", DOCS / "studies" / of.folder / f"{name}_{part}.png")


def _images(study: Path) -> None:
    with _browser() as browser, _served(study) as address:
        page = browser.new_page(viewport={"width": 1500, "height": 1260})
        page.goto(f"{address}#images&regexInput=seed0")
        _wait_for(page, "tf-image-loader img", 6)
        _photograph(page, "tensorboard_images.png")


def _hparams(study: Path) -> None:
    with _browser() as browser, _served(study) as address:
        page = browser.new_page(viewport={"width": 1500, "height": 700})
        page.goto(f"{address}#hparams")
        _wait_for(page, "tf-hparams-table-view", 1)
        _photograph(page, "tensorboard_hparams.png")


def _color(page: Page, teachers: str) -> None:
    """Give every run the colour of its teacher, as a user does by clicking the dots of the runs."""
    for row in page.locator("runs-data-table tb-data-table-content-row").all():
        found = re.search(teachers, row.inner_text())
        if found:
            row.locator(".run-color-swatch").click()
            code = page.locator("color-picker input:visible").last
            code.fill(teacher_style(found[0]).color)
            code.press("Enter")
            page.keyboard.press("Escape")
    page.evaluate("document.querySelectorAll('*').forEach(element => { element.scrollLeft = 0 })")
    page.get_by_role("button", name="Settings").first.click()


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def _served(study: Path) -> Iterator[str]:
    """Serve a study with TensorBoard; yields the address."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(study), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            lines = iter(server.stderr.readline, "")
            yield next(found[0] for line in lines if (found := re.search(r"http://localhost:\d+/", line)))
        finally:
            server.terminate()


def _wait_for(page: Page, selector: str, count: int) -> None:
    page.locator(selector).nth(count - 1).wait_for(timeout=_PATIENCE)
    page.wait_for_timeout(_DRAWING)


def _photograph(page: Page, name: str) -> None:
    # Hide the path of the results on this machine.
    page.locator("#data-location").evaluate_all("elements => elements.forEach(element => element.remove())")
    page.wait_for_timeout(_DRAWING)
    page.screenshot(path=DOCS / "images" / name)
    _keep(DOCS / "images" / name, DOCS / "images" / name)


def _keep(source: Path, target: Path) -> None:
    """Copy a file; PNG pictures are reduced to fewer colours."""
    if source.suffix != ".png":
        shutil.copyfile(source, target)
        return
    picture = Image.open(source).convert("RGB")
    picture.quantize(_COLORS, dither=Image.Dither.NONE).save(target, optimize=True)


if __name__ == "__main__":
    main()
