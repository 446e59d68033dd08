"""Prints the table of criteria: what raises which flag, and what to do about it."""

import typer

from trainable.probe.criteria.criteria_table import Flag
from trainable.probe.criteria.criterion import VoiceMeasures
from trainable.probe.criteria.explain import criteria_rows


def print_criteria(as_json: bool) -> None:
    """Prints the criteria for a voice of which nothing is known; as JSON, one criterion a line."""
    rows = criteria_rows(VoiceMeasures())
    if as_json:
        for row in rows:
            typer.echo(row.model_dump_json())
        return
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table("flag", "measure", "healthy", "set by", "what it is", box=None, pad_edge=False)
    for row in rows:
        healthy = str(row.healthy or ("the voice" if row.flag else "—"))
        table.add_row(row.flag or "—", row.measure, healthy, row.origin, row.about)
    console.print(table)
    console.print()
    advice = Table("flag", "fails the line", "advice", box=None, pad_edge=False)
    for flag in Flag:
        advice.add_row(flag, "yes" if flag.rejects else "no", flag.advice)
    console.print(advice)
