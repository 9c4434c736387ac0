"""The console commands: they make sure that the rooms they enter are this project's own."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

ROOMS = ("conf", "envs", "evaluation", "scripts", "students", "teachers")


def train() -> None:
    """The `chiron-train` command."""
    _refuse_shadowed_rooms()
    from scripts.train import main

    main()


def check() -> None:
    """The `chiron-check` command."""
    _refuse_shadowed_rooms()
    from scripts.check import main

    main()


def picture() -> None:
    """The `chiron-picture` command."""
    _refuse_shadowed_rooms()
    from scripts.picture import main

    main()


def compare() -> None:
    """The `chiron-compare` command."""
    _refuse_shadowed_rooms()
    from scripts.compare import main

    main()


def evaluate() -> None:
    """The `chiron-evaluate` command."""
    _refuse_shadowed_rooms()
    from scripts.evaluate import main

    main()


def watch() -> None:
    """The `chiron-watch` command."""
    _refuse_shadowed_rooms()
    from scripts.watch import main

    main()


def bench() -> None:
    """The `chiron-bench` command."""
    _refuse_shadowed_rooms()
    from scripts.bench import main

    main()


def _refuse_shadowed_rooms() -> None:
    home = Path(__file__).parent
    for room in ROOMS:
        spec = importlib.util.find_spec(room)
        if spec is None or spec.origin is None:
            sys.exit(f"chiron: the package {room!r} is missing beside {__file__}: install Chiron again")
        if Path(spec.origin).parent.parent != home:
            sys.exit(
                f"chiron: {spec.origin} takes the place of Chiron's own package {room!r} in {home}: "
                "remove it from this environment or from PYTHONPATH"
            )
