"""TensorBoard and the report in a browser, as users see them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from chiron.analysis.compare_folders import compare_folders
from chiron.analysis.comparison import Choice
from chiron.scripts import compare, train
from matplotlib.figure import Figure
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.analysis.studies import write_run

pytestmark = pytest.mark.browser

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
PATIENCE = 60_000
"""Milliseconds to wait for an element before it counts as missing."""

RUNS = [
    f"{env}/{teacher}/{student}/seed{seed}"
    for env, student in (("stump_tracks", "ppo"), ("simulated", "toy_grid"))
    for teacher in ("alp_gmm", "random")
    for seed in (0, 1)
]
BANDS = ["comparison/tensorboard/alp_gmm", "comparison/tensorboard/random"]

EVERYTHING_IS_LOADED = """async runs => {
    const tags = await (await fetch('data/plugin/scalars/tags')).json()
    const images = await (await fetch('data/plugin/images/tags')).json()
    return runs.every(run => run in tags) && Object.keys(images).length >= 8
}"""


TINY = """
# @package _global_
study: smoke
total_steps: 2_048
n_envs: 4
n_workers: 0
student: {n_steps: 512}
evaluation: {every_steps: 2_048, n_tasks: 2}
"""
"""A preset, since other overrides would become part of the runs' names."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.skip(f"none of {', '.join(BROWSERS)} is installed: apt-get install chromium")
    with sync_playwright() as playwright:
        # Other hosts are unreachable.
        rules = "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost"
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", rules])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def study(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two teachers with two seeds each, for a walker and for a simulated student, and a comparison."""
    folder = tmp_path_factory.mktemp("study")
    preset = folder / "conf" / "debug" / "tiny.yaml"
    preset.parent.mkdir(parents=True)
    preset.write_text(TINY.lstrip())
    command = ["chiron-train", "--config-dir", "conf", "-m", "teacher=alp_gmm,random", "seed=0,1"]
    compared = ["results/smoke/stump_tracks", "--out", "results/smoke/comparison"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(Figure, "draw", lambda self, renderer: None)
        for main, arguments in (
            (train.main, [*command, "debug=tiny"]),
            (train.main, [*command, "experiment=toy_grid", "debug=smoke"]),
            (compare.main, ["chiron-compare", *compared]),
        ):
            patch.setattr(sys, "argv", arguments)
            main()
    return folder / "results" / "smoke"


@pytest.fixture(scope="module")
def address(study: Path, browser: Browser) -> Iterator[str]:
    """Address of TensorBoard, once it has read the whole study."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(study), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            said = iter(server.stderr.readline, "")
            found = next(filter(None, (re.search(r"http://localhost:\d+/", line) for line in said)))
            page = browser.new_page()
            page.goto(found.group())
            page.wait_for_function(EVERYTHING_IS_LOADED, arg=[*RUNS, *BANDS], timeout=PATIENCE)
            page.close()
            yield found.group()
        finally:
            server.terminate()


class Visitor:
    """A page, and every address that it requested."""

    def __init__(self, browser: Browser) -> None:
        self.page: Page = browser.new_page(viewport={"width": 1700, "height": 1200})
        self.page.set_default_timeout(PATIENCE)
        self.asked: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))

    @property
    def hosts(self) -> set[str | None]:
        """Hosts that it requested over a network."""
        return {
            urlsplit(url).hostname
            for url in self.asked
            if urlsplit(url).scheme not in ("data", "file", "blob")
        }


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Visitor]:
    visitor = Visitor(browser)
    yield visitor
    visitor.page.close()


@pytest.mark.slow
def test_scalars_show_every_run_and_group(address: str, visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{address}#scalars")
    for run in [*RUNS, *BANDS]:
        expect(page.locator("tf-runs-selector").get_by_text(run)).to_be_visible(timeout=PATIENCE)
    for group in ("curriculum", "episodes", "evaluation", "speed", "student", "uncertainty"):
        expect(page.get_by_role("button", name=re.compile(f"^{group}"))).to_be_visible(timeout=PATIENCE)
    page.locator("tf-tag-filterer input").fill("evaluation/mastered_percent")
    chart = page.locator("tf-scalar-card").filter(has_text="tag: evaluation/mastered_percent").first
    expect(chart.locator("vz-line-chart2 path.line").first).to_be_attached(timeout=PATIENCE)
    assert visitor.hosts == {"localhost"}


def test_custom_scalars_have_a_chart_for_each_question(address: str, visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{address}#custom_scalars")
    charts = page.locator("tf-custom-scalar-multi-line-chart-card")
    expect(charts).to_have_count(4, timeout=PATIENCE)
    for title, matches in (
        ("Percentage mastered", len(RUNS) + len(BANDS)),
        ("Mean return of test episodes", len(RUNS)),
        ("Learning progress", len(RUNS) // 2),
        ("Share of random proposals", len(RUNS)),
    ):
        chart = charts.filter(has_text=title)
        expect(chart.get_by_text(f"Matches ({matches})")).to_be_visible(timeout=PATIENCE)
    band = page.locator("tf-custom-scalar-margin-chart-card")
    expect(band.get_by_text(f"Matches ({len(BANDS)})")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("Missing Tags")).to_have_count(0)


def test_images_show_proposals_and_mastery(address: str, visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{address}#images")
    for tag in ("curriculum/proposals", "evaluation/mastery"):
        pictures = page.locator("tf-image-loader").filter(has_text=f"tag: {tag}")
        expect(pictures).to_have_count(len(RUNS), timeout=PATIENCE)
        for run in RUNS:
            expect(pictures.filter(has_text=run)).to_have_count(1, timeout=PATIENCE)
        drawn = pictures.first.locator("img")
        expect(drawn).to_have_js_property("naturalWidth", 350, timeout=PATIENCE)


def test_hparams_have_a_line_for_each_run(address: str, visitor: Visitor) -> None:
    page = visitor.page
    page.goto(f"{address}#hparams")
    table = page.locator("tf-hparams-table-view")
    for column in ("env", "seed", "student", "teacher", "mastered percent", "area under curve"):
        expect(table.get_by_text(column, exact=True).first).to_be_visible(timeout=PATIENCE)
    for value, lines in (("alp_gmm", 4), ("random", 4), ("toy_grid", 4), ("ppo", 4)):
        expect(table.get_by_text(value, exact=True)).to_have_count(lines, timeout=PATIENCE)
    settings = page.locator("tf-hparams-query-pane")
    for setting in ("teacher.random_ratio", "teacher.max_region_size"):
        expect(settings.get_by_role("checkbox", name=setting, exact=True)).to_be_visible(timeout=PATIENCE)


def test_the_report_needs_nothing_but_itself(study: Path, visitor: Visitor, tmp_path: Path) -> None:
    alone = tmp_path / "report.html"
    shutil.copy(study / "comparison" / "report.html", alone)
    page = visitor.page
    page.goto(alone.as_uri(), wait_until="networkidle")
    expect(page.locator("#results tbody tr")).to_have_count(2)
    assert sorted(page.locator("#results tbody td:first-child").all_text_contents()) == ["alp_gmm", "random"]
    figures = page.locator("figure img, #curricula img")
    widths = figures.evaluate_all("images => images.map(image => image.naturalWidth)")
    assert len(widths) == 9  # seven figures, and the curriculum of each teacher
    assert min(widths) > 100
    scales = figures.evaluate_all("images => images.map(image => image.width / image.naturalWidth)")
    assert 0.6 < min(scales) <= max(scales) <= 1, "their words can be read, and are not blown up"
    assert visitor.hosts == set()


@pytest.mark.slow
def test_no_column_of_a_report_is_out_of_sight(visitor: Visitor, tmp_path: Path) -> None:
    for teacher in ("alp_gmm", "riac", "random"):
        for rate in (0.0003, 0.001):
            for body in ("default", "quadruped"):
                env = {"_target_": "chiron.envs.StumpTracks", "stump_height": [0, 3], "body": body}
                folder = tmp_path / f"{rate}_{body}"
                for seed, mastered in enumerate((40, 50, 70)):
                    write_run(folder, teacher, seed, [0, mastered], student__learning_rate=rate, env=env)
    choice = Choice(threshold=50)
    compare_folders([tmp_path], tmp_path / "comparison", allowed=["env"], choice=choice)
    page = visitor.page
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto((tmp_path / "comparison" / "report.html").as_uri())
    last = page.locator("#results th").last
    expect(last).to_have_text("P(better) [95%]")
    tables = page.locator("section.card:has(table)")
    widths = tables.evaluate_all("cards => cards.map(card => [card.scrollWidth, card.clientWidth])")
    assert all(needed <= shown for needed, shown in widths), widths


def test_a_report_that_asked_for_more_would_be_noticed(study: Path, visitor: Visitor, tmp_path: Path) -> None:
    text = (study / "comparison" / "report.html").read_text()
    without_policy = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", text)
    curious = tmp_path / "report.html"
    curious.write_text(without_policy.replace("</main>", '<img src="http://elsewhere.invalid/i.png"></main>'))
    visitor.page.goto(curious.as_uri(), wait_until="networkidle")
    assert visitor.hosts == {"elsewhere.invalid"}
