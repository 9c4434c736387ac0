from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from chiron.analysis.comparison import Comparison, compare
from chiron.analysis.study import read_study
from chiron.analysis.tensorboard_bands import write_bands
from scipy import stats

from tests.analysis.studies import write_run
from tests.runs.events import Events


def a_comparison(folder: Path) -> Comparison:
    return compare(read_study(folder)[0], np.random.default_rng(0))


def test_a_condition_is_a_run_with_the_mean_and_its_band(tmp_path: Path) -> None:
    finals = [30, 40, 60]
    for seed, final in enumerate(finals):
        write_run(tmp_path / "study", "alp_gmm", seed, [0, 20, final], simulated=True)
        write_run(tmp_path / "study", "random", seed, [0, 0, 10], simulated=True)
    folders = write_bands(a_comparison(tmp_path / "study"), tmp_path / "bands")
    assert [folder.name for folder in folders] == ["alp_gmm", "random"]
    events = Events(folders[0])
    assert events.curve("evaluation/mastered_percent") == pytest.approx({0: 0, 200: 20, 400: np.mean(finals)})
    # The lower end of so wide a band is cut off at zero.
    low, high = stats.t.interval(0.95, 2, np.mean(finals), stats.sem(finals))
    assert events.curve("uncertainty/mastered_percent_low")[400] == pytest.approx(max(low, 0))
    assert events.curve("uncertainty/mastered_percent_high")[400] == pytest.approx(high)
    assert events.curve("uncertainty/mastered_percent_high")[200] == 20
    (charts,) = events.layout.values()
    assert charts == {
        "Percentage mastered": [f"uncertainty/mastered_percent{end}" for end in ("", "_low", "_high")]
    }
    assert set(charts["Percentage mastered"]) <= events.curves


def test_one_seed_has_a_mean_and_no_band(tmp_path: Path) -> None:
    write_run(tmp_path / "study", "alp_gmm", 0, [0, 20], simulated=True)
    (folder,) = write_bands(a_comparison(tmp_path / "study"), tmp_path / "bands")
    assert Events(folder).curves == {"evaluation/mastered_percent"}


def test_what_an_earlier_comparison_left_is_replaced(tmp_path: Path) -> None:
    for teacher in ("alp_gmm", "riac"):
        write_run(tmp_path / "study", teacher, 0, [0, 20], simulated=True)
    write_bands(a_comparison(tmp_path / "study"), tmp_path / "bands")
    (tmp_path / "bands" / "notes.txt").touch()
    for _ in range(2):
        write_bands(a_comparison(tmp_path / "study" / "riac"), tmp_path / "bands")
    assert [path.parent.name for path in (tmp_path / "bands").rglob("events*")] == ["riac"]
    assert (tmp_path / "bands" / "notes.txt").exists()


def test_labels_that_are_no_file_names(tmp_path: Path) -> None:
    for rate in (0.1, 0.01):
        write_run(tmp_path / str(rate), "riac", 0, [0, 20], student__learning_rate=rate)
    folders = write_bands(a_comparison(tmp_path), tmp_path / "bands")
    assert sorted(folder.name for folder in folders) == [
        "riac_student.learning_rate=0.01",
        "riac_student.learning_rate=0.1",
    ]
