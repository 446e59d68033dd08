"""`python -m trainable.dataset transcribe`, as a test runs it."""

from __future__ import annotations

from typer.testing import CliRunner

from trainable.dataset.__main__ import app


def command(*arguments: object) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["transcribe", *map(str, arguments)])
    return answer.exit_code, answer.output
