"""Entry point of `python -m trainable.probe`."""

import typer

from trainable.probe.recordings.command import probe

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command()(probe)

if __name__ == "__main__":
    app()
