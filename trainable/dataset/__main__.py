"""Checks, transcribes and cuts recordings: `python -m trainable.dataset check | transcribe | split`."""

import typer

from trainable.dataset.checks.command import check
from trainable.dataset.transcribe.command import split, transcribe

app = typer.Typer(
    help="Make a voice dataset from recordings, and find what is wrong with one.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(check)
app.command()(transcribe)
app.command()(split)

if __name__ == "__main__":
    app()
