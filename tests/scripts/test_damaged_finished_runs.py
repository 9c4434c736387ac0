"""Every file of a run, damaged in every way: each command names the file, or has the same result."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from chiron.runs.run_directory import RunDirectory
from chiron.scripts.refusal import BAD_INPUT, LEFT_OUT
from matplotlib.figure import Figure

from tests.commands import Finished, run_here
from tests.damage import DAMAGES, damage, files_of
from tests.scripts.conftest import SharedRun

TINY = [
    "env=cart_pole", "total_steps=128", "n_envs=2", "n_workers=0", "student.n_steps=64",
    "student.batch_size=64", "evaluation.every_steps=128", "evaluation.n_tasks=2", "pictures=true",
    "checkpoint.keep_last=false",
]  # fmt: skip
PLAYED = {"config.yaml", "summary.json", "model.zip", "normalization.npz"}
DRAWN = {"config.yaml", "summary.json", "evaluations.csv", "snapshots.jsonl", "episodes/part-00000.parquet"}
COMPARED = {
    *("config.yaml", "summary.json", "versions.json", "evaluations.csv"),
    *("curriculum.png", "teacher.png", "evaluations/mine.csv", "episodes/part-00000.parquet"),
}
USED = {"evaluate": PLAYED, "watch": PLAYED, "compare": COMPARED, "picture": DRAWN}
"""The files that each command reads."""
UNUSED = {
    *("run.lock", "vec_normalize.pkl", "events"),
    *("best/model.zip", "best/model.txt", "best/normalization.npz", "best/vec_normalize.pkl", "model.txt"),
}
FILES = sorted(PLAYED | DRAWN | COMPARED | UNUSED)
"""Files of the tiny run; `events` stands for TensorBoard's, whose name differs between runs."""
SOME = [(file, list(DAMAGES)[index % len(DAMAGES)]) for index, file in enumerate(FILES)]


@dataclass
class Study:
    """Two runs with different seeds, in their own folder.

    The first is the one to be damaged; it masters no less than the second, so a report shows its pictures.
    """

    folder: Path

    @property
    def first(self) -> Path:
        return self.folder / "study" / "seed1"

    @property
    def second(self) -> Path:
        return self.folder / "study" / "seed0"

    def run(self, command: str) -> Finished:
        arguments = {
            "evaluate": ["study/seed1", "--on", "mine.csv", "--workers", "0"],
            "watch": ["run=study/seed1", "out=still.png", "seconds=0.1"],
            "compare": ["study"],
            "picture": ["study/seed1"],
        }
        return run_here(self.folder, f"chiron-{command}", *arguments[command])

    def result(self, command: str) -> bytes:
        """Output file of a command that succeeded."""
        places = {
            "evaluate": self.first / "evaluations" / "mine.csv",
            "watch": self.folder / "still.png",
            "compare": self.folder / "study" / "comparison" / "comparison.json",
            "picture": self.first / "teacher.png",
        }
        return places[command].read_bytes()


@pytest.fixture(scope="module", autouse=True)
def blank() -> object:
    """Like `blank_figures`, but for a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "draw", lambda self, renderer: None)
        yield


@pytest.fixture(scope="module")
def whole(shared_run: SharedRun, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Two undamaged runs, evaluated on a test set."""
    study = Study(tmp_path_factory.mktemp("whole"))
    for seed, path in enumerate((study.second, study.first)):
        shutil.copytree(shared_run(f"damaged_seed{seed}", *TINY, f"seed={seed}").path, path)
    mastered = [RunDirectory(run).read_mastery().iloc[-1] for run in (study.second, study.first)]
    assert mastered == sorted(mastered)
    played = RunDirectory(study.first).read_evaluations()
    tasks = played.drop(columns=["step", "task_index", "return", "length", "mastered"]).iloc[:2]
    tasks.to_csv(study.folder / "mine.csv", index=False)
    arguments = ["study", "--on", "mine.csv", "--workers", "0", "--episodes", "2"]
    evaluated = run_here(study.folder, "chiron-evaluate", *arguments)
    assert evaluated.returncode == 0, evaluated.stderr
    return study


@pytest.fixture(scope="module")
def expected(whole: Study, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Output file of each command on undamaged runs."""
    results = {}
    for command in USED:
        study = Study(tmp_path_factory.mktemp("expected") / "copy")
        shutil.copytree(whole.folder, study.folder)
        finished = study.run(command)
        assert finished.returncode == 0, finished.stderr
        results[command] = study.result(command)
    return results


def place_of(file: str, run: Path) -> Path:
    return next(run.glob("events.out.tfevents.*")) if file == "events" else run / file


def check(whole: Study, expected: dict[str, bytes], folder: Path, file: str, kind: str) -> None:
    for command, used in USED.items():
        study, other = Study(folder / command), folder / f"{command}_other"
        shutil.copytree(whole.folder, study.folder)
        shutil.copytree(whole.second, other)
        before = place_of(file, study.first).read_bytes()
        damage(kind, place_of(file, study.first), place_of(file, other))
        # Some files are the same in both runs, such as versions.json.
        is_damaged = kind != "foreign" or place_of(file, study.first).read_bytes() != before
        finished = study.run(command)
        said = finished.stdout + finished.stderr
        assert "Traceback" not in said
        # Without its summary, a run's files cannot be verified; the student can still play.
        is_unknown = (file, kind) == ("summary.json", "removed") and used is PLAYED
        if file in used and is_damaged and not is_unknown:
            assert finished.returncode in (BAD_INPUT, LEFT_OUT), (command, said)
            # If summary and files disagree, either may be wrong.
            assert Path(file).name in said or file == "summary.json", (command, said)
            if command == "compare":
                assert finished.returncode == LEFT_OUT
                table = pd.read_csv(study.folder / "study" / "comparison" / "table.csv")
                # Without its training episodes, a run lacks only its part of the bands.
                is_counted = file not in DRAWN or file.startswith("episodes/")
                assert table["seeds"].tolist() == [2 if is_counted else 1]
        else:
            assert finished.returncode == 0, (command, said)
            assert study.result(command) == expected[command], command


@pytest.mark.medium
def test_no_file_of_a_run_is_forgotten(whole: Study) -> None:
    events = place_of("events", whole.first).name
    assert set(files_of(whole.first)) == {events if file == "events" else file for file in FILES}


@pytest.mark.medium
@pytest.mark.parametrize(
    ("file", "kind"),
    [pytest.param(*one, marks=[pytest.mark.slow] if index % 3 else []) for index, one in enumerate(SOME)],
)
def test_a_damaged_file_is_named(
    whole: Study, expected: dict[str, bytes], tmp_path: Path, file: str, kind: str
) -> None:
    check(whole, expected, tmp_path, file, kind)


@pytest.mark.medium
def test_a_best_student_that_has_changed_is_named(whole: Study, tmp_path: Path) -> None:
    study = Study(tmp_path / "copy")
    shutil.copytree(whole.folder, study.folder)
    shutil.copy(study.second / "best" / "model.zip", study.first / "best" / "model.zip")
    arguments = ["study/seed1", "--best", "--on", "mine.csv", "--workers", "0"]
    finished = run_here(study.folder, "chiron-evaluate", *arguments)
    assert finished.returncode == BAD_INPUT
    assert "best/model.zip is not what this run wrote" in finished.stderr


@pytest.mark.slow
@pytest.mark.parametrize("kind", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_every_file_in_every_way(
    whole: Study, expected: dict[str, bytes], tmp_path: Path, file: str, kind: str
) -> None:
    check(whole, expected, tmp_path, file, kind)
