"""Command lines of modules that are run by themselves."""

from __future__ import annotations

import argparse


def parser_of(module: str, docstring: str | None) -> argparse.ArgumentParser:
    """A parser whose help shows the docstring of a module as it stands.

    Args:
        module: Its name in this package.
        docstring: What it does, with the commands that one may copy.
    """
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.{module}",
        description=docstring,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
