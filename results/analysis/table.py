"""What a table says of a search: row zero for the base model, then every trial."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, computed_field

from results.analysis.grading import GradedValue, grade_values
from results.analysis.ranking import BaseComparison, compare_with_base, is_accepted, last_verdict, ranked
from results.run.ledger import History
from results.run.run_folder import RunFolder
from results.run.vote import VoteTally, tally_votes
from spaces.band import Band
from spaces.draw import Draw, Objective
from spaces.grades import Grades
from spaces.records.interval import ConfidenceInterval
from spaces.records.trial import Losses, Outcome, Point
from spaces.records.verdict import Flag
from trainable.files.trial_folder import TrialFolder


class TrialRow(BaseModel):
    """One trial, or the base model."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    trial: str
    place: int | None
    """0 for the base, then 1 for the best accepted trial and so on; None without a place in the ranking."""
    draw: Draw | None
    state: str
    """The ending in a word; `running`, or `unfinished` in a search that has ended; `base` for the base model."""
    reason: str
    """Why it ended, or what it is doing, in a sentence."""
    epochs: float | None
    """Run until training stopped."""
    losses: Losses | None
    """At the probed checkpoint, otherwise where training stopped; a running trial's latest."""
    validation: Losses | None
    """Of the held-out clips, there too; of a running trial, its latest. None where nothing is held out."""
    accepted: bool | None
    """None when it was not probed."""
    reasons: tuple[str, ...]
    """Why it was rejected."""
    flags: dict[Flag, int]
    unknown: tuple[Flag, ...]
    score: float | None
    """On the lines that every trial speaks."""
    confirmed: float | None
    """Score on the sixty lines of the finalists; None of anybody else."""
    strength: float
    """Of the LoRA, where it was confirmed below 1."""
    failed_lines: int
    """Of the lines with the last word: the confirmation's, otherwise the trial's."""
    judged_lines: int
    failure_rate: ConfidenceInterval | None
    """Within which the share of lines that fail lies, at 95 %; None where nothing was spoken."""
    notes: tuple[str, ...]
    grades: dict[str, GradedValue]
    """By measure, where the space has a scale for it."""
    vs_base: BaseComparison | None
    votes: VoteTally | None
    """Of people who heard it beside the base model without knowing which was which; None where nobody voted."""
    seconds: float
    """Training and all listening, wall-clock; neighbours on the same GPU do not make it any less."""
    gpu_seconds: float
    """The same, neighbours sharing it; 0 where nobody measured it."""

    @computed_field
    @property
    def objective(self) -> Objective | None:
        return self.draw.objective if self.draw else None

    @computed_field
    @property
    def loss(self) -> float | None:
        """The one that was descended."""
        return self.losses.of(self.draw.objective) if self.losses and self.draw else None

    @computed_field
    @property
    def validation_loss(self) -> float | None:
        """The same of the held-out clips."""
        return self.validation.of(self.draw.objective) if self.validation and self.draw else None


def trial_rows(run: RunFolder, history: History) -> list[TrialRow]:
    """The base, the accepted trials by rank, the other ended ones and then the running ones as they were drawn."""
    order = ranked(history)
    rest = [outcome for outcome in history.outcomes.values() if not is_accepted(outcome, history)]
    table = [_ended_row(history.base, 0, history)] if history.base else []
    table += [_ended_row(outcome, place, history) for place, outcome in enumerate(order, start=1)]
    table += [_ended_row(outcome, None, history) for outcome in rest]
    return table + [_running_row(run, trial, history) for trial in history.running]


def _ended_row(outcome: Outcome, place: int | None, history: History) -> TrialRow:
    verdict, last = outcome.verdict, last_verdict(outcome, history)
    final, counts = history.confirmations.get(outcome.trial), outcome.judged_point
    return TrialRow(
        trial=outcome.trial,
        place=place,
        draw=outcome.draw,
        state=outcome.ending.value if outcome.ending else "base",
        reason=outcome.reason,
        epochs=outcome.point.epoch if outcome.point else None,
        losses=counts.losses if counts else None,
        validation=counts.validation if counts else None,
        accepted=is_accepted(outcome, history) if verdict else None,
        reasons=last.reasons if last else (),
        flags=last.flags if last else {},
        unknown=last.unknown if last else (),
        score=verdict.score if verdict else None,
        confirmed=final.confirmed.score if final and final.confirmed else None,
        strength=last.strength if last else 1.0,
        failed_lines=last.failed_lines if last else 0,
        judged_lines=last.judged_lines if last else 0,
        failure_rate=last.failure_rate if last else None,
        notes=last.notes if last else (),
        grades=grade_values(_grades(history), outcome.draw.objective if outcome.draw else None, counts, last),
        vs_base=compare_with_base(outcome, history),
        votes=tally_votes(history.votes.values()).get(outcome.trial),
        seconds=outcome.train_seconds + outcome.probe_seconds + (final.seconds if final else 0.0),
        gpu_seconds=outcome.gpu_seconds + (final.seconds if final else 0.0),
    )


def _grades(history: History) -> Grades:
    return Grades.model_validate(history.search.space.get("grades", {}) if history.search else {})


def _running_row(run: RunFolder, trial: str, history: History) -> TrialRow:
    draw = history.drawn[trial]
    points = TrialFolder(run.trial(trial)).read_points()
    latest = points[-1] if points else None
    return TrialRow(
        trial=trial,
        place=None,
        draw=draw,
        state="running" if history.ended is None else "unfinished",
        reason=_progress_sentence(latest, draw, history.band_of(trial)),
        epochs=latest.epoch if latest else None,
        losses=latest.losses if latest else None,
        validation=next((point.validation for point in reversed(points) if point.validation), None),
        accepted=None,
        reasons=(),
        flags={},
        unknown=(),
        score=None,
        confirmed=None,
        strength=1.0,
        failed_lines=0,
        judged_lines=0,
        failure_rate=None,
        notes=(),
        grades={},
        vs_base=None,
        votes=None,
        seconds=latest.seconds if latest else 0.0,
        gpu_seconds=latest.gpu_seconds if latest else 0.0,
    )


def _progress_sentence(latest: Point | None, draw: Draw, band: Band | None) -> str:
    if latest is None:
        return "drawn, no training step yet"
    where = ""
    if band is not None:
        where = ", in the band" if latest.loss in band else f", {band.distance(latest.loss):.2f} from the band"
    return (
        f"step {latest.step}, epoch {latest.epoch:.1f} of {draw.epochs}, {draw.objective} loss {latest.loss:.3f}{where}"
    )
