"""Outcomes of trials that reported none: read from the trial's folder, or written there by the search."""

from spaces.records.trial import Ending, Outcome
from spaces.records.trial_spec import TrialSpec
from trainable.files.mirror import pull, push
from trainable.files.trial_folder import TrialFolder, prune_ended_trial


def pulled_outcome(spec: TrialSpec) -> Outcome | None:
    """The outcome in the trial's folder, which is pulled from storage first. None where the trial has not ended.

    Raises StorageError.
    """
    pull(spec.storage, spec.path)
    return TrialFolder(spec.path).read_outcome()


def write_outcome(spec: TrialSpec, ending: Ending, reason: str) -> Outcome:
    """Ends a trial whose loop cannot: writes its outcome, removes its checkpoints and pushes its folder.

    Raises StorageError.
    """
    folder = TrialFolder(spec.path)
    points = folder.read_points()
    outcome = Outcome(
        trial=spec.trial,
        ending=ending,
        reason=reason,
        draw=spec.draw,
        point=points[-1] if points else None,
        kept=None,
        checkpoint=None,
        verdict=None,
        train_seconds=points[-1].seconds if points else 0.0,
        probe_seconds=0.0,
        gpu_seconds=points[-1].gpu_seconds if points else 0.0,
    )
    folder.write_outcome(outcome)
    prune_ended_trial(folder, outcome)
    push(spec.storage, spec.path)
    return outcome


def ensure_outcome(spec: TrialSpec, ending: Ending, reason: str) -> Outcome:
    """The outcome in the trial's folder; where there is none, writes one with this ending and reason."""
    return pulled_outcome(spec) or write_outcome(spec, ending, reason)
