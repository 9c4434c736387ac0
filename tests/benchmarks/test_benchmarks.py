from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from chiron.analysis.study import read_study
from chiron.conf import compose
from rich.console import Console
from stable_baselines3 import SAC
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import __main__ as bench
from benchmarks import batch_curriculum as bench_batch_curriculum
from benchmarks import comparison as bench_comparison
from benchmarks import envs as bench_envs
from benchmarks import gpu as bench_gpu
from benchmarks import growth as bench_growth
from benchmarks import run as bench_run
from benchmarks import sac as bench_sac
from benchmarks import students as bench_students
from benchmarks import sweep as bench_sweep
from benchmarks import teachers as bench_teachers
from benchmarks import vector as bench_vector
from benchmarks.phases import Phases
from benchmarks.timing import Timing, time_in_turns
from tests.listing import names_in


@pytest.mark.medium
def test_teachers_are_measured_and_written_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_teachers, "_SHORT", 300)
    monkeypatch.setattr(bench_teachers, "_EARLY", (100, 300))
    every_teacher = bench_teachers.teacher_names()
    assert every_teacher == [name for name in names_in("teacher") if not name.endswith("_benchmark")]
    monkeypatch.setattr(bench_teachers, "teacher_names", lambda: ["alp_gmm", "random", "adr"])
    bench.main(["teachers", "--episodes", "1000", "--out", str(tmp_path)])
    written = json.loads((tmp_path / "bench_teachers.json").read_text())
    assert {"processor", "python", "numpy", "load"} <= set(written["machine"])
    printed = capsys.readouterr().out
    rows = {row["teacher"]: row for row in written["teachers"]}
    assert sorted(rows) == ["adr", "alp_gmm", "random"]
    for name, row in rows.items():
        assert set(row["microseconds"]) == {"2", "6", "12", "20"}
        assert all(value > 0 for value in row["microseconds"].values())
        assert row["early_microseconds"] > 0
        assert row["late_microseconds"] > 0
        assert all(value > 0 for value in row["many"].values())
        assert 0 < sum(row["shares"].values()) < 1
        assert name in printed
    assert rows["alp_gmm"]["shares"]["updates"] > rows["random"]["shares"]["updates"]


@pytest.mark.medium
def test_envs_are_measured_beside_gymnasiums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_envs, "_STEPS", 20)
    monkeypatch.setattr(bench_envs, "_RESETS", 2)
    bench.main(["envs", "--rounds", "2", "--out", str(tmp_path / "new folder")])
    written = json.loads((tmp_path / "new folder" / "bench_envs.json").read_text())
    rows = {row["env"]: row for row in written["envs"]}
    assert rows["BipedalWalker-v3"]["times_gymnasium"] == 1
    assert all(row["microseconds"] > 0 and row["reset_ms"] > 0 for row in rows.values())
    assert sum(written["step_shares"].values()) == pytest.approx(1)
    assert all(share > 0 for share in written["step_shares"].values())
    assert "HexagonTracks" in capsys.readouterr().out


@pytest.mark.slow
def test_students_are_measured_beside_stock_and_a_peer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_students, "_UPDATES", 1)
    peer = tmp_path / "python"
    peer.write_text("#!/bin/sh\nwhile read line; do echo done; done\n")
    peer.chmod(0o755)
    bench.main(["students", "--rounds", "1", "--sbx-python", str(peer), "--out", str(tmp_path)])
    written = json.loads((tmp_path / "bench_students.json").read_text())
    rows = written["updates"]
    on_one_core = [row["student"] for row in rows if (row["device"], row["threads"]) == ("cpu", 1)]
    assert on_one_core == ["stock SAC", "FastSAC", "SBX SAC", "stock PPO", "FastPPO"]
    assert all(row["milliseconds"] >= row["fastest_milliseconds"] > 0 for row in rows)
    assert all(row["times_stock"] == 1 for row in rows if row["student"].startswith("stock"))
    assert all(row["product_gflops"] > 1 for row in rows if "SAC" in row["student"])
    printed = capsys.readouterr().out
    assert "FastSAC" in printed
    assert ("No GPU here" in printed) == (written["gpu"] is None)


def test_the_operations_of_an_update_are_those_that_torch_counts() -> None:
    update = bench_sac.updater(SAC, 1, device="cpu")
    with FlopCounterMode(display=False) as counter:
        update()
    first, second, (batch, seen) = *bench_sac.NETWORKS, (bench_sac.BATCH, bench_sac.OBSERVATIONS)
    weights = (seen + bench_sac.ACTIONS) * first + first * second + second
    # For the actor's loss, stock SAC also computes gradients of both critics' weights, of the higher one's
    # actions, and of the observations.
    unused = 2 * batch * (3 * weights + seen * first)
    assert bench_students.update_flops() == counter.get_total_flops() - unused


@pytest.mark.slow
def test_a_comparison_is_measured_in_a_process_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"_CONDITIONS": 2, "_SEEDS": 3, "_EVALUATIONS": 4, "_TASKS": 10}.items():
        monkeypatch.setattr(bench_comparison, name, value)
    bench.main(["comparison", "--out", str(tmp_path)])
    written = json.loads((tmp_path / "bench_comparison.json").read_text())
    assert (written["runs"], written["rows"]) == (6, 240)
    assert written["seconds"] > 0
    assert written["cpu_seconds"] > 0
    assert written["memory_bytes"] > 1 << 20
    assert "6 runs and 240 rows" in capsys.readouterr().out


forking = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


@pytest.mark.slow
@forking
def test_vector_envs_are_measured_beside_stable_baselines3s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {"_WALKERS": 3, "_POLES": 3, "_WALKER_STEPS": 2, "_POLE_STEPS": 60}.items():
        monkeypatch.setattr(bench_vector, name, value)
    for name, value in {"_ENVS": 64, "_LENGTH": 10, "_STEPS": 20}.items():
        monkeypatch.setattr(bench_batch_curriculum, name, value)
    bench.main(["vector", "--rounds", "2", "--out", str(tmp_path)])
    written = json.loads((tmp_path / "bench_vector.json").read_text())
    walkers = {row["vector_env"]: row for row in written["walkers"]}
    assert len(walkers) == 5
    assert {"DummyVecEnv", "SubprocVecEnv", "CurriculumVecEnv, 2 workers"} <= set(walkers)
    assert all(row["steps_per_second"] > 0 for row in walkers.values())
    assert min(row["times_better_stock"] for row in written["walkers"][:2]) <= 1
    for row in written["curriculum"]:
        if row["teacher"] in ("Random", "ALP-GMM"):
            assert 0 < row["times_none_besides_teacher"] < row["times_none"]
    assert [row["n_workers"] for row in written["curriculum"]] == [0, 0, 0, 0, 2, 2, 2, 2]
    assert {row["slots"] for row in written["autoreset_modes"]} == {8, 64}
    assert all(row["microseconds"] > 0 for row in written["autoreset_modes"])
    assert all(0 < row["milliseconds"] <= row["longest_milliseconds"] for row in written["batches"])
    assert "what a curriculum adds to a step" in capsys.readouterr().out


def small(monkeypatch: pytest.MonkeyPatch, *overrides: str) -> None:
    """Make whole runs small."""
    overrides = ("n_envs=2", "n_workers=0", "evaluation.n_tasks=2", *overrides)
    monkeypatch.setattr(bench_run, "composed", lambda *given: compose.composed(*given, *overrides))


@pytest.mark.slow
@forking
def test_the_main_job_is_measured_beside_stock_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small(monkeypatch, "student.n_steps=32", "student.batch_size=32")
    monkeypatch.setattr(bench_run, "_EVALUATION_SLOTS", 2)
    bench.main(["run", "--rounds", "1", "--steps", "64", "--out", str(tmp_path)])
    written = json.loads((tmp_path / "bench_run.json").read_text())
    names = [row["run"] for row in written["runs"]]
    assert names == ["stock PPO, DummyVecEnv", "stock PPO, SubprocVecEnv", "Chiron"]
    assert all(row["steps_per_second"] > 0 for row in written["runs"])
    before, after = written["microseconds_per_decision"].values()
    of_all = {"physics", "choosing actions", "update", "normalisation", "bookkeeping", "evaluation"}
    assert set(before) == of_all
    assert set(after) == of_all | {"curriculum", "teacher"}
    assert all(value > 0 for part in (before, after) for value in part.values())
    assert (tmp_path / "main_job_profile.png").stat().st_size > 1000
    assert "CPU time of a decision" in capsys.readouterr().out


@pytest.mark.medium
def test_what_a_gpu_is_measured_at_runs_on_a_cpu_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small(
        monkeypatch,
        "student.batch_size=16",
        "student.learning_starts=20",
        "student.policy_kwargs.net_arch=[8]",
        "student.buffer_size=1000",
    )
    monkeypatch.setattr(bench_gpu, "_DEVICE", "cpu")
    monkeypatch.setattr(bench_gpu, "_UPDATES", 1)
    monkeypatch.setattr(bench_gpu, "_STUDENTS", dict.fromkeys(bench_gpu._STUDENTS, 60))
    bench.main(["gpu", "--rounds", "1", "--out", str(tmp_path)])
    written = json.loads((tmp_path / "bench_gpu.json").read_text())
    assert written["captured_difference"] == 0
    assert [row["student"] for row in written["updates"]] == ["stock SAC", "FastSAC"]
    assert [row["student"] for row in written["runs"]] == ["sac", "fast_sac", "overlapped_sac"]
    for row in written["runs"]:
        assert row["steps_per_second"] > 0
        assert 0 < row["evaluation_share"] < 1
    assert written["runs"][0]["times_stock"] == 1
    assert "20 M steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "rounds", "steps"),
    [([], 9, 98_304), (["--quick"], 3, 32_768), (["--quick", "--rounds", "5"], 5, 32_768)],
)
def test_quick_is_shorter_where_nothing_else_is_said(
    arguments: list[str], rounds: int, steps: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[argparse.Namespace] = []

    def part(console: Console, options: argparse.Namespace) -> dict[str, Any]:
        heard.append(options)
        return {}

    monkeypatch.setattr(bench, "PARTS", {"one": part, "gpu": part})
    bench.main([*arguments, "--out", str(tmp_path)])
    # Without a name, all parts are measured, except those that need a GPU.
    (options,) = heard
    assert (options.rounds, options.steps) == (rounds, steps)
    assert [path.name for path in tmp_path.iterdir()] == ["bench_one.json"]


def test_of_calls_within_calls_the_innermost_counts() -> None:
    ticks = iter(range(100))
    phases = Phases(lambda: float(next(ticks)))
    inner = phases.watched("inner", lambda: None)

    def call_twice() -> None:
        inner()
        inner()

    phases.watched("outer", call_twice)()
    assert phases.seconds == {"outer": 3.0, "inner": 2.0}


def test_turns_are_taken_and_the_first_does_not_count() -> None:
    taken = []

    def work(name: str) -> int:
        taken.append(name)
        return 1

    timings = time_in_turns({"a": lambda: work("a"), "b": lambda: work("b")}, 2)
    assert taken == ["a", "b"] * 3
    assert {name: len(timing.seconds) for name, timing in timings.items()} == {"a": 2, "b": 2}


def test_a_ratio_is_that_of_the_same_rounds() -> None:
    ratio = Timing((1.0, 2.0, 4.0)).times_faster_than(Timing((2.0, 4.0, 8.0)))
    assert (ratio.low, ratio.median, ratio.high) == (2, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["teachers", "--episodes", "10"], "--episodes=10 must be at least 40000"),
        (["moons"], f"'moons' must be one of {', '.join(bench.PARTS)}"),
        (["students", "--sbx-python", "/nowhere"], "--sbx-python=/nowhere is not an interpreter"),
        (["students", "--sbx-python", "/bin/false"], "--sbx-python=/bin/false has no SBX that works"),
        pytest.param(
            ["gpu"],
            "gpu needs a GPU and torch sees none here",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU"),
        ),
        (["run", "--steps", "0"], "--steps=0 must be at least 1"),
        (["envs", "--rounds", "0"], "--rounds=0 must be at least 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        bench.main(arguments)
    assert message in capsys.readouterr().err


@pytest.mark.slow
def test_jobs_beside_each_other_are_measured_beside_jobs_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_sweep, "_STEPS", {"box2d": 64})
    monkeypatch.setattr(bench_sweep, "_SWEEP", ("-m", "debug=smoke", "env=cart_pole", "seed=0,1"))
    timed = bench_sweep._timed
    monkeypatch.setattr(bench_sweep, "_timed", lambda overrides: timed((overrides[0], *overrides[3:])))
    bench.main(["sweep", "--rounds", "1", "--out", str(tmp_path)])
    written = json.loads((tmp_path / "bench_sweep.json").read_text())
    serial, joblib = written["sweeps"]
    assert (serial["launcher"], joblib["launcher"]) == ("one after another", "joblib")
    assert serial["times_serial"] == 1
    assert joblib["times_serial"] == pytest.approx(serial["seconds"] / joblib["seconds"])
    assert all(row["steps_per_second"] > 0 for row in written["sweeps"])
    assert "joblib" in capsys.readouterr().out


@pytest.mark.slow
def test_growth_is_measured_on_what_runs_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench_growth, "_STUDY_STEPS", 20_000)
    monkeypatch.setattr(bench_growth, "_CONDITIONS", 2)
    monkeypatch.setattr(bench_growth, "_CHECKPOINT_EVERY", 10_000)
    compared: list[list[str]] = []

    def compare(study: Path) -> tuple[float, float, int]:
        runs, notes = read_study(study)
        assert not notes
        assert all(run.problem is None and run.score > 0 for run in runs)
        compared.append([f"{run.config['teacher.fit_rate']} {run.seed}" for run in runs])
        return 1.0, 2.0, 3

    monkeypatch.setattr(bench_growth, "measure_comparison", compare)
    bench.main(["growth", "--training-steps", "60000", "--runs", "4", "--out", str(tmp_path)])
    written = json.loads((tmp_path / "bench_growth.json").read_text())
    long, short = written["runs"].values()
    assert (long["steps"], long["episodes"]) == (60_800, 152)
    assert (short["steps"], short["episodes"]) == (60_000, 3_000)
    assert long["files"] < short["files"] <= short["most_files"] < 20
    assert compared == [["100 0", "100 1", "101 0", "101 1"]]
    assert written["study"]["compare_cpu_seconds"] == 2
    assert "A study of 4 runs" in capsys.readouterr().out
