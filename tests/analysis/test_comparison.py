from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from chiron.analysis.comparison import Choice, Comparison, compare
from chiron.analysis.conditions import find_conditions
from chiron.analysis.study import read_study
from chiron.analysis.worst_tasks import worst_return_of
from chiron.runs.run_directory import RunDirectory

from tests.analysis.studies import write_run


def compared(folder: Path, *, baseline: str | None = None, allowed: tuple[str, ...] = ()) -> Comparison:
    return compare(read_study(folder)[0], np.random.default_rng(0), baseline, allowed)


def row(comparison: Comparison, label: str) -> dict[str, Any]:
    (found,) = comparison.table[comparison.table["condition"] == label].to_dict("records")
    return {str(key): value for key, value in found.items()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for seed, (better, worse) in enumerate([(40, 10), (60, 20), (70, 10), (50, 0), (60, 10)]):
        write_run(tmp_path, "alp_gmm", seed, [0, better / 2, better])
        write_run(tmp_path, "random", seed, [0, 0, worse])
    return tmp_path


class TestTable:
    def test_is_that_of_the_scores(self, folder: Path) -> None:
        comparison = compared(folder)
        assert comparison.table["condition"].tolist() == ["alp_gmm", "random"]
        assert comparison.notes == []
        found = row(comparison, "alp_gmm")
        assert found["seeds"] == found["runs"] == 5
        assert found["steps"] == 400
        assert found["mastered_mean"] == 56
        assert found["mastered_sd"] == pytest.approx(np.std([40, 60, 70, 50, 60], ddof=1))
        assert found["mastered_iqm"] == pytest.approx(170 / 3)
        assert 40 <= found["mastered_iqm_low"] < 56 < found["mastered_iqm_high"] <= 70
        assert found["area_mean"] == pytest.approx(56 / 2)
        assert found["baseline"] == "random"
        assert found["difference"] == 46
        assert found["improvement"] == 1
        assert found["p_holm"] == found["p_value"] < 0.05

    def test_worst_tasks(self, folder: Path) -> None:
        """One of ten tasks: the last, whose return is 3 × percentage - 90."""
        found = row(compared(folder), "alp_gmm")
        assert found["worst_return_mean"] == pytest.approx(3 * 56 - 90)
        assert found["worst_judged_on"] == "the same episodes"

    def test_curves_have_mean_and_spread_at_each_step(self, folder: Path) -> None:
        curves = compared(folder).curves
        rows = curves[curves["condition"] == "random"]
        assert rows["step"].tolist() == [0, 200, 400]
        assert rows["mean"].tolist() == [0, 0, 10]
        assert rows["sd"].iloc[-1] == pytest.approx(np.std([10, 20, 10, 0, 10], ddof=1))

    def test_pairs_are_corrected_together(self, folder: Path) -> None:
        for seed in range(4):
            write_run(folder, "riac", seed, [0, 0, 10 * seed])
        pairs = compared(folder).pairs
        assert len(pairs) == 3
        assert (pairs["p_holm"] >= pairs["p_value"]).all()
        assert pairs["p_holm"].min() == pytest.approx(3 * pairs["p_value"].min())


class TestConditions:
    def test_settings_that_differ_are_in_the_labels(self, tmp_path: Path) -> None:
        for rate in (0.001, 0.01):
            write_run(tmp_path / str(rate), "riac", 0, student__learning_rate=rate)
        write_run(tmp_path, "random", 0)
        assert sorted(compared(tmp_path).table["condition"]) == [
            "random student.learning_rate=0.001",
            "riac student.learning_rate=0.001",
            "riac student.learning_rate=0.01",
        ]

    def test_a_teachers_settings_are_compared_with_its_own_alone(self, tmp_path: Path) -> None:
        write_run(tmp_path, "riac", 0, teacher__regions=20)
        write_run(tmp_path, "random", 0)
        assert sorted(compared(tmp_path).table["condition"]) == ["random", "riac"]

    def test_where_and_how_it_ran_makes_no_difference(self, tmp_path: Path) -> None:
        write_run(tmp_path / "a", "riac", 0, study="one", results="here", n_workers=0, env__engine="box2d")
        write_run(tmp_path / "b", "riac", 1, env__engine="batched")
        assert len(compared(tmp_path).conditions) == 1

    def test_a_repeated_seed_is_counted_once_and_named(self, tmp_path: Path) -> None:
        write_run(tmp_path / "a", "riac", 0, status="failed")
        write_run(tmp_path / "b", "riac", 0, [0, 50])
        comparison = compared(tmp_path)
        assert row(comparison, "riac")["mastered_mean"] == 50
        assert "repeats seed 0 of riac" in comparison.notes[0]


class TestBaseline:
    def test_may_be_chosen(self, folder: Path) -> None:
        assert compared(folder, baseline="alp_gmm").baselines == {"random": "alp_gmm"}

    def test_must_be_there(self, folder: Path) -> None:
        with pytest.raises(ValueError, match=r"--baseline oracle must be one of alp_gmm, random$"):
            compared(folder, baseline="oracle")

    def test_must_be_one_condition(self, tmp_path: Path) -> None:
        for rate in (0.001, 0.01):
            write_run(tmp_path / str(rate), "riac", 0, student__learning_rate=rate)
        with pytest.raises(ValueError, match="--baseline riac could be any of"):
            compared(tmp_path, baseline="riac")
        label = "riac student.learning_rate=0.01"
        assert list(compared(tmp_path, baseline=label).baselines.values()) == [label]

    def test_is_sought_in_the_same_env(self, tmp_path: Path) -> None:
        for height in (3.0, 5.0):
            for teacher in ("riac", "random"):
                write_run(tmp_path / str(height), teacher, 0, env__stump_height=[0.0, height])
        for label, baseline in compared(tmp_path, allowed=("env",)).baselines.items():
            assert baseline == label.replace("riac", "random") != label

    def test_is_sought_with_the_same_student(self, tmp_path: Path) -> None:
        for rate in (0.001, 0.01):
            for teacher in ("riac", "random"):
                write_run(tmp_path / str(rate), teacher, 0, student__learning_rate=rate)
        write_run(tmp_path / "0.1", "alp_gmm", 0, student__learning_rate=0.1)
        comparison = compared(tmp_path)
        assert comparison.baselines == {
            f"riac student.learning_rate={rate}": f"random student.learning_rate={rate}"
            for rate in (0.001, 0.01)
        }
        assert any("alp_gmm student.learning_rate=0.1 could be tested" in note for note in comparison.notes)

    def test_is_not_needed(self, tmp_path: Path) -> None:
        write_run(tmp_path, "riac", 0)
        write_run(tmp_path, "alp_gmm", 0)
        comparison = compared(tmp_path)
        assert comparison.baselines == {}
        assert "p_value" not in comparison.table


class TestFairness:
    @pytest.mark.parametrize(
        ("changes", "difference", "sentence"),
        [
            ({"total_steps": 800}, "budget", "budget: total_steps is 400 or 800"),
            ({"student__action_repeat": 2}, "budget", "budget: student.action_repeat is 1 or 2"),
            (
                {"env__stump_height": [0.0, 5.0]},
                "env",
                r"env: env.stump_height is \[0.0, 3.0\] or \[0.0, 5.0",
            ),
            ({"evaluation__seed": 1}, "test_set", "test set: evaluation.seed is 0 or 1"),
        ],
    )
    def test_differences_have_to_be_meant(
        self, tmp_path: Path, changes: dict[str, Any], difference: str, sentence: str
    ) -> None:
        write_run(tmp_path, "alp_gmm", 0)
        write_run(tmp_path, "random", 0, **changes)
        with pytest.raises(ValueError, match=f"{sentence}.*--allow {difference}"):
            compared(tmp_path)
        notes = compared(tmp_path, allowed=(difference,)).notes
        assert any(note.startswith("As allowed, the runs differ in their") for note in notes)

    def test_tasks_are_compared_themselves(self, tmp_path: Path) -> None:
        write_run(tmp_path, "alp_gmm", 0)
        other = write_run(tmp_path, "random", 0)
        rows = pd.read_csv(other.evaluations)
        rows["stump_height"] += 0.1
        rows.to_csv(other.evaluations, index=False)
        with pytest.raises(
            ValueError, match=r"test set: the tasks in evaluations\.csv is .* --allow test_set"
        ):
            compared(tmp_path)

    def test_the_student_is_the_env_if_it_is_simulated(self, tmp_path: Path) -> None:
        write_run(tmp_path, "alp_gmm", 0, simulated=True)
        student = {"_target_": "chiron.students.simulated.toy_grid.ToyGrid", "cells": 20}
        write_run(tmp_path, "random", 0, simulated=True, student=student)
        with pytest.raises(ValueError, match=r"env: student\.cells is 10 or 20"):
            compared(tmp_path)

    def test_runs_that_do_not_count_make_nothing_unfair(self, tmp_path: Path) -> None:
        write_run(tmp_path, "alp_gmm", 0)
        write_run(tmp_path, "random", 0, status="failed", total_steps=800)
        assert len(compared(tmp_path).counted) == 1


class TestGaps:
    def test_missing_and_failed_seeds_are_shown(self, folder: Path) -> None:
        write_run(folder, "alp_gmm", 5, status="failed")
        write_run(folder, "riac", 0, status="running")
        comparison = compared(folder)
        assert row(comparison, "alp_gmm")["runs"] == 6
        assert row(comparison, "alp_gmm")["seeds"] == 5
        unfinished = row(comparison, "riac")
        assert unfinished["seeds"] == 0
        assert np.isnan(unfinished["mastered_mean"])
        text = "\n".join(comparison.notes)
        assert "alp_gmm, seed 5, is not counted: failed after 200 of 400 steps" in text
        assert "riac, seed 0, is not counted: running after 200 of 400 steps" in text
        assert "random has no run with seed 5, which other conditions have" in text
        assert "riac has no run with seed 1, 2, 3, 4, 5, which other conditions have" in text

    def test_one_seed_and_unequal_seeds_are_named(self, folder: Path) -> None:
        write_run(folder, "riac", 0)
        comparison = compared(folder)
        found = row(comparison, "riac")
        assert np.isnan([found["mastered_sd"], found["mastered_iqm_low"], found["p_holm"]]).all()
        assert "riac has a single seed: its spread is unknown and it is not tested" in (comparison.notes)
        write_run(folder, "riac", 1)
        assert (
            "Fewer than 5 seeds: riac; bootstrap intervals of so few are too narrow" in compared(folder).notes
        )
        assert "The conditions have unequal numbers of seeds, from 1 to 5" in comparison.notes

    def test_nothing_to_compare_is_an_error_that_says_why(self, tmp_path: Path) -> None:
        write_run(tmp_path, "riac", 0, status="failed")
        with pytest.raises(ValueError, match="no run has a result to compare; riac, seed 0, is not counted"):
            compared(tmp_path)


class TestSecondEvaluation:
    @staticmethod
    def write(run: RunDirectory, name: str, tasks: int, episodes: int, bonus: float = 0.0) -> None:
        """Returns are task × 10 in even episodes, and `bonus` more in odd ones."""
        index = np.arange(tasks * episodes)
        rows = pd.DataFrame({"task_index": index // episodes, "episode": index % episodes, "seed": index})
        rows["return"] = 10.0 * rows["task_index"] + bonus * (rows["episode"] % 2)
        run.reevaluations.mkdir(exist_ok=True)
        rows.to_csv(run.test_set_rows(name), index=False)

    def test_even_episodes_choose_and_odd_ones_judge(self, tmp_path: Path) -> None:
        run = write_run(tmp_path, "riac", 0)
        self.write(run, "mine", tasks=20, episodes=4, bonus=7)
        assert worst_return_of(run.read_test_set("mine")) == 5 + 7

    def test_the_largest_set_that_all_have_played_is_used(self, folder: Path) -> None:
        runs = [run.directory for run in read_study(folder)[0]]
        for run in runs:
            self.write(run, "few", tasks=10, episodes=2)
            self.write(run, "many", tasks=40, episodes=2, bonus=1)
            self.write(run, "once", tasks=80, episodes=1)
        self.write(runs[0], "alone", tasks=90, episodes=2)
        found = row(compared(folder), "random")
        assert found["worst_judged_on"] == "many"
        assert found["worst_return_mean"] == 16

    def test_other_episodes_are_not_mixed(self, folder: Path) -> None:
        runs = [run.directory for run in read_study(folder)[0]]
        for index, run in enumerate(runs):
            self.write(run, "uniform_v1", tasks=10, episodes=2 + 2 * (index == 0))
        comparison = compared(folder)
        assert row(comparison, "random")["worst_judged_on"] == "the same episodes"
        assert comparison.notes == [
            "Not all runs were evaluated on the same episodes of uniform_v1: it is not used"
        ]


@pytest.mark.parametrize("typed", ["env.stump_height=[0,6]", "env.stump_height=[0.0, 6.0]"])
def test_a_setting_that_is_a_list_chooses_conditions(tmp_path: Path, typed: str) -> None:
    for height in (6, 9):
        for teacher in ("alp_gmm", "random"):
            write_run(tmp_path / str(height), teacher, 0, env={"stump_height": [0.0, height]})
    runs = read_study(tmp_path)[0]
    kept = find_conditions(runs, only=[typed])[0]
    assert [condition.label for condition in kept] == ["alp_gmm", "random"]
    left = find_conditions(runs, without=[typed])[0]
    assert {run.config["env.stump_height"] for condition in left for run in condition.all_runs} == {
        "[0.0, 9]"
    }


@pytest.mark.parametrize("threshold", [float("nan"), float("inf")])
def test_a_threshold_is_a_number(threshold: float) -> None:
    with pytest.raises(ValueError, match=f"--threshold {threshold} must be a return"):
        Choice(threshold=threshold)
