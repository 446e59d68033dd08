"""`python search/run.py` as a test runs it."""

from __future__ import annotations

import typer

from search.run import run

app = typer.Typer()
app.command()(run)
