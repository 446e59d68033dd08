"""Values from users' files, formatted for messages."""

from collections.abc import Sequence

MAX_EXCERPT = 80
MAX_ITEMS = 3
"""Items that a message names of a longer list."""


def printable(text: object) -> str:
    """The text on one line, with characters that do not print escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in str(text))


def excerpt(text: object) -> str:
    """The printable text, cut at 80 characters."""
    whole = str(text)
    return printable(whole if len(whole) <= MAX_EXCERPT else whole[:MAX_EXCERPT] + "…")


def quote(text: str, most: int = 50) -> str:
    """The printable text in quotation marks, `most` characters at most."""
    text = printable(text)
    return f"“{text}”" if len(text) <= most else f"“{text[: most - 1].rstrip()}…”"


def first_few(items: Sequence[str]) -> str:
    """The first three items, and how many more there are."""
    more = len(items) - MAX_ITEMS
    return ", ".join(items[:MAX_ITEMS]) + (f" and {more} more" if more > 0 else "")


def enumerate_words(words: Sequence[str]) -> str:
    """One or more items as a sentence names them: `a, b and c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
