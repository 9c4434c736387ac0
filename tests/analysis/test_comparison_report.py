from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from chiron.analysis.comparison import MOST_DRAWN, compare
from chiron.analysis.comparison_figures import draw_learning_curves, draw_profiles, draw_significance
from chiron.analysis.comparison_report import headline, over_time_cells, result_cells, write_report
from chiron.analysis.figure_style import PAPER, REPORT, NothingToDrawError, lines_of
from chiron.analysis.study import read_study
from chiron.analysis.task_figures import draw_marginals, draw_mastery_maps, draw_proposal_maps
from chiron.runs.plots import pixels
from PIL import Image

from tests.analysis.studies import write_run

pytestmark = pytest.mark.medium

PARTS = {
    "notes",
    "headline", "what-was-run", "results", "over-time", "learning_curves", "significance", "mastery_maps",
    "performance_profiles", "return_curves", "proposal_maps", "marginals", "curricula", "reproduce",
    "meaning",
}  # fmt: skip
VOID = {"meta", "wbr", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Contents of a page, and the addresses that it loads from."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.addresses: list[str] = []
        self.images: list[str] = []
        self.tags: set[str] = set()
        self.words: list[str] = []
        self.policy = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == [], "every element is closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values["id"]} if "id" in values else set()
        self.addresses += [
            values[name] for name in ("src", "href", "action", "data", "srcset") if name in values
        ]
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = values["content"]
        self.images += [values["src"]] if tag == "img" else []
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def write_page(folder: Path, out: Path) -> Page:
    comparison = compare(read_study(folder)[0], np.random.default_rng(0))
    report = write_report(comparison, "the <study>", out, np.random.default_rng(0))
    return Page(report.read_text())


@pytest.fixture(scope="module", params=["trained", "simulated"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    for seed in range(3):
        for teacher, gain in (("alp_gmm", 30), ("random", 10)):
            finals = [0, gain + 5 * seed, 2 * gain + 10 * seed]
            run = write_run(folder, teacher, seed, finals, simulated=request.param == "simulated")
            Image.new("RGB", (4, 4)).save(run.figure)
    return folder


@pytest.fixture(scope="module")
def out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a comparison of `folder` wrote."""
    out = tmp_path_factory.mktemp("out")
    write_page(folder, out)
    return out


@pytest.fixture(scope="module")
def page(out: Path) -> Page:
    return Page((out / "report.html").read_text())


def test_has_all_parts_and_asks_for_nothing(page: Page, out: Path) -> None:
    assert page.ids - {"bands"} == PARTS
    assert all(address.startswith("data:image/") for address in page.addresses)
    assert page.tags.isdisjoint({"script", "iframe", "object", "link", "form"})
    figures = 6 if "bands" in page.ids else 4
    assert len(page.images) == figures + 2, "figures and two curricula"
    # Browsers enforce that nothing is loaded from anywhere.
    assert page.policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    assert "url(" not in (out / "report.html").read_text()


def test_figures_are_whole_pictures(page: Page, out: Path) -> None:
    drawn = [base64.b64decode(image.partition(",")[2]).decode() for image in page.images if "svg" in image]
    assert len(drawn) in (4, 6)
    assert all(svg.rstrip().endswith("</svg>") for svg in drawn)
    assert not any(re.search(r"<image[^>]*href=\"(?!data:)", svg) for svg in drawn)
    for name in ("learning_curves", "significance", "mastery_maps", "performance_profiles"):
        with Image.open(out / f"{name}.png") as picture:
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 10, f"{name} is not empty"


def test_says_what_was_run_and_how_to_run_it_again(page: Page) -> None:
    text = page.text
    assert "Comparison of the <study>" in text
    assert "6 counted of 6" in text
    assert "400 training steps" in text
    assert "Python 3.12.0 on a machine; numpy 2" in text
    assert "alp_gmm mastered most: 70.0 ± 10.0% of the test tasks." in text
    assert re.search(
        r"That is 40\.0 percentage points more than random, which is significant \(p = 0\.\d+, Holm\)", text
    )
    assert text.count("seed=0,1,2") + text.count(" seed=0 ") == 2 + 2, (
        "a command for each condition and for each run"
    )


def test_is_the_same_again(folder: Path, out: Path, tmp_path: Path) -> None:
    write_page(folder, tmp_path)
    assert (tmp_path / "report.html").read_bytes() == (out / "report.html").read_bytes()


def test_tables_are_files_too(out: Path) -> None:
    table = pd.read_csv(out / "table.csv")
    content = json.loads((out / "comparison.json").read_text())
    assert table["condition"].tolist() == [row["condition"] for row in content["conditions"]]
    assert table["mastered_mean"].tolist() == [70, 30]
    assert content["conditions"][0]["mastered_iqm"] == table["mastered_iqm"][0]
    assert content["conditions"][1]["p_holm"] is None
    assert len(content["pairs"]) == 1
    curves = pd.read_csv(out / "curves.csv")
    assert curves.groupby("condition")["mean"].last().to_dict() == {"alp_gmm": 70, "random": 30}


def test_what_cannot_be_shown_is_said(tmp_path: Path) -> None:
    run = write_run(tmp_path / "runs", "riac", 0)
    rows = pd.read_csv(run.evaluations).assign(third=0.0)
    rows.to_csv(run.evaluations, index=False)
    out = tmp_path / "out"
    out.mkdir()
    (out / "significance.png").write_text("of an earlier comparison")
    page = write_page(tmp_path / "runs", out)
    assert "notes" in page.ids
    for sentence in (
        "riac has a single seed",
        "There is one condition only, so there is no pair to compare.",
        "This run has no pictures.",
    ):
        assert sentence in page.text
    assert not (out / "significance.png").exists()


def test_of_many_conditions_the_best_are_drawn_and_all_are_in_the_tables(tmp_path: Path) -> None:
    count = MOST_DRAWN + 3
    for number in range(count):
        rate = number / 1000
        finals = [0, 30 + 2 * number]
        write_run(tmp_path / str(number), "riac", 0, finals, tasks=50, student__learning_rate=rate)
    write_run(tmp_path / "baseline", "random", 0, [0, 10], tasks=50)
    comparison = compare(read_study(tmp_path)[0], baseline="random")
    assert len(result_cells(comparison)) == count + 1
    drawn = lines_of(comparison, REPORT)
    assert [line.condition for line in drawn[:-1]] == comparison.counted[:MOST_DRAWN]
    assert drawn[-1].condition.names["teacher"] == "random"
    assert len({line.color for line in drawn}) == len(drawn)
    assert drawn[0].name == f"RIAC, learning rate = {(count - 1) / 1000} (1 seed)"
    assert any(
        f"{count + 1} conditions: figures show the best {MOST_DRAWN}" in note for note in comparison.notes
    )


@pytest.mark.parametrize("numbers", [1, 2, 4, 12])
def test_tasks_of_any_number_of_parameters(numbers: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"p_{index}" for index in range(numbers)]
    for teacher in ("alp_gmm", "random"):
        run = write_run(tmp_path / "runs", teacher, 0)
        rows = pd.read_csv(run.evaluations).drop(columns=["stump_height", "obstacle_spacing"])
        rows[names] = np.random.default_rng(0).random((len(rows), numbers))
        rows.to_csv(run.evaluations, index=False)
        run.write_summary({**(run.read_summary() or {}), "units": {"p_0": "m"}})
        run.episodes.mkdir()
        episodes = pd.DataFrame(rng.random((40, numbers)), columns=names).assign(step=np.arange(10, 410, 10))
        episodes.to_parquet(run.episodes / "part-00000.parquet")
    comparison = compare(read_study(tmp_path / "runs")[0])
    marginals = draw_marginals(comparison, np.random.default_rng(0))
    assert [axes.get_xlabel() for axes in marginals.axes if axes.get_xlabel()] == [
        "p 0 (m)",
        *(f"p {index}" for index in range(1, numbers)),
    ]
    for draw in (draw_mastery_maps, draw_proposal_maps):
        if numbers == 1:
            with pytest.raises(NothingToDrawError, match="two or more parameters"):
                draw(comparison, np.random.default_rng(0))
            continue
        panels = [axes for axes in draw(comparison, np.random.default_rng(0)).axes if axes.get_xlabel()]
        assert len(panels) == 2 * (1 if numbers == 2 else 3), "a plane, or three pairs, for each condition"
        assert len({(axes.get_xlabel(), axes.get_ylabel()) for axes in panels}) == len(panels) / 2


def test_simulated_students_of_four_parameters(tmp_path: Path) -> None:
    x0, x1, _, x3 = np.meshgrid(*[np.linspace(0, 0.3, 3)] * 4, indexing="ij")
    for teacher in ("alp_gmm", "random"):
        np.save(write_run(tmp_path, teacher, 0, simulated=True).competence, x0 + x1 + x3)
    maps = draw_mastery_maps(compare(read_study(tmp_path)[0]), np.random.default_rng(0))
    panels = [axes for axes in maps.axes if axes.get_xlabel()]
    pairs = [(axes.get_xlabel(), axes.get_ylabel()) for axes in panels]
    assert pairs == 2 * [("x0", "x1"), ("x0", "x3"), ("x1", "x3")], "not x2, which changes nothing"
    (shown,) = panels[1].images
    assert np.asarray(shown.get_array())[0] == pytest.approx([0.15, 0.3, 0.45])


def test_proposals_are_drawn_over_the_whole_range(tmp_path: Path) -> None:
    run = write_run(tmp_path, "alp_gmm", 0)
    run.episodes.mkdir()
    one_task = {"step": [390, 400], "stump_height": [0.5, 0.5], "obstacle_spacing": [5.0, 5.0]}
    pd.DataFrame(one_task).to_parquet(run.episodes / "part-00000.parquet")
    maps = draw_proposal_maps(compare(read_study(tmp_path)[0]), np.random.default_rng(0))
    assert maps.axes[0].get_xlim() == pytest.approx((0, 2.7))
    assert maps.axes[0].get_ylim() == pytest.approx((0.6, 6))


@pytest.mark.parametrize("seeds", [2, 3])
def test_bands_of_profiles_need_three_seeds(tmp_path: Path, seeds: int) -> None:
    for seed in range(seeds):
        write_run(tmp_path, "random", seed, [0, 10 * seed])
    profile = draw_profiles(compare(read_study(tmp_path)[0]), np.random.default_rng(0))
    assert len(profile.axes[0].collections) == (seeds > 2)


def test_many_long_names_stay_in_the_figures(tmp_path: Path) -> None:
    for rate in range(1, 13):
        changes: dict[str, Any] = {
            "student__learning_rate": rate / 1e5,
            "student__a_setting_with_a_long_name": rate,
        }
        write_run(tmp_path / str(rate), "riac", 0, [0, rate], **changes)
    comparison = compare(read_study(tmp_path)[0])
    rng = np.random.default_rng(0)
    matrix, curves = draw_significance(comparison, rng), draw_learning_curves(comparison, rng, PAPER)
    for figure in (matrix, curves):
        pixels(figure)
    names = [*matrix.axes[0].get_xticklabels(), *matrix.axes[0].get_yticklabels()]
    assert all(name.get_window_extent().x0 >= 0 and name.get_window_extent().y0 >= 0 for name in names)
    legend = curves.legends[0].get_window_extent()
    assert legend.x0 >= 0
    assert legend.x1 <= curves.bbox.x1
    assert legend.y0 >= curves.axes[0].get_window_extent().y1, "it covers no data"
    left, right = (text.get_window_extent() for text in matrix.axes[0].texts[:3:2])
    assert left.x1 <= right.x0


def test_equals_are_not_called_better(tmp_path: Path) -> None:
    for teacher in ("alp_gmm", "random"):
        for seed in range(3):
            write_run(tmp_path, teacher, seed, [0, 50])
    comparison = compare(read_study(tmp_path)[0])
    assert (
        headline(comparison) == "alp_gmm, random mastered equally many of the test tasks: 50.0% on average."
    )


def test_cells_say_what_is_unknown(tmp_path: Path) -> None:
    write_run(tmp_path, "riac", 0, [0, 40])
    write_run(tmp_path, "random", 0, status="failed")
    write_run(tmp_path, "random", 1, [0, 20])
    write_run(tmp_path, "alp_gmm", 0, status="failed")
    comparison = compare(read_study(tmp_path)[0], np.random.default_rng(0))
    riac, random, alp_gmm = result_cells(comparison)
    assert (riac["seeds"], riac["mastered %"], riac["IQM [95%]"], riac["p (Holm)"]) == (
        "1",
        "40.0",
        "40.0",
        "–",
    )
    assert riac["vs random"] == "+20.0"
    assert random["seeds"] == "1 of 2"
    assert (alp_gmm["seeds"], alp_gmm["mastered %"]) == ("0 of 1", "–")
    assert riac.keys() == random.keys() == alp_gmm.keys()
    assert [row["condition"] for row in over_time_cells(comparison)] == ["riac", "random"]
