from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("playwright")

from benchmarks import doc_pictures

HOME = Path(__file__).parent.parent.parent
DOCS = HOME / "docs"
LISTED = {DOCS / name for names in doc_pictures.PICTURES.values() for name in names}
GALLERIES = {DOCS / "gallery" / "images", DOCS / "teachers" / "images"}
"""Written by `env_pages` and `teacher_pages`."""
MADE_OTHERWISE = {"concepts.svg": "by hand", "main_job_profile.png": "make bench"}


def shown() -> dict[Path, str]:
    """Every results file that a page shows or links to, with the text of one such page."""
    found = {}
    for page in (HOME / "README.md", *DOCS.rglob("*.md")):
        text = page.read_text()
        for target in re.findall(r"\]\(([^)#:]+\.(?:png|gif|svg|pdf|csv|tex))\)", text):
            found[(page.parent / target).resolve()] = text
    return found


def test_every_picture_of_the_docs_has_a_command() -> None:
    for path, page in shown().items():
        is_named = re.search(rf"^python -m benchmarks.*\b{re.escape(path.name)}\b", page, re.MULTILINE)
        is_made = path in LISTED or path.parent in GALLERIES or path.name in MADE_OTHERWISE or is_named
        assert is_made, f"{path.relative_to(HOME)}: which command draws it?"


def test_every_picture_that_is_drawn_is_shown() -> None:
    assert shown().keys() >= LISTED
    assert all(path.is_file() for path in LISTED)


def test_the_help_says_how_to_train_every_study() -> None:
    text = doc_pictures.__doc__ or ""
    commands = " ".join(line.strip() for line in text.splitlines() if line.startswith("    "))
    studies = {*re.findall(r"(?:study|experiment)=([\w/]+)", commands), "main"}
    assert "chiron-train " in commands
    beside = [study for of in doc_pictures.REGISTERED.values() for study in of.beside]
    assert studies == {*doc_pictures.PICTURES, *beside}


def test_studies_that_are_not_there_leave_the_docs_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.stat().st_mtime_ns for path in LISTED}
    doc_pictures.main([str(tmp_path)])
    said = capsys.readouterr().out.splitlines()
    assert said == [f"{study} is not there" for study in doc_pictures.PICTURES]
    assert {path: path.stat().st_mtime_ns for path in LISTED} == before
