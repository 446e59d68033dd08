"""Adds the votes of a blind round to a run: `python -m results.votes RUN votes.json`. Possible while the search runs.

The file is what the listening page downloads. Votes that were counted before are told and not counted again. Exit code
2 for a file that is none, or of another search.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from results.analysis.pairs import comparable_verdict, pairs_with_base
from results.run.ledger import History, Ledger, VotesGiven, read_ledger
from results.run.run_folder import RunFolder
from results.run.vote import VOTES_FORMAT, Vote, VotesFile, search_id, tally_votes
from spaces.cli import exit_on_input_error
from spaces.errors import InputError
from spaces.records.trial import BASE

MAX_BYTES = 4_000_000
"""Bytes; a round of all that can be heard is a hundredth of it."""


def add_votes(run: RunFolder, file: Path) -> tuple[Vote, ...]:
    """Writes those votes into the ledger that no file brought before, and returns them.

    Raises InputError when there is no ledger, when the file holds no votes or those of another search, and when one of
    them is for a trial or a line that was never heard beside the base model. Then none of it is counted.
    """
    history = read_ledger(run.ledger)
    given = _read(file)
    if history.search is None or given.search != search_id(history.search):
        raise InputError(f"{file}: these votes are of another search than {run.path}; give the folder that was heard")
    unheard = [vote for vote in given.votes if vote.pair not in pairs_with_base(history, vote.trial)]
    if unheard:
        raise InputError(f"{file}: {_why(unheard[0], history)}; nothing of it was counted")
    added = {vote.pair: vote for vote in reversed(given.votes) if (given.round, vote.pair) not in history.votes}
    if added:
        Ledger(run.ledger).append(VotesGiven(round=given.round, votes=tuple(reversed(added.values()))))
    return tuple(reversed(added.values()))


def _read(file: Path) -> VotesFile:
    what = "expected the file that the listening page downloads after a blind round"
    try:
        size = file.stat().st_size
        content = file.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); {what}") from None
    try:
        given = VotesFile.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise InputError(f"{file}: {f'{place}: ' if place else ''}{problem['msg']}; {what}") from None
    if given.format != VOTES_FORMAT:
        raise InputError(
            f"{file}: format {given.format}, this Sweetspot reads {VOTES_FORMAT}; write the page again with "
            "`python -m results.report RUN` and vote there"
        )
    return given


def _why(vote: Vote, history: History) -> str:
    if vote.trial not in history.outcomes:
        known = ", ".join(trial for trial in history.outcomes if pairs_with_base(history, trial)) or "none"
        return f"trial {vote.trial!r} is unknown; those heard beside the base model: {known}"
    if (
        comparable_verdict(history, vote.trial, vote.confirmation) is None
        or comparable_verdict(history, BASE, vote.confirmation) is None
    ):
        which = "the lines of finalists" if vote.confirmation else "the lines of every trial"
        return f"trial {vote.trial} and the base model were not both heard on {which}"
    return f"{vote.trial} and the base model did not both say {vote.text!r}"


def _told(added: Iterable[Vote], of: int) -> str:
    by_trial = tally_votes(added)
    count = sum(tally.trial + tally.base + tally.neither for tally in by_trial.values())
    known = of - count
    words = [f"{count} vote{'' if count == 1 else 's'} added"]
    if known:
        words.append(f"{known} counted before")
    return "; ".join([", ".join(words), *(f"{trial}: {tally}" for trial, tally in by_trial.items())])


def votes(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a search")],
    file: Annotated[Path, typer.Argument(metavar="VOTES.JSON", help="what the listening page downloaded")],
) -> None:
    """Add the votes of a blind round to a search."""
    with exit_on_input_error():
        folder = RunFolder(run)
        added = add_votes(folder, file)
        typer.echo(_told(added, len(_read(file).votes)))
        from results.report.page import page_path, write_report

        if added and page_path(folder).is_file():
            typer.echo(f"shown in {write_report(folder)}")


if __name__ == "__main__":
    typer.run(votes)
