"""An untrusted results folder: links that lead out of it, endless files, names with side effects."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from chiron.runs.checked_files import DamagedFileError
from chiron.runs.printable import printable
from chiron.runs.run_directory import RunDirectory
from chiron.runs.whole_files import replacing
from chiron.scripts.refusal import BAD_INPUT, LEFT_OUT

from tests.analysis.studies import write_run
from tests.commands import run_here
from tests.scripts.test_strangers import COMMANDS, give, run, sign, with_member

__all__ = ["run"]

SECRET = "what a file of the user's holds"


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A private folder of the user."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "secret").write_text(SECRET)
    (folder / "events.out.tfevents.1.mine").write_text(SECRET)
    return folder


def is_untouched(outside: Path) -> bool:
    return {file.name: file.read_text() for file in outside.iterdir()} == {
        "secret": SECRET,
        "events.out.tfevents.1.mine": SECRET,
    }


@pytest.fixture
def study(tmp_path: Path, blank_figures: None) -> Path:
    for seed in range(2):
        write_run(tmp_path / "study", "random", seed, simulated=True)
    return tmp_path / "study"


class TestLinks:
    @pytest.mark.parametrize("link", ["", "tensorboard", "table.csv", "report.html", "learning_curves.png"])
    def test_a_comparison_is_not_written_through_one(self, study: Path, outside: Path, link: str) -> None:
        (study / "comparison").mkdir()
        place = study / "comparison" / link
        if link:
            place.symlink_to(outside if "." not in link else outside / "secret")
        else:
            place.rmdir()
            place.symlink_to(outside)
        finished = run_here(study.parent, "chiron-compare", "study")
        assert finished.returncode == BAD_INPUT
        assert f"{place.relative_to(study.parent)} is a link to {outside}" in finished.stderr
        assert is_untouched(outside)

    def test_a_folder_that_the_user_names_may_be_one(self, study: Path, outside: Path) -> None:
        (study.parent / "named").symlink_to(study)
        (study.parent / "answers").symlink_to(outside)
        assert run_here(study.parent, "chiron-compare", "named", "--out", "answers").returncode == 0
        assert (outside / "report.html").exists()

    @pytest.mark.parametrize("name", ["curriculum.png", "versions.json", "evaluations.csv", "config.yaml"])
    def test_nothing_is_read_through_one(self, study: Path, outside: Path, name: str) -> None:
        place = study / "random" / "seed0" / name
        place.unlink(missing_ok=True)
        place.symlink_to(outside / "secret")
        finished = run_here(study.parent, "chiron-compare", "study", "--out", "out")
        assert finished.returncode in (0, LEFT_OUT)
        assert name in finished.stdout or name == "curriculum.png"
        for file in (study.parent / "out").rglob("*"):
            assert not file.is_file() or SECRET.encode() not in file.read_bytes()

    @pytest.mark.medium
    def test_an_evaluation_is_not_written_through_one(self, run: RunDirectory, outside: Path) -> None:
        run.reevaluations.symlink_to(outside)
        finished = give(run, "evaluate")
        assert finished.returncode == BAD_INPUT
        assert "is a link to" in finished.stderr
        assert is_untouched(outside)

    def test_a_file_is_not_written_through_one_beside_it(self, tmp_path: Path, outside: Path) -> None:
        (tmp_path / ".part-summary.json").symlink_to(outside / "secret")
        with replacing(tmp_path / "summary.json") as beside:
            beside.write_text("mine")
        assert (tmp_path / "summary.json").read_text() == "mine"
        assert is_untouched(outside)


def fill(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def exponential(path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    path.write_text("\n".join(lines) + "\n" + path.read_text())


def circular(path: Path) -> None:
    path.write_text("loop: &loop [*loop]\n" + path.read_text())


def declared_rows(path: Path) -> None:
    table = pa.table({"step": pa.array(np.zeros(20_000_000, np.int8))})
    pq.write_table(table, path)
    assert path.stat().st_size < 100_000


def zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\0" * 200_000_000)


def bomb_of_tensors(path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\0" * 200_000_000)
    with_member(path, "policy.pth", inner.getvalue())


def huge_array(path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**11,)})
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("observation/mean.npy", header.getvalue())


def sparse(path: Path) -> None:
    with path.open("r+b") as file:
        file.truncate(1 << 40)


ENDLESS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "exponential YAML": ("config.yaml", exponential),
    "circular YAML": ("config.yaml", circular),
    "deep YAML": ("config.yaml", lambda path: fill(path, b"[" * 100_000)),
    "deep JSON": ("summary.json", lambda path: fill(path, b"[" * 900_000)),
    "many digits": (
        "summary.json",
        lambda path: fill(path, b'{"seed": 1' + b"0" * 900_000 + b"}"),
    ),
    "gigantic JSON": ("summary.json", sparse),
    "gigantic YAML": ("config.yaml", sparse),
    "gigantic CSV": ("evaluations.csv", sparse),
    "a model without end": ("model.zip", sparse),
    "a zip bomb": ("model.zip", zip_bomb),
    "a bomb of tensors": ("model.zip", bomb_of_tensors),
    "an array of 10^11 numbers": ("normalization.npz", huge_array),
    "a Parquet file that declares many rows": ("episodes/part-00000.parquet", declared_rows),
}


@pytest.mark.medium
@pytest.mark.parametrize("what", ENDLESS)
def test_what_has_no_end_ends_in_a_sentence(what: str, run: RunDirectory) -> None:
    name, make = ENDLESS[what]
    make(run.path / name)
    unsigned(run)
    said = ""
    for command in COMMANDS:
        finished = give(run, command)
        assert finished.returncode in (0, BAD_INPUT, LEFT_OUT), (command, finished)
        assert "Traceback" not in finished.stderr + finished.stdout
        said += finished.stderr
    assert name in said


def unsigned(run: RunDirectory) -> None:
    """Remove the checksums from the summary, so that the contents of the files are checked."""
    try:
        summary = json.loads(run.summary.read_text()) if run.summary.stat().st_size < 1 << 20 else {}
    except (ValueError, RecursionError):
        return
    if summary:
        summary.pop("files", None)
        run.summary.write_text(json.dumps(summary))


@pytest.mark.medium
@pytest.mark.parametrize("name", ["config.yaml", "summary.json", "model.zip", "normalization.npz"])
def test_a_pipe_is_not_waited_for(name: str, run: RunDirectory) -> None:
    unsigned(run)
    (run.path / name).unlink()
    os.mkfifo(run.path / name)
    said = ""
    for command in COMMANDS:
        finished = give(run, command)
        assert "Traceback" not in finished.stderr + finished.stdout
        said += finished.stderr
    assert f"{name} is not a regular file" in said


@pytest.mark.parametrize("name", ["versions.json", "evaluations.csv", "curriculum.png", "competence.npy"])
def test_a_pipe_among_others_is_left_out(name: str, study: Path) -> None:
    place = study / "random" / "seed1" / name
    place.unlink(missing_ok=True)
    os.mkfifo(place)
    finished = run_here(study.parent, "chiron-compare", "study")
    assert finished.returncode in (0, LEFT_OUT)
    assert "not a regular file" in finished.stdout or name == "curriculum.png"


NAMES = [
    "[/red]",
    "[bold]",
    ":smile:",
    r"$\frac{$",
    "_hidden",
    "..",
    "a/../../b",
    "<script>alert(1)</script>",
    "{{7*7}}",
]


@pytest.mark.medium
@pytest.mark.parametrize("name", NAMES)
def test_names_are_only_shown(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if "$" not in name:  # which matplotlib would parse as a formula when it draws
        request.getfixturevalue("blank_figures")
    for seed in range(2):
        for teacher in ("random", "alp_gmm"):
            run = write_run(tmp_path / "study", teacher, seed, tasks=3)
            summary = run.read_summary()
            assert summary is not None
            if teacher == "alp_gmm":
                run.write_summary({**summary, "teacher": name})
            table = pd.read_csv(run.evaluations).rename(columns={"stump_height": name})
            table.to_csv(run.evaluations, index=False)
            sign(run)
    finished = run_here(tmp_path, "chiron-compare", "study")
    assert finished.returncode == 0, finished
    assert name in finished.stdout
    page = (tmp_path / "study" / "comparison" / "report.html").read_text()
    assert "<script>" not in page
    assert {path.name for path in tmp_path.iterdir()} == {"study"}


@pytest.mark.parametrize(
    "name", ["\x1b]0;owned\x07", "a\nchiron-compare: all is well", "\u202eevil", "\ud800"]
)
def test_a_name_that_acts_on_terminals_is_none(name: str, study: Path) -> None:
    run = write_run(study, "riac", 0, simulated=True)
    summary = run.read_summary()
    assert summary is not None
    run.summary.write_text(json.dumps({**summary, "teacher": name}))
    finished = run_here(study.parent, "chiron-compare", "study")
    assert finished.returncode == LEFT_OUT
    assert name not in finished.stdout
    assert "\x1b" not in finished.stdout
    assert "riac/seed0 is not a run" in finished.stdout


def test_a_message_from_a_file_is_one_line_of_text(study: Path) -> None:
    run = write_run(study, "riac", 0, simulated=True)
    run.config.write_text("\x1b[2J: [")
    (study / "random" / "seed0" / "config.yaml").write_text(yaml.safe_dump({"seed": 0, "x": "\x1b[2J"}))
    finished = run_here(study.parent, "chiron-compare", "study")
    assert finished.returncode == LEFT_OUT
    assert "\x1b" not in finished.stdout + finished.stderr


def test_control_characters_are_spelled_out() -> None:
    assert printable("a\x1b[31m\n\u202eb") == r"a\x1b[31m\n\u202eb"
    assert printable("ä · ±–") == "ä · ±–"
    assert printable("x" * 50, 10) == "xxxxxxxxx…"


def test_one_bad_run_spoils_nothing_for_the_others(tmp_path: Path, blank_figures: None) -> None:
    for seed in range(40):
        write_run(tmp_path / "study", "random", seed, [0, seed], simulated=True)
    for number, name in enumerate(("config.yaml", "summary.json", "evaluations.csv")):
        (tmp_path / "study" / "random" / f"seed{number}" / name).write_bytes(b"\xff\xfe\0")
    finished = run_here(tmp_path, "chiron-compare", "study")
    assert finished.returncode == LEFT_OUT
    table = pd.read_csv(tmp_path / "study" / "comparison" / "table.csv")
    assert table["mastered_mean"].tolist() == [np.mean(range(3, 40))]
    for number, name in enumerate(("config.yaml", "summary.json", "evaluations.csv")):
        assert re.search(rf"seed{number}\b.*{name}", finished.stdout)


def test_a_summary_says_which_file_was_changed(tmp_path: Path) -> None:
    run = write_run(tmp_path, "random", 0)
    sign(run)
    run.require_unchanged(run.config, run.evaluations)
    run.evaluations.write_text(run.evaluations.read_text().replace("400", "401"))
    with pytest.raises(DamagedFileError, match=r"evaluations\.csv is not what this run wrote"):
        run.require_unchanged(run.config, run.evaluations)
    run.record(run.evaluations)
    run.require_unchanged(run.evaluations)
