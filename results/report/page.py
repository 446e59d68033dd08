"""The listening page of a run as one folder that needs nothing beside it, and nothing from the network."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from results.analysis.influence import influences
from results.analysis.ranking import finalists, ranked
from results.analysis.table import TrialRow, trial_rows
from results.export.card import base_name
from results.media.voice_recordings import find_recordings
from results.report.blind import blind_round
from results.report.charts import acceptance_chart, influence_chart, loss_chart, varied_parameters
from results.report.media import PageMedia
from results.report.takes import VOICE, SpokenTake, line_sets, section
from results.run.ledger import History, read_ledger
from results.run.run_folder import RunFolder
from results.run.vote import tally_votes
from spaces.cli import OnProgress, no_progress
from spaces.errors import InputError
from spaces.records.trial import BASE
from trainable.files.atomic import write_text

FEATURED = 3
"""Trials beside the base model while no finalists were heard."""


def page_path(run: RunFolder) -> Path:
    """Where the page is, or will be."""
    return run.path / "report" / "index.html"


def write_report(run: RunFolder, on_progress: OnProgress = no_progress) -> Path:
    """Writes the page of a run as far as it has come, and returns where it is; the recordings lie beside it.

    Raises InputError when there is no ledger, or when the page cannot be written.
    """
    history = read_ledger(run.ledger)
    path = page_path(run)
    try:
        write_text(path, _page(run, history, PageMedia(run, path.parent), on_progress))
    except OSError as error:
        raise InputError(f"{path.parent}: cannot be written ({error.strerror}); free its disk or its rights") from None
    return path


def featured_trials(history: History) -> list[str]:
    """Who stands beside the base model: the finalists, the best first; until they are heard, who would be."""
    order = [outcome.trial for outcome in ranked(history)]
    heard = [trial for trial in history.confirmations if trial != BASE]
    if not heard:
        return [outcome.trial for outcome in finalists(history, FEATURED)]
    return sorted(heard, key=lambda trial: order.index(trial) if trial in order else len(order))


def _page(run: RunFolder, history: History, media: PageMedia, on_progress: OnProgress) -> str:
    import jinja2
    from markupsafe import Markup

    table, chosen = trial_rows(run, history), featured_trials(history)
    base = history.base.verdict if history.base else None
    own = find_recordings(history, [line.text for line in base.lines] if base else [])
    address = media.of_the_voice(own.reference, "reference")
    done = iter(range(1_000_000))
    sets = line_sets(
        history,
        chosen,
        own.clips,
        media,
        lambda trial: on_progress("recordings beside the page", next(done), 0),
    )
    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    script = (folder / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html").render(
        history=history,
        table=table,
        featured=chosen,
        best=next((row for row in table if row.place), None),
        tallies=tally_votes(history.votes.values()),
        reference=SpokenTake("reference", own.text, address, media.picture(address)) if address else None,
        problems=[*history.problems, *([own.problem] if own.problem else [])],
        sets=sets,
        sections=[section(row, history, media) for row in table],
        curves=[(each, Markup(loss_chart(each, run, table, history))) for each in _objectives(table)],
        likelihoods=[
            (each, Markup(drawn))
            for each in _objectives(table)
            if (drawn := acceptance_chart(each, history)) is not None
        ],
        influences=[(name, told, Markup(drawn)) for name, told, drawn in _influences(table, history)],
        blind=blind_round(history, chosen, media),
        names={VOICE: "the voice's own", BASE: "base model", **{row.trial: _name(row) for row in table if row.draw}},
        model=base_name(history.search.model) if history.search else "",
        style=Markup((folder / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        digest=digest,
    )


def _name(row: TrialRow) -> str:
    """What a trial is called above its recordings."""
    strength = f" at {row.strength:g}×" if row.strength != 1 else ""
    return f"{row.trial}{strength}{', rejected' if row.accepted is False else ''}"


def _objectives(table: Sequence[TrialRow]) -> list:
    return list(dict.fromkeys(row.objective for row in table if row.objective))


def _influences(table: Sequence[TrialRow], history: History) -> list[tuple[str, str, str]]:
    """Parameter, what is known of it in words, and the drawing; the strongest first."""
    told = {each.parameter: str(each) for each in influences(history.outcomes.values())}
    order = list(told)
    found = sorted(varied_parameters(table), key=lambda each: order.index(each[0]) if each[0] in told else len(order))
    return [(name, told.get(name, ""), influence_chart(name, table, is_log)) for name, is_log in found]
