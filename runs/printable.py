"""Makes names and messages from files safe to print."""

from __future__ import annotations


def printable(text: object, longest: int | None = None) -> str:
    """A text on one line with control characters escaped, so that it cannot affect a terminal.

    Args:
        text: The text to show.
        longest: Number of characters after which it is cut off; None for no limit.
    """
    whole = str(text)
    shown = whole if longest is None or len(whole) <= longest else f"{whole[: longest - 1]}…"
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in shown
    )


def printable_lines(text: object) -> str:
    """Like `printable`, but for a text of several lines."""
    return "\n".join(map(printable, str(text).split("\n")))
