from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from chiron.analysis.comparison import compare
from chiron.analysis.score_matrix import matrix_tables, score_matrix
from chiron.analysis.study import read_study

from .studies import write_run


def write_benchmark(folder: Path) -> None:
    for cells, lift in ((10, 0), (20, 40)):
        student = {"_target_": "chiron.students.simulated.toy_grid.ToyGrid", "cells": cells}
        for teacher, reached in (("random", 20), ("riac", 10 + lift)):
            for seed in range(3):
                percents = [0, seed, 0, 0, 0, 0, 0, 0, reached + seed]
                place = folder / str(cells)
                write_run(place, teacher, seed, percents, simulated=True, total_steps=800, student=student)


def test_rows_are_settings_columns_are_teachers_and_the_best_is_marked(tmp_path: Path) -> None:
    write_benchmark(tmp_path)
    comparison = compare(read_study(tmp_path)[0], allowed=["env"])
    tables = matrix_tables(comparison)
    ends = tables["Mastered % in the end"]
    assert [row[""] for row in ends] == ["student.cells=10", "student.cells=20", "mean of 2 rows [95%]"]
    assert ends[0]["random"] == "21.0 ± 1.0 ★"
    assert ends[0]["riac"] == "11.0 ± 1.0"
    assert ends[1]["riac"] == "51.0 ± 1.0 ★"
    assert ends[2]["riac"].startswith("31.0 [")
    early = tables["Mastered % after 100 steps"]
    assert early[0]["riac"] == "1.0 ± 1.0 ★"


def test_the_summary_counts_each_row_the_same_and_its_interval_holds_the_mean(tmp_path: Path) -> None:
    write_benchmark(tmp_path)
    matrix = score_matrix(compare(read_study(tmp_path)[0], allowed=["env"]))
    assert matrix is not None
    mean, (low, high) = matrix.summary(lambda run: run.score, np.random.default_rng(0))["riac"]
    assert mean == pytest.approx((11 + 51) / 2)
    assert low < mean < high


def test_a_row_without_one_teacher_is_shown_and_not_summed(tmp_path: Path) -> None:
    write_benchmark(tmp_path)
    for path in (tmp_path / "20" / "random").glob("*/*"):
        path.unlink()
    ends = matrix_tables(compare(read_study(tmp_path)[0], allowed=["env"]))["Mastered % in the end"]
    assert ends[1]["random"] == "–"
    assert ends[2] == {"": "mean of 1 rows [95%]", "random": ends[2]["random"], "riac": ends[2]["riac"]}
    assert ends[2]["riac"].startswith("11.0")


def test_pairs_are_of_the_same_setting(tmp_path: Path) -> None:
    write_benchmark(tmp_path)
    assert len(compare(read_study(tmp_path)[0], allowed=["env"]).pairs) == 2


def test_one_setting_is_no_matrix(tmp_path: Path) -> None:
    write_run(tmp_path, "random", 0)
    write_run(tmp_path, "riac", 0)
    assert score_matrix(compare(read_study(tmp_path)[0])) is None
