"""A probe of trials in some seats of a bench, which trains its other seats while the probe waits for words."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from pathlib import Path

from spaces.records.trial_spec import TrialSpec
from spaces.records.verdict import Verdict
from trainable.family.protocol import Pack
from trainable.probe.criteria.calibration import Calibration
from trainable.probe.session.listener import Listener
from trainable.probe.session.probe import ProbeScript, ProbeSteps, ProbeSubject, probe_steps
from trainable.probe.texts.lines import lines_for
from trainable.training.checkpoint import Checkpoint
from trainable.training.validation import end_probabilities

WAIT_SECONDS = 0.05
"""How long a bench without a seat to train waits at a time; in between it takes commands, and new trials."""


class PendingProbe:
    """In the main process it speaks and listens. The other processes of a group only know which seats it is about."""

    def __init__(
        self, pack: Pack, spec: TrialSpec, subjects: Mapping[int, ProbeSubject], kept: Mapping[int, Checkpoint]
    ) -> None:
        """By seat. `spec` of any of these trials: probe, calibration and seed belong to the search."""
        self._pack, self._spec, self._kept = pack, spec, kept
        self.calibration = Calibration.read(Path(spec.calibration))
        self.subjects = dict(subjects)
        """A trial that leaves its seat is taken out."""
        self.seconds = 0.0
        """Spent on this probe so far."""
        self._awaited: Sequence[Future] = ()
        self._steps = self._begin()

    def wait(self) -> None:
        """Waits a little for the words that are missing."""
        wait(self._awaited, WAIT_SECONDS)

    def advance(self) -> dict[int, Verdict] | None:
        """Goes on until it has to wait for words, then returns None; at its end the verdict for each seat."""
        while all(words.done() for words in self._awaited):
            try:
                self._awaited = next(self._steps)
            except StopIteration as end:
                return end.value
        return None

    def _begin(self) -> ProbeSteps[int]:
        pack, spec = self._pack, self._spec
        for seat in self.subjects:
            pack.load(seat, self._kept[seat].read())
        ends = end_probabilities(pack, list(self.subjects))
        for seat, subject in self.subjects.items():
            self.subjects[seat] = replace(subject, end_probability=ends.get(seat))
        verdicts = yield from probe_steps(
            lambda seats, prompts: pack.speak(seats, prompts, spec.probe.sampling),
            Listener.open(pack, spec.probe, self.calibration, spec.seed),
            ProbeScript(lines_for(spec.probe.lines, pack.split), spec.seed),
            self.subjects,
        )
        return verdicts
