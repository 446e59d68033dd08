"""The listening page of a run: an HTML file with its media beside it, which needs no network."""

import base64
import hashlib
import itertools
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
from results.report.takes import VOICE, SpokenTake, line_sets, trial_section
from results.run.ledger import History, read_ledger
from results.run.run_folder import RunFolder
from results.run.vote import tally_votes
from spaces.cli import OnProgress, no_progress
from spaces.errors import InputError
from spaces.records.trial import BASE
from trainable.files.atomic import write_text
from trainable.probe.criteria.explain import CriterionRow
from trainable.probe.criteria.judge_fingerprint import JudgeFingerprint

FEATURED = 3
"""Trials that are compared with the base model before the confirmation."""


def page_path(run: RunFolder) -> Path:
    """Path of the page."""
    return run.path / "report" / "index.html"


def write_report(run: RunFolder, on_progress: OnProgress = no_progress) -> Path:
    """Writes the page of a run in its current state, and returns the page's path. Recordings are linked beside it.

    Raises InputError when there is no ledger, or when the page cannot be written.
    """
    history = read_ledger(run.ledger)
    path = page_path(run)
    try:
        write_text(path, _page(run, history, PageMedia(run, path.parent), on_progress))
    except OSError as error:
        raise InputError(f"{path.parent}: cannot be written ({error.strerror}); check disk and permissions") from None
    return path


def featured_trials(history: History) -> list[str]:
    """The trials to compare with the base model: the finalists, best first; before the confirmation, the candidates."""
    order = [outcome.trial for outcome in ranked(history)]
    confirmed = [trial for trial in history.confirmations if trial != BASE]
    if not confirmed:
        return [outcome.trial for outcome in finalists(history, FEATURED)]
    return sorted(confirmed, key=lambda trial: order.index(trial) if trial in order else len(order))


def _page(run: RunFolder, history: History, media: PageMedia, on_progress: OnProgress) -> str:
    import jinja2
    from markupsafe import Markup

    table, chosen = trial_rows(run, history), featured_trials(history)
    base = history.base.verdict if history.base else None
    own = find_recordings(history, [line.text for line in base.lines] if base else [])
    address = media.voice_recording(own.reference, "reference")
    done = itertools.count()
    sets = line_sets(
        history,
        chosen,
        own.clips,
        media,
        lambda: on_progress("linking recordings", next(done), 0),
    )
    folder = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    judge = JudgeFingerprint.read(run.base)
    criteria = judge.criteria if judge else ()
    script = (folder / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("page.html").render(
        history=history,
        table=table,
        featured=chosen,
        base_losses=history.base.base_losses if history.base else None,
        best=next((row for row in table if row.place), None),
        tallies=tally_votes(history.votes.values()),
        reference=SpokenTake("reference", own.text, address, media.picture(address)) if address else None,
        problems=[*history.problems, *([own.problem] if own.problem else [])],
        sets=sets,
        sections=[trial_section(row, history, media) for row in table],
        curves=[(each, Markup(loss_chart(each, run, table, history))) for each in _objectives(table)],
        likelihoods=[
            (each, Markup(chart))
            for each in _objectives(table)
            if (chart := acceptance_chart(each, history)) is not None
        ],
        influences=[(name, sentence, Markup(chart)) for name, sentence, chart in _influences(table, history)],
        blind=blind_round(history, chosen, media),
        criteria=criteria,
        why=lambda flag, take: _why(flag, take, criteria),
        names={VOICE: "the speaker", BASE: "base model", **{row.trial: _name(row) for row in table if row.draw}},
        model=base_name(history.search.model) if history.search else "",
        style=Markup((folder / "page.css").read_text(encoding="utf-8")),
        script=Markup(script),
        digest=digest,
    )


def _why(flag: str, take: SpokenTake, criteria: Sequence[CriterionRow]) -> str:
    """The measures behind a flag, with the values that are healthy; empty where they are not known."""
    measured = [(row, take.measures.get(row.measure)) for row in criteria if row.flag == flag]
    return "; ".join(
        f"{row.measure} {value:.3g}, healthy: {row.healthy}"
        for row, value in measured
        if value is not None and row.healthy is not None and value not in row.healthy
    )


def _name(row: TrialRow) -> str:
    """The title of a trial above its recordings."""
    strength = f" at {row.strength:g}×" if row.strength != 1 else ""
    return f"{row.trial}{strength}{', rejected' if row.accepted is False else ''}"


def _objectives(table: Sequence[TrialRow]) -> list[str]:
    return list(dict.fromkeys(row.objective for row in table if row.objective))


def _influences(table: Sequence[TrialRow], history: History) -> list[tuple[str, str, str]]:
    """Parameter, sentence on its influence, and chart; the strongest first."""
    sentences = {each.parameter: str(each) for each in influences(history.outcomes.values())}
    order = list(sentences)
    found = varied_parameters(table)
    found.sort(key=lambda each: order.index(each[0]) if each[0] in sentences else len(order))
    return [(name, sentences.get(name, ""), influence_chart(name, table, is_log)) for name, is_log in found]
