"""Sweeps as users see them: what is to be done, what failed, and how to continue."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from chiron.runs.failures import sentence_of
from chiron.runs.run_directory import RunDirectory
from chiron.runs.run_lock import RunLock, is_held
from chiron.scripts import sweep, train
from chiron.scripts.refusal import BAD_INPUT
from chiron.students.simulated.toy_grid import ToyGrid

from tests.listing import names_in
from tests.scripts.conftest import only_run

pytestmark = pytest.mark.medium

GRID = ["experiment=toy_grid", "total_steps=200", "evaluation.every_steps=100", "callbacks=logs"]
"""A run that takes milliseconds."""
CART_POLE = [
    "env=cart_pole",
    "n_envs=2",
    "student.n_steps=64",
    "student.batch_size=64",
    "evaluation.n_tasks=1",
    "~callbacks.tensorboard",
    "~callbacks.figure",
]


def run_with(folder: Path, teacher: str, seed: int) -> RunDirectory:
    (path,) = folder.rglob(f"{teacher}/*/*/seed{seed}")
    return RunDirectory(path)


@pytest.fixture
def broken_for_riac(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Make every run with RIAC fail after some episodes."""
    learn = ToyGrid.learn

    def fail(self: ToyGrid, curriculum: Any, episodes: int, listener: Any, n_envs: int) -> None:
        if type(curriculum.teacher).__name__ == "RIAC":
            learn(self, curriculum, 10, listener, n_envs)
            raise RuntimeError("the grid is on fire\nand so is the next line")
        learn(self, curriculum, episodes, listener, n_envs)

    monkeypatch.setattr(ToyGrid, "learn", fail)
    return monkeypatch


class TestAFailingJob:
    SWEEP = ("-m", *GRID, "teacher=random,riac,alp_gmm", "seed=0,1")

    def test_stops_no_other_and_is_named_at_the_end(
        self,
        chiron_train: Any,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        broken_for_riac: pytest.MonkeyPatch,
    ) -> None:
        assert chiron_train(*self.SWEEP) == train.FAILED
        output = capsys.readouterr().out
        assert "6 jobs: 4 finished, 2 failed" in output
        assert output.count("RuntimeError: the grid is on fire") == 4  # as they fail, and at the end
        assert "Traceback" not in output
        summaries = [json.loads(path.read_text()) for path in tmp_path.rglob("summary.json")]
        assert sorted(summary["status"] for summary in summaries) == ["failed"] * 2 + ["finished"] * 4

    def test_leaves_its_traceback_and_a_sentence(
        self, chiron_train: Any, tmp_path: Path, broken_for_riac: pytest.MonkeyPatch
    ) -> None:
        chiron_train(*self.SWEEP)
        run = run_with(tmp_path, "riac", 1)
        assert "Traceback" in run.log.read_text()
        assert 'raise RuntimeError("the grid is on fire' in run.log.read_text()
        status = run.read_summary() or {}
        assert status["status"] == "failed"
        assert status["error"] == "RuntimeError: the grid is on fire and so is the next line"
        assert (status["pid"], status["host"]) == (os.getpid(), os.uname().nodename)
        assert status["began"] <= status["ended"]
        assert (run_with(tmp_path, "random", 1).read_summary() or {})["status"] == "finished"

    @pytest.mark.slow
    def test_is_done_again_alone_by_the_command_that_is_printed(
        self,
        chiron_train: Any,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        broken_for_riac: pytest.MonkeyPatch,
    ) -> None:
        chiron_train(*self.SWEEP)
        *_, line = capsys.readouterr().out.splitlines()
        command, *arguments = shlex.split(line)
        assert command == "chiron-train"
        broken_for_riac.undo()
        broken_for_riac.chdir(tmp_path)
        assert chiron_train(*arguments) == 0
        assert "2 jobs: 2 finished" in capsys.readouterr().out
        assert chiron_train(*self.SWEEP) == 0
        output = capsys.readouterr().out
        assert "6 jobs: 6 finished" in output
        assert output.count("finished already") == 6

    def test_ends_a_single_run_with_its_error(
        self, chiron_train: Any, tmp_path: Path, broken_for_riac: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(RuntimeError, match="on fire"):
            chiron_train(*GRID, "teacher=riac")
        assert (only_run(tmp_path).read_summary() or {})["status"] == "failed"


def test_the_command_for_what_failed_names_no_other_job(
    chiron_train: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = ToyGrid.learn

    def fail(self: ToyGrid, curriculum: Any, episodes: int, listener: Any, n_envs: int) -> None:
        name = type(curriculum.teacher).__name__
        if (name, self.cells) in {("Random", 5), ("Random", 6), ("RIAC", 5)}:
            raise RuntimeError("no")
        learn(self, curriculum, episodes, listener, n_envs)

    monkeypatch.setattr(ToyGrid, "learn", fail)
    chiron_train("-m", *GRID, "teacher=random,riac", "student.cells=5,6", "hydra.verbose=false")
    output = capsys.readouterr().out
    commands = output[output.index("only what failed:") :].splitlines()[1:]
    shared = "chiron-train -m experiment=toy_grid total_steps=200 evaluation.every_steps=100 callbacks=logs"
    assert [line.strip() for line in commands] == [
        f"{shared} teacher=random student.cells=5,6 hydra.verbose=false",
        f"{shared} teacher=riac student.cells=5 hydra.verbose=false",
    ]


class TestDryRun:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["-m", *GRID, "seed=0,1", "--dry-run"],
            ["--dry-run", "-m", *GRID, "seed=0,1"],
            [*GRID, "seed=0,1", "--dry-run", "-m"],
            ["experiment=toy_grid_study", "teacher=random", "seed=0,1", "--dry-run"],
        ],
    )
    def test_says_what_there_is_to_do_and_does_nothing(
        self, chiron_train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
    ) -> None:
        assert chiron_train(*arguments) == 0
        output = capsys.readouterr().out
        assert output.count("to start") == 3
        assert output.endswith("2 jobs: 2 to start\n")
        assert list(tmp_path.iterdir()) == []

    def test_works_for_a_single_run(
        self, chiron_train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert chiron_train(*GRID, "--dry-run") == 0
        assert capsys.readouterr().out.endswith("1 job: 1 to start\n")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.medium
    def test_tells_the_state_of_every_job(
        self,
        chiron_train: Any,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        broken_for_riac: pytest.MonkeyPatch,
    ) -> None:
        chiron_train("-m", *GRID, "teacher=random,riac,alp_gmm")
        for teacher in ("covar_gmm", "oracle"):
            chiron_train(*GRID, f"teacher={teacher}")
            directory = run_with(tmp_path, teacher, 0)
            directory.write_summary({**(directory.read_summary() or {}), "status": "interrupted"})
        broken_for_riac.setattr(
            RunDirectory,
            "checkpointed_step",
            lambda self: 123456 if "covar_gmm" in str(self.path) else None,
        )
        capsys.readouterr()
        broken_for_riac.setenv("COLUMNS", "200")
        with RunLock(run_with(tmp_path, "oracle", 0).lock):
            sweep = ["-m", *GRID, "teacher=random,riac,covar_gmm,oracle,alp_gmm_benchmark"]
            assert chiron_train(*sweep, "--dry-run") == 0
        lines = capsys.readouterr().out.splitlines()
        states = [line.split("│")[3].strip() for line in lines if line.startswith("│ ") and "│ 0" not in line]
        text = " ".join(states)
        assert "finished failed to resume at step 123,456 running: process" in text
        assert text.endswith("to start")
        assert "5 jobs: 1 finished, 1 running elsewhere, 1 to resume, 1 failed, 1 to start" in lines, lines
        assert any(line.startswith("Failed: simulated/riac/") for line in lines)

    def test_refuses_what_the_sweep_would_refuse(
        self, chiron_train: Any, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert chiron_train("-m", *GRID, "seed=0,-1", "--dry-run") == BAD_INPUT
        assert capsys.readouterr().err == "chiron-train: seed=-1 must be at least 0\n"


def test_jobs_that_would_share_a_directory_are_refused(
    chiron_train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert chiron_train("-m", *GRID, "seed=0,1,0") == BAD_INPUT
    assert "2 jobs of the sweep are the same run, results/toy_grid/" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_how_a_job_is_run_is_no_other_configuration(
    chiron_train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chiron_train("-m", *GRID)
    config = only_run(tmp_path).config
    config.write_text(config.read_text().replace("n_workers: 2", "n_workers: 7"))
    assert chiron_train("-m", "launcher=joblib", *GRID) == 0
    assert "1 job: 1 finished\nJoblib" in capsys.readouterr().out


class TestPlaces:
    def test_a_path_with_spaces_and_equals_signs(self, chiron_train: Any, tmp_path: Path) -> None:
        assert chiron_train("-m", *GRID, "results='my results/a=b'") == 0
        assert (tmp_path / "my results" / "a=b" / "toy_grid").is_dir()

    def test_a_relative_path_is_relative_to_where_the_command_was_typed(
        self, chiron_train: Any, tmp_path: Path
    ) -> None:
        for arguments in (["study=alone"], ["-m", "study=sweep", "hydra.sweep.dir=elsewhere"]):
            assert chiron_train(*arguments, *GRID) == 0
        assert len(list((tmp_path / "results").rglob("summary.json"))) == 2

    @pytest.mark.skipif(
        not Path("/proc/self").exists(), reason="needs a folder that not even root can write to"
    )
    def test_one_that_cannot_be_written_to_is_refused_before_anything_starts(
        self, chiron_train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert chiron_train("-m", *GRID, "seed=0,1", "results=/proc/results") == BAD_INPUT
        error = capsys.readouterr().err
        assert error.startswith(
            "chiron-train: results=/proc/results: /proc is not a folder that can be written to"
        )
        assert error.count("\n") == 1


def wait_for_two_jobs(process: subprocess.Popen[str]) -> None:
    """Read the output of a sweep until two of its jobs train."""
    assert process.stdout is not None
    begun: set[str] = set()
    while len(begun) < 2:
        line = process.stdout.readline()
        assert line, begun
        if " 0 steps:" in line:
            begun.add(line.split(": ")[0])


@pytest.mark.medium
class TestJoblib:
    """In a process of its own: workers must be able to import all there is from scratch."""

    def start(self, folder: Path, *arguments: str) -> subprocess.Popen[str]:
        command = [str(Path(sys.executable).parent / "chiron-train"), "-m", *CART_POLE, *arguments]
        return subprocess.Popen(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    @pytest.mark.slow
    def test_jobs_with_worker_processes_give_the_results_of_a_serial_sweep(
        self, chiron_train: Any, tmp_path: Path
    ) -> None:
        sweep = ["seed=0,1", "total_steps=256"]
        with self.start(tmp_path, *sweep, "n_workers=1", "results=joblib", "launcher=joblib") as process:
            output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
        assert chiron_train("-m", *CART_POLE, *sweep, "n_workers=0", "results=serial") == 0
        for seed in (0, 1):
            runs = [run_with(tmp_path / name, "alp_gmm", seed) for name in ("joblib", "serial")]
            pd.testing.assert_frame_equal(runs[0].read_episodes(), runs[1].read_episodes())
            pd.testing.assert_frame_equal(runs[0].read_evaluations(), runs[1].read_evaluations())

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_a_signal_ends_all_jobs_in_good_order(self, tmp_path: Path, number: signal.Signals) -> None:
        sweep = [
            "seed=0,1,2",
            "total_steps=1_000_000",
            "launcher=joblib",
            "hydra.launcher.n_jobs=2",
            "n_workers=0",
        ]
        with self.start(tmp_path, *sweep, "evaluation.every_steps=10_000") as process:
            wait_for_two_jobs(process)
            process.send_signal(number)
            output, _ = process.communicate(timeout=300)
        assert process.returncode == 128 + number, output
        assert output.count("where its state has been saved") == 2
        assert "the same command resumes it" in output
        assert "Traceback" not in output
        statuses = [json.loads(path.read_text())["status"] for path in tmp_path.rglob("summary.json")]
        assert statuses == ["interrupted"] * 2

    @pytest.mark.slow
    def test_jobs_end_with_a_sweep_that_is_killed(self, tmp_path: Path) -> None:
        sweep = ["seed=0,1", "total_steps=1_000_000", "launcher=joblib", "hydra.launcher.n_jobs=2"]
        with self.start(tmp_path, *sweep, "n_workers=1") as process:
            wait_for_two_jobs(process)
            process.kill()
            # Returns when all processes that could write to the pipe are gone.
            process.communicate(timeout=60)
        locks = list(tmp_path.rglob("run.lock"))
        assert [is_held(lock) for lock in locks] == [False] * 2


def test_slurm_is_refused_where_there_is_none(
    chiron_train: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert chiron_train("-m", "launcher=slurm", *GRID) == BAD_INPUT
    assert capsys.readouterr().err.startswith("chiron-train: launcher=slurm needs Slurm's sbatch")
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_slurm_will_run_may_ask_for_a_gpu_that_is_not_here(
    chiron_train: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda program: f"/usr/bin/{program}")
    jobs = ["-m", "env=cart_pole", "n_envs=2", "device=cuda:99", "--dry-run"]
    assert chiron_train(*jobs, "launcher=slurm") == 0
    assert chiron_train(*jobs, "launcher=joblib") == BAD_INPUT


USUAL_EXPERIMENTS = ("toy_grid_study", "paper/hexagon_tracks", "studies/bodies", "studies/unlearnable")
"""Sweeps over teachers, over envs, and over settings of one."""


def with_every_value(combinations: list[list[str]]) -> list[list[str]]:
    """A small subset of a sweep's jobs that covers all swept values."""
    kept, left = [], {override for overrides in combinations for override in overrides}
    while left:
        kept.append(max(combinations, key=lambda overrides: len(left & set(overrides))))
        left -= set(kept[-1])
    return kept


@pytest.mark.parametrize("all_pairs", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[] if name in USUAL_EXPERIMENTS else pytest.mark.slow)
        for name in names_in("experiment")
        if "/" in name or "study" in name
    ],
)
def test_every_job_of_an_experiment_can_be_built(
    chiron_train: Any,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    all_pairs: bool,
) -> None:
    """One seed stands for all of them, and a few conditions for all pairs of teachers, envs and so on."""
    combinations = sweep._combinations
    if not all_pairs:
        monkeypatch.setattr(sweep, "_combinations", lambda config: with_every_value(combinations(config)))
    assert chiron_train("-m", f"experiment={name}", "seed=0", "device=cpu", "--dry-run") == 0
    *_, digest = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"([1-9]\d*) jobs?: \1 to start", digest)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ValueError("n_envs=0 must be at least 1"), "n_envs=0 must be at least 1"),
        (OSError(28, "No space left on device"), "OSError: [Errno 28] No space left on device"),
        (KeyError(), "KeyError"),
        (
            RuntimeError("in slot 3:\nTraceback\n  x\nZeroDivisionError: oh"),
            "RuntimeError: in slot 3: ZeroDivisionError: oh",
        ),
    ],
)
def test_an_error_is_said_in_one_line(error: Exception, sentence: str) -> None:
    assert sentence_of(error) == sentence
