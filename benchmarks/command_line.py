"""Command lines of the modules that are run on their own."""

from __future__ import annotations

import argparse


def parser_of(module: str, docstring: str | None) -> argparse.ArgumentParser:
    """A parser whose help shows the docstring of a module verbatim.

    Args:
        module: Name of the module in this package.
        docstring: Docstring of the module, with its example commands.
    """
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.{module}",
        description=docstring,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
