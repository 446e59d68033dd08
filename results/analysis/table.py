"""The rows of a table of trials: row zero for the base model, then every trial."""

from pydantic import computed_field

from results.analysis.grading import GradedValue, grade_values
from results.analysis.ranking import BaseComparison, compare_with_base, is_accepted, last_verdict, ranked
from results.run.ledger import History
from results.run.run_folder import RunFolder
from results.run.vote import VoteTally, tally_votes
from spaces.band import Band
from spaces.draw import Draw
from spaces.families import AnyDraw
from spaces.frozen_model import FrozenModel
from spaces.grades import Grades
from spaces.records.interval import ConfidenceInterval
from spaces.records.losses import Losses
from spaces.records.trial import Outcome, Point
from trainable.files.trial_folder import TrialFolder


class TrialRow(FrozenModel):
    """One trial, or the base model."""

    trial: str
    place: int | None
    """0 for the base model, 1 for the best accepted trial and so on; None for other trials."""
    draw: AnyDraw | None
    state: str
    """The ending; `running`, or `unfinished` once the search has ended; `base` for the base model."""
    reason: str
    """Why the trial ended, or its progress, in one sentence."""
    epochs: float | None
    """Epochs trained."""
    losses: Losses | None
    """At the probed checkpoint, otherwise where training stopped; the latest of a running trial. Of the base model, on
    the clips of an epoch in training mode."""
    validation: Losses | None
    """Losses of the held-out clips at the same point; the latest of a running trial. None without held-out clips."""
    accepted: bool | None = None
    """None for a trial that was not probed."""
    reasons: tuple[str, ...] = ()
    """Why the trial was rejected."""
    flags: dict[str, int] = {}
    unknown: tuple[str, ...] = ()
    score: float | None = None
    """Score on the lines that every trial speaks."""
    confirmed: float | None = None
    """Score on the sixty lines of the confirmation; None without one."""
    strength: float = 1.0
    """Strength of the LoRA at which the trial was confirmed."""
    failed_lines: int = 0
    """Failed lines of the last verdict."""
    judged_lines: int = 0
    failure_rate: ConfidenceInterval | None = None
    """95 % interval of the share of lines that fail; None for a trial that was not probed."""
    notes: tuple[str, ...] = ()
    grades: dict[str, GradedValue] = {}
    """Graded measures, where the space has a scale."""
    vs_base: BaseComparison | None = None
    votes: VoteTally | None = None
    """Votes of blind rounds against the base model; None without votes."""
    seconds: float
    """Wall-clock time of training and probing; seats that share the GPU do not reduce it."""
    gpu_seconds: float
    """GPU time of training and probing, shared between seats; 0 where it was not measured."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def objective(self) -> str | None:
        return self.draw.objective if self.draw else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def loss(self) -> float | None:
        """The loss of the trial's objective."""
        return self.losses[self.draw.objective] if self.losses and self.draw else None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def validation_loss(self) -> float | None:
        """The same loss over the held-out clips."""
        return self.validation[self.draw.objective] if self.validation and self.draw else None


def trial_rows(run: RunFolder, history: History) -> list[TrialRow]:
    """The base model, the accepted trials by rank, the other ended trials, then the running trials."""
    order = ranked(history)
    rest = [outcome for outcome in history.outcomes.values() if not is_accepted(outcome, history)]
    table = [_ended_row(history.base, 0, history)] if history.base else []
    table += [_ended_row(outcome, place, history) for place, outcome in enumerate(order, start=1)]
    table += [_ended_row(outcome, None, history) for outcome in rest]
    return table + [_running_row(run, trial, history) for trial in history.running]


def _ended_row(outcome: Outcome, place: int | None, history: History) -> TrialRow:
    verdict, last = outcome.verdict, last_verdict(outcome, history)
    final, point, base = history.confirmations.get(outcome.trial), outcome.judged_point, outcome.base_losses
    return TrialRow(
        trial=outcome.trial,
        place=place,
        draw=outcome.draw,
        state=outcome.ending.value if outcome.ending else "base",
        reason=outcome.reason,
        epochs=outcome.point.epoch if outcome.point else None,
        losses=point.losses if point else base.training if base else None,
        validation=point.validation if point else base.held_out if base else None,
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
        grades=grade_values(_grades(history), outcome.draw.objective if outcome.draw else None, point, last),
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
        seconds=latest.seconds if latest else 0.0,
        gpu_seconds=latest.gpu_seconds if latest else 0.0,
    )


def _progress_sentence(latest: Point | None, draw: Draw, band: Band | None) -> str:
    if latest is None:
        return "started, no training step yet"
    position = ""
    if band is not None:
        position = ", in the band" if latest.loss in band else f", {band.distance(latest.loss):.2f} from the band"
    epoch = f"epoch {latest.epoch:.1f} of {draw.epochs}"
    return f"step {latest.step}, {epoch}, {draw.objective} loss {latest.loss:.3f}{position}"
