"""Checks whether a run can be exported; imports no torch, so that errors appear at once."""

from __future__ import annotations

from pathlib import Path

from .run_directory import RunDirectory


def require_export(directory: RunDirectory, folder: Path) -> None:
    """Reject a run that has not finished, and a folder that is not empty.

    Raises:
        ValueError: Naming the run or folder and what is wrong with it.
    """
    status = (directory.read_summary() or {}).get("status", "not finished")
    if status != "finished":
        raise ValueError(f"run={directory.path} is {status}: a student is exported when its run has finished")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"--out={folder} exists already: give another folder")
