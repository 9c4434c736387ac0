"""Names and messages that come from files, as nothing but text to look at."""

from __future__ import annotations


def printable(text: object, longest: int | None = None) -> str:
    """A text on one line in which nothing acts on a terminal: control characters are spelled out.

    Args:
        text: What is to be shown.
        longest: Characters after which it is cut off; None for all of it.
    """
    whole = str(text)
    shown = whole if longest is None or len(whole) <= longest else f"{whole[: longest - 1]}…"
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in shown
    )


def printable_lines(text: object) -> str:
    """As `printable`, but for a text of several lines."""
    return "\n".join(map(printable, str(text).split("\n")))
