"""Adds the votes of a blind round to a run: `python -m results.votes RUN votes.json`, also while the search runs.

The listening page downloads the file. Votes that were counted before are reported and not counted again. Exit code 2
for a file without votes, or with votes of another search.
"""

from collections.abc import Sequence
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
"""Largest file that is read; a round over all recordings of a run takes a hundredth of it."""


def add_votes(run: RunFolder, file: Path) -> tuple[Vote, ...]:
    """Writes the votes that are not in the ledger yet into it, and returns them.

    Raises InputError, and counts none of them, when there is no ledger, when the file holds no votes or those of
    another search, and when a vote is for a line that the trial or the base model has not spoken.
    """
    history = read_ledger(run.ledger)
    given = _read(file)
    if history.search is None or given.search != search_id(history.search):
        raise InputError(f"{file}: these votes are of another search than {run.path}; give the run of the page")
    unknown = [vote for vote in given.votes if vote.pair not in pairs_with_base(history, vote.trial)]
    if unknown:
        raise InputError(f"{file}: {_why_unknown(unknown[0], history)}; no vote of the file was counted")
    added = {vote.pair: vote for vote in reversed(given.votes) if (given.round, vote.pair) not in history.votes}
    if added:
        Ledger(run.ledger).append(VotesGiven(round=given.round, votes=tuple(reversed(added.values()))))
    return tuple(reversed(added.values()))


def _read(file: Path) -> VotesFile:
    expected = "expected the file that the listening page downloads after a blind round"
    try:
        size = file.stat().st_size
        content = file.read_bytes() if size <= MAX_BYTES else b""
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror}); {expected}") from None
    try:
        given = VotesFile.model_validate_json(content)
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise InputError(f"{file}: {f'{place}: ' if place else ''}{problem['msg']}; {expected}") from None
    if given.format != VOTES_FORMAT:
        raise InputError(
            f"{file}: format {given.format}, this Sweetspot reads {VOTES_FORMAT}; write the page again with "
            "`python -m results.report RUN` and vote there"
        )
    return given


def _why_unknown(vote: Vote, history: History) -> str:
    if vote.trial not in history.outcomes:
        known = ", ".join(trial for trial in history.outcomes if pairs_with_base(history, trial)) or "none"
        return f"trial {vote.trial!r} is unknown; trials with lines of the base model: {known}"
    if any(comparable_verdict(history, each, vote.confirmation) is None for each in (vote.trial, BASE)):
        which = "the lines of finalists" if vote.confirmation else "the lines of every trial"
        return f"trial {vote.trial} and the base model have not both spoken {which}"
    return f"trial {vote.trial} and the base model have not both spoken {vote.text!r}"


def _summary(added: Sequence[Vote], given: int) -> str:
    known = given - len(added)
    text = f"{len(added)} vote{'' if len(added) == 1 else 's'} added" + (f", {known} counted before" if known else "")
    return "; ".join([text, *(f"{trial}: {tally}" for trial, tally in tally_votes(added).items())])


def votes(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="folder of a search")],
    file: Annotated[Path, typer.Argument(metavar="VOTES.JSON", help="the file that the listening page downloaded")],
) -> None:
    """Add the votes of a blind round to a search."""
    with exit_on_input_error():
        folder = RunFolder(run)
        added = add_votes(folder, file)
        typer.echo(_summary(added, len(_read(file).votes)))
        from results.report.page import page_path, write_report

        if added and page_path(folder).is_file():
            typer.echo(f"shown in {write_report(folder)}")


if __name__ == "__main__":
    typer.run(votes)
