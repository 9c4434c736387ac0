"""A sweep on a real Slurm, started for the test, whose jobs are requeued, cancelled and signalled."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from chiron.runs.run_directory import RunDirectory
from chiron.scripts import train

SCRIPTS = Path(__file__).parent.parent / "slurm"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel")
MISSING = [program for program in PROGRAMS if shutil.which(program) is None]
SWEEP = [
    *("-m", "study=slurm", "env=cart_pole", "teacher=random", "seed=0,1,2,3", "n_envs=4"),
    *("total_steps=16_384", "student.n_steps=128", "student.batch_size=128", "student.n_epochs=2"),
    *("evaluation.every_steps=2_048", "evaluation.n_tasks=2"),
]
MIDDLE = 4_096
"""Steps after which a job is disturbed."""
PATIENCE_SECONDS = 300.0

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.slow,
    pytest.mark.skipif(bool(MISSING), reason=f"needs Debian's slurm-wlm and munge: no {', '.join(MISSING)}"),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to start a Slurm of its own"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[dict[str, str]]:
    """Environment variables for processes that use the cluster."""
    # Not pytest's tmp_path: the path of a socket has to be short.
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder:
        subprocess.run([SCRIPTS / "start_cluster.sh", folder], check=True)
        try:
            yield {**os.environ, "SLURM_CONF": f"{folder}/slurm.conf"}
        finally:
            subprocess.run([SCRIPTS / "stop_cluster.sh", folder], check=True)


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def start(folder: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    command = [str(Path(sys.executable).parent / "chiron-train"), *SWEEP, *arguments]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def directories(results: Path, seed: int) -> list[Path]:
    # Not a recursive search: files come and go while jobs run.
    return list(results.glob(f"slurm/cart_pole/random/ppo/*/seed{seed}"))


def run_of(results: Path, seed: int) -> RunDirectory:
    (path,) = directories(results, seed)
    return RunDirectory(path)


def is_in_the_middle(results: Path, seed: int) -> bool:
    evaluations = [path / "evaluations.csv" for path in directories(results, seed)]
    return any(path.exists() and f"\n{MIDDLE}," in path.read_text() for path in evaluations)


def slurm(cluster: dict[str, str], *command: str) -> str:
    return subprocess.run(command, env=cluster, check=True, capture_output=True, text=True).stdout


def has_been_requeued(cluster: dict[str, str], job: str) -> bool:
    return "Restarts=1" in slurm(cluster, "scontrol", "show", "job", job)


def test_a_disturbed_sweep_ends_with_the_results_of_an_undisturbed_one(
    cluster: dict[str, str], tmp_path: Path
) -> None:
    results = tmp_path / "the results" / "a=b"
    sweep = start(tmp_path, cluster, "launcher=slurm", "results='the results/a=b'")
    try:
        wait_until(lambda: "_3" in slurm(cluster, "squeue", "--noheader", "--array", "--format=%i"))
        array = slurm(cluster, "squeue", "--noheader", "--array", "--format=%F").split()[0]

        wait_until(lambda: is_in_the_middle(results, 0))
        slurm(cluster, "scontrol", "requeue", f"{array}_0")
        wait_until(lambda: is_in_the_middle(results, 1))
        slurm(cluster, "scancel", f"{array}_1")
        wait_until(lambda: is_in_the_middle(results, 2))
        # Slurm sends this signal before a time limit.
        slurm(cluster, "scancel", "--signal=USR2", f"{array}_2")

        wait_until(lambda: (run_of(results, 1).read_summary() or {}).get("status") == "interrupted")
        wait_until(lambda: has_been_requeued(cluster, f"{array}_0"))
        wait_until(lambda: has_been_requeued(cluster, f"{array}_2"))
        output, _ = sweep.communicate(timeout=PATIENCE_SECONDS)
    finally:
        sweep.kill()
    assert sweep.returncode == train.FAILED, output
    assert "4 jobs: 3 finished, 1 to" in output
    assert f"Slurm's job {array}_1 ended without a result" in output

    again = start(tmp_path, cluster, "launcher=slurm", "results='the results/a=b'")
    output, _ = again.communicate(timeout=PATIENCE_SECONDS)
    assert again.returncode == 0, output
    assert "4 jobs: 4 finished" in output

    undisturbed = start(tmp_path, cluster, "results=serial")
    output, _ = undisturbed.communicate(timeout=PATIENCE_SECONDS)
    assert undisturbed.returncode == 0, output
    for seed in range(4):
        there, here = run_of(results, seed), run_of(tmp_path / "serial", seed)
        pd.testing.assert_frame_equal(there.read_episodes(), here.read_episodes())
        pd.testing.assert_frame_equal(there.read_evaluations(), here.read_evaluations())
