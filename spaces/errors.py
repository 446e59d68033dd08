"""Errors that the user can fix, and errors on one line."""


class InputError(ValueError):
    """The input cannot be used. The message says what was expected, what was got and what to do.

    A command prints it without a traceback and exits with code 2.
    """


def first_line(error: BaseException) -> str:
    """The class and the message of an error, on one line."""
    lines = [line for line in str(error).splitlines() if line.strip()]
    frames = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    if frames:
        # Ray passes some errors on as the text of their traceback: the error itself stands below the last frame.
        below = lines[frames[-1] + 1 :]
        return next((line for line in below if not line[0].isspace()), lines[-1].strip())
    return f"{type(error).__name__}: {lines[0].strip()}" if lines else f"{type(error).__name__}, without a message"
