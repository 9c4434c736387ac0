"""Damage to any file of an unfinished run, followed by the same command again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from chiron.runs.progress import ProgressDisplay
from chiron.runs.run import Run
from chiron.runs.run_directory import RunDirectory
from chiron.scripts.refusal import BAD_INPUT
from matplotlib.figure import Figure

from benchmarks.kills import differences
from tests.commands import run_here
from tests.damage import DAMAGES, damage, files_of
from tests.scripts.conftest import only_run

RUNS = {
    "simulated": [
        *("experiment=toy_grid", "teacher=covar_gmm", "total_steps=400", "evaluation.every_steps=150"),
        "checkpoint.every_steps=80",
    ],
    "PPO": [
        *("env=cart_pole", "n_envs=4", "n_workers=0", "student.n_steps=32", "student.batch_size=32"),
        *("total_steps=1_000", "evaluation.every_steps=300", "evaluation.n_tasks=3"),
        *("student.n_epochs=1", "checkpoint.every_steps=150", "student.vec_normalize.gamma=0.99"),
    ],
}
STOPPED_AFTER = {"simulated": 310, "PPO": 700}


class StoppedError(BaseException):
    """Ends a run like a killed process, except that training ends cleanly."""


@dataclass(frozen=True)
class Case:
    """An unfinished run, and the runs to compare it with.

    Attributes:
        command: The arguments of `chiron-train` that resume it.
        stopped: The folder in which the command was stopped.
        finished: The same run without a stop.
        others: Runs with another seed, finished and stopped.
    """

    command: list[str]
    stopped: Path
    finished: RunDirectory
    others: tuple[RunDirectory, RunDirectory]

    def foreign(self, name: str) -> Path:
        """The same file of another run, preferably of a finished one."""
        pattern = "events.out.tfevents.*" if "tfevents" in name else name
        return next(path for other in self.others for path in sorted(other.path.glob(pattern)))


@pytest.fixture(scope="module", params=["simulated", pytest.param("PPO", marks=pytest.mark.slow)])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp(request.param)

    def train(name: str, *arguments: str, stop: bool) -> RunDirectory:
        def on_step(display: ProgressDisplay, run: Run) -> None:
            if stop and run.steps >= STOPPED_AFTER[request.param]:
                raise StoppedError

        (folder / name).mkdir()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ProgressDisplay, "on_step", on_step)
            patch.setattr(Figure, "draw", lambda self, renderer: None)
            if stop:
                with pytest.raises(StoppedError):
                    run_here(folder / name, "chiron-train", *RUNS[request.param], *arguments)
            else:
                assert (
                    run_here(folder / name, "chiron-train", *RUNS[request.param], *arguments).returncode == 0
                )
        return only_run(folder / name)

    others = train("other", "seed=1", stop=False), train("other_stopped", "seed=1", stop=True)
    stopped = train("stopped", stop=True)
    assert len(list(stopped.checkpoints.glob("*.npz"))) == 2
    return Case(RUNS[request.param], folder / "stopped", train("finished", stop=False), others)


def content(folder: Path) -> dict[str, bytes]:
    """Content of every file in a folder, except the lock, which names its holder."""
    return {name: (folder / name).read_bytes() for name in files_of(folder) if "run.lock" not in name}


@pytest.mark.medium
@pytest.mark.parametrize("every_file", [False, pytest.param(True, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", DAMAGES)
def test_goes_on_exactly_or_names_the_file(
    kind: str, every_file: bool, case: Case, tmp_path: Path, blank_figures: None
) -> None:
    wrong = {}
    files = sorted(files_of(only_run(case.stopped).path))
    # One kind of damage for each file, or all kinds for every file.
    for name in files if every_file else files[list(DAMAGES).index(kind) :: len(DAMAGES)]:
        place = tmp_path / name.replace("/", "_")
        shutil.copytree(case.stopped, place / "stopped")
        run = only_run(place / "stopped")
        elsewhere = place / "other" / Path(name).name
        elsewhere.parent.mkdir()
        shutil.copyfile(case.foreign(name), elsewhere)
        damage(kind, run.path / name, elsewhere)
        fault = fault_of(case, run, name, place)
        if fault:
            wrong[name] = fault
    assert not wrong


def fault_of(case: Case, run: RunDirectory, name: str, place: Path) -> str:
    """What goes wrong when the command resumes a damaged run; empty if nothing does."""
    before, others = content(run.path), content(place / "other")
    try:
        ended = run_here(place / "stopped", "chiron-train", *case.command)
    except BaseException as error:
        return f"traceback: {type(error).__name__}: {error}"
    if content(place / "other") != others:
        return "wrote outside of the run"
    if ended.returncode == 0:
        return ", ".join(differences(run, case.finished))
    if ended.returncode != BAD_INPUT or "Traceback" in ended.stderr:
        return f"exit {ended.returncode}: {ended.stderr}"
    if Path(name).name not in ended.stderr and "run of another configuration" not in ended.stderr:
        return f"the file is not named: {ended.stderr}"
    changed = {
        file for file in before.keys() | content(run.path) if before.get(file) != content(run.path).get(file)
    }
    return f"changed {changed}" if changed - {"summary.json", "run.log"} else ""
