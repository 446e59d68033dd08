"""Errors that are the user's to mend."""

from __future__ import annotations


class InputError(ValueError):
    """What was given cannot be used. The message says what was expected, what was got and what to do.

    A command prints it without a traceback and exits with code 2.
    """
