"""Advice on what to change after a search, from the flags and endings of its trials."""

from collections import Counter

from results.analysis.ranking import is_accepted, last_verdict
from results.run.ledger import History
from results.run.run_folder import RunFolder
from spaces.records.trial import Ending, Outcome
from spaces.records.verdict import Flag
from trainable.files.trial_folder import TrialFolder

LOSS_ROSE, RUSHED = "rose", "rushed"
ADVICE: dict[Ending | Flag | str, str] = {
    LOSS_ROSE: "the loss rose: lower the upper end of lora_lr in the space",
    Ending.EXHAUSTED: "the loss stayed above the band: raise the upper end of epochs or lora_lr in the space",
    Ending.HOPELESS: "the loss fell too slowly: raise the lower end of lora_lr in the space",
    Ending.OVERSHOT: "the loss fell through the band: lower the upper end of lora_lr, or use fewer clips per step",
    Ending.DIVERGED: "training diverged: lower the upper end of lora_lr in the space",
    Ending.COLLAPSED: "there was nothing to learn: look for silent or identical clips",
    Ending.FAILED: "trials failed: see their reasons; if memory ran out, lower batch or rank",
    Flag.NO_EOS: "the voice does not stop: add short utterances to the clips, search the aligned objective, or "
    "lower lora_lr",
    Flag.SILENT: "the voice falls silent: check the clips for long silences, or lower lora_lr",
    Flag.CLIPPED: "the voice is clipped: check the clips for clipping",
    Flag.NOISY: "the voice is noisy: check the clips for noise, or lower lora_lr",
    Flag.LOOPED: "the voice repeats itself: lower lora_lr, or raise the lower end of the band",
    Flag.VOICE_DRIFT: "it is not the right voice: raise epochs or lora_lr if training was short; check the reference",
    Flag.FLAT: "the voice is monotonous: add livelier clips, or raise the upper end of epochs",
    Flag.TEMPO: "the voice is too slow or pauses too long: check that the transcripts match the clips",
    RUSHED: "the voice is rushed: leave out hasty clips, or speak with an instruction such as “slow, even narration”",
    Flag.GARBLED: "the words are not understood: lower epochs or lora_lr, or raise the lower end of the band",
}
MAX_ADVICE = 3
"""Sentences that are shown."""


def advice(run: RunFolder, history: History) -> list[tuple[str, int]]:
    """The sentences that concern most trials, each with their number; empty where every trial was accepted."""
    counts: Counter[str] = Counter()
    for outcome in history.outcomes.values():
        if not is_accepted(outcome, history):
            counts.update({ADVICE[cause] for cause in _causes(outcome, run, history) if cause in ADVICE})
    return counts.most_common(MAX_ADVICE)


def _causes(outcome: Outcome, run: RunFolder, history: History) -> list[Ending | Flag | str]:
    """The flags that rejected a trial, or its ending."""
    verdict = last_verdict(outcome, history)
    if verdict is not None:
        causes: list[Ending | Flag | str] = [flag for flag, count in verdict.flags.items() if count and flag.rejects]
        if any(reason.startswith("rushed") for reason in verdict.reasons):
            causes = [RUSHED, *(cause for cause in causes if cause is not Flag.TEMPO)]
        return causes
    if outcome.ending in (Ending.HOPELESS, Ending.EXHAUSTED):
        points = TrialFolder(run.trial(outcome.trial)).read_points()
        if points and points[-1].loss > points[0].loss:
            return [LOSS_ROSE]
    return [outcome.ending] if outcome.ending else []
