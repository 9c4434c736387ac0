"""Faulty command lines: each has to end with a one-sentence error, and write nothing if it is refused."""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.context import ForkContext, ForkProcess
from pathlib import Path
from typing import Any

import numpy as np
from hydra.core.plugins import Plugins
from rich.console import Console
from rich.table import Table

from .fuzz_lines import COMMANDS, ONE_RUN, RUN, CommandLine, command_lines

OUTCOMES = {
    "done": "nothing was wrong after all",
    "training": "trains, and would for long",
    "refused": "exit code 2, a sentence",
    "failed": "exit code 1, a sentence, below the traceback of an env's code where that raised an error",
    "traceback": "ends in a traceback",
    "hang": "does nothing that ends",
    "crash": "killed by a signal",
}
FAULTS = {
    "wrote files": "refused, but files were written",
    "key not named": "the one wrong key is not in the sentence",
    "many lines": "refused in more than one sentence",
}
_RUN_ARGUMENTS = (
    *("env=cart_pole", "teacher=random", "total_steps=64", "n_envs=2", "n_workers=0", "evaluation.n_tasks=2"),
    *("student.n_steps=16", "student.batch_size=16", "student.n_epochs=1"),
)
_SLOW_TO_IMPORT = (
    *("chiron.runs.make_run", "chiron.runs.run_pictures", "chiron.runs.evaluate_run", "chiron.runs.plots"),
    *("chiron.analysis.compare_folders", "chiron.analysis.track_sheet", "chiron.students.fast.fast_ppo"),
    *("chiron.envs.walkers.engine.vector_env", "pyarrow.dataset", "sb3_contrib", "sympy"),
)
_MEMORY = 12 * 1024**3
"""Limit on a command's address space, so that asking for too much memory only fails the command."""


@dataclass(frozen=True)
class Ending:
    """How a command ended.

    Attributes:
        outcome: One of `OUTCOMES`.
        faults: Those of `FAULTS` that it has.
        said: What it printed to stderr.
    """

    outcome: str
    faults: tuple[str, ...]
    said: str


@dataclass
class FuzzCount:
    """Outcomes of many command lines.

    Attributes:
        outcomes: By command, the number of lines with each outcome or fault.
        bad: The lines that should have ended differently, with their output.
    """

    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: {name: Counter() for name in COMMANDS})
    bad: list[dict[str, Any]] = field(default_factory=list)

    def add(self, line: CommandLine, ending: Ending) -> None:
        """Count a line."""
        self.outcomes[line.command].update((ending.outcome, *ending.faults))
        single_fault_found_late = ending.outcome == "failed" and line.command == "train" and line.key
        if ending.outcome in ("traceback", "hang", "crash") or ending.faults or single_fault_found_late:
            said = ending.said if len(ending.said) < 3000 else f"{ending.said[:1000]} … {ending.said[-2000:]}"
            self.bad.append({"line": str(line), "key": line.key, **asdict(ending), "said": said})


def benchmark(console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Run many command lines, print their outcomes, and return the counts and the lines that ended badly.

    Args:
        console: Where to print.
        options: `lines`, their number.
    """
    lines = command_lines(options.lines, np.random.default_rng(0))
    count = FuzzCount()
    with tempfile.TemporaryDirectory() as folder:
        commands = Commands(Path(folder))
        for number, line in enumerate(lines, 1):
            count.add(line, commands.run(line))
            if number % 100 == 0:
                console.print(f"{number:,} of {len(lines):,} lines, {len(count.bad)} badly ended")
    console.print(_table(count))
    for bad in count.bad:
        console.print(f"{bad['outcome']} {bad['faults']}: {bad['line']}", markup=False, highlight=False)
    return {"outcomes": {name: dict(counts) for name, counts in count.outcomes.items()}, "bad": count.bad}


class Commands:
    """Runs command lines in forked processes that have imported everything, each in an empty folder.

    Args:
        folder: An empty folder.
        patience: Seconds after which a command that has not begun to train counts as hanging.
    """

    def __init__(self, folder: Path, patience: float = 60.0) -> None:
        self._folder = folder
        self._patience = patience
        self._context: ForkContext = multiprocessing.get_context("fork")
        for module in (*(f"chiron.scripts.{command}" for command in COMMANDS), *_SLOW_TO_IMPORT):
            importlib.import_module(module)
        # Hydra looks for its plugins once per process.
        Plugins.instance()
        self._run: Path | None = None

    def run(self, line: CommandLine) -> Ending:
        """Run a line and return how it ended."""
        place = Path(tempfile.mkdtemp(dir=self._folder))
        work = place / "work"
        work.mkdir()
        if any(argument.removeprefix("run=").startswith(RUN) for argument in line.arguments):
            shutil.copytree(self._finished_run(), work / RUN, symlinks=True)
        before = _listing(work)
        process = self._start(line, work)
        process.join(15.0)
        if process.is_alive() and not _trains(work):
            process.join(self._patience)
        timed_out = process.is_alive()
        if timed_out and process.pid is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.join()
        out, said = ((place / name).read_text(errors="replace") for name in ("out", "err"))
        ending = _judge(line, process.exitcode or 0, timed_out and _trains(work), out, said)
        if ending.outcome == "refused" and _listing(work) != before:
            ending = Ending(ending.outcome, (*ending.faults, "wrote files"), ending.said)
        shutil.rmtree(place)
        return ending

    def _start(self, line: CommandLine, work: Path) -> ForkProcess:
        process = self._context.Process(target=_obey, args=(line, work, self._folder))
        process.start()
        return process

    def _finished_run(self) -> Path:
        if self._run is None:
            work = self._folder / "run" / "work"
            work.mkdir(parents=True)
            self._start(CommandLine("train", _RUN_ARGUMENTS), work).join()
            self._run = work / RUN
            (summary,) = self._run.rglob("summary.json")
            summary.parent.rename(work / ONE_RUN)
        return self._run


def _obey(line: CommandLine, work: Path, shared: Path) -> None:
    """Run the command in this process."""
    os.setsid()
    os.chdir(work)
    home = work.parent / "home"
    home.mkdir()
    os.environ.update(HOME=str(home), MPLCONFIGDIR=str(shared / "matplotlib"), COLUMNS="200")
    os.environ.pop("HYDRA_FULL_ERROR", None)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(work.parent / name, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = [f"chiron-{line.command}", *line.arguments]
    importlib.import_module(f"chiron.scripts.{line.command}").main()


def _judge(line: CommandLine, code: int, trains: bool, out: str, said: str) -> Ending:
    faults: list[str] = []
    shows_one = "Traceback (most recent call last)" in out + said
    # Errors of an env are shown with their traceback, followed by a sentence.
    if shows_one and not (said.splitlines() or [""])[-1].startswith(f"chiron-{line.command}: "):
        outcome = "traceback"
    elif trains:
        outcome = "training"
    elif code == -signal.SIGKILL:
        outcome = "hang"
    elif code < 0:
        outcome = "crash"
    else:
        outcome = {0: "done", 2: "refused"}.get(code, "failed")
    if outcome == "refused":
        if len(sentences_in(said)) > 1:
            faults.append("many lines")
        if line.key and not names(said, line.key):
            faults.append("key not named")
    return Ending(outcome, tuple(faults), said)


def sentences_in(said: str) -> list[str]:
    """The lines of a command's stderr, without the usage and warnings of libraries."""
    lines = [line for line in said.splitlines() if not line.startswith(("usage:", " "))]
    return [line for line in lines if "Warning: " not in line]


def names(sentence: str, key: str) -> bool:
    """Whether a sentence names a key: in full, or its group with one of its last two parts."""
    group, *parts = key.split(".")
    if not parts:
        return re.search(rf"(?<![\w.]){re.escape(key)}(?![\w.])", sentence) is not None

    def has(word: str) -> bool:
        return re.search(rf"\b{re.escape(word)}\b", sentence) is not None

    return key in sentence or (has(group) and any(map(has, parts[-2:])))


def _listing(folder: Path) -> Mapping[str, tuple[int, int]]:
    """Everything in a folder, with size and modification time."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns)
        for path in folder.rglob("*")
    }


def _trains(folder: Path) -> bool:
    """Whether a run has begun in a folder."""
    return any(json.loads(path.read_text())["status"] == "running" for path in folder.rglob("summary.json"))


def _table(count: FuzzCount) -> Table:
    table = Table(title="Command lines with something wrong in them")
    table.add_column("")
    columns: Sequence[str] = ("lines", *OUTCOMES, *FAULTS)
    for column in columns:
        table.add_column(column, justify="right")
    totals = sum(count.outcomes.values(), Counter[str]())
    for name, counts in {**count.outcomes, "all": totals}.items():
        lines = sum(counts[outcome] for outcome in OUTCOMES)
        table.add_row(name, f"{lines:,}", *(f"{counts[column]:,}" for column in columns[1:]))
    return table
