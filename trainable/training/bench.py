"""Trials side by side in the seats of one pack: they come, train together, are listened to together, and go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from spaces.records.trial import Outcome, Phase, SecondChance
from spaces.records.trial_spec import TrialSpec
from spaces.records.verdict import Verdict
from trainable.family.process_errors import is_device_lost, is_out_of_memory
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Pack
from trainable.files.mirror import pull, push
from trainable.files.trial_folder import TrialFolder, prune_ended_trial
from trainable.probe.criteria.calibration import Calibration
from trainable.probe.criteria.judge import BaseResult
from trainable.probe.session.listener import Listener
from trainable.probe.session.probe import ProbeScript, ProbeSubject, probe
from trainable.probe.texts.lines import lines_for
from trainable.stopping.curve import ClipRow
from trainable.training.checkpoint import Checkpoint
from trainable.training.events import Event, Finished, Progress, event_of_error
from trainable.training.outcome import combine_outcomes, lower_band, make_outcome
from trainable.training.trial_state import TrainingResult, TrialState
from trainable.training.validation import end_probabilities, validate

PATIENCE_EPOCHS = 0.5
"""How long a trial that is ready to be heard waits for others: their lines cost hardly more together than alone."""

RECORDINGS = ("probe", "probe_2")
"""Folders of what is said the first and the second time, in that of the trial."""


@dataclass
class _Seated:
    job: TrialSpec
    training: TrialState
    ready: TrainingResult | None = None
    """Set when it is to be listened to."""
    waited: int = 0
    """Passes since then."""
    chance: SecondChance | None = None
    """Set when it was rejected once and went on."""


class Bench:
    """Serves the seats of a pack to trials. Every process of the group makes the same calls in the same order."""

    def __init__(
        self, pack: Pack, process_group: ProcessGroup, emit: Callable[[Event], None], raise_errors: bool = False
    ) -> None:
        """With `raise_errors` an error of one trial is raised, instead of emitted as its last event."""
        self._pack, self._group, self._emit, self._raise_errors = pack, process_group, emit, raise_errors
        self._seated: dict[int, _Seated] = {}

    @property
    def free(self) -> int:
        """Seats that nobody sits on."""
        return self._pack.seats - len(self._seated)

    def seat(self, job: TrialSpec) -> None:
        """Gives a trial a free seat, where it begins or goes on. One that has its outcome already only tells it."""
        try:
            pull(job.storage, job.path)
        except OSError as error:
            if self._group.size > 1 or self._raise_errors:
                raise
            self._emit(event_of_error(job.trial, error))
            return
        # Nobody writes before every node has the same.
        self._group.barrier()
        earlier = self._group.broadcast(TrialFolder(job.path).read_outcome() if self._group.is_main else None)
        if earlier is not None:
            self._emit(Finished(job.trial, earlier))
            return
        seat = min(set(range(self._pack.seats)) - self._seated.keys())
        chance = self._group.broadcast(TrialFolder(job.path).read_second_chance() if self._group.is_main else None)
        training = TrialState(job, self._pack, seat, self._group, chance)
        self._seated[seat] = _Seated(job if chance is None else _in_band(job, chance), training, chance=chance)
        with self._or_break(seat):
            with self._charged(seat):
                self._pack.join(seat, job.draw, job.seed)
                training.begin()
            if not training.is_starting:
                self._say_if_it_goes_on(seat)

    def dismiss(self, trial: str) -> None:
        """Frees the seat of a trial that nobody waits for any more. What it left stays as it is."""
        for seat in [seat for seat, seated in self._seated.items() if seated.job.trial == trial]:
            self._leave(seat)

    def advance(self, stop: bool = False) -> None:
        """Whatever is next: a forward pass for all who train, or listening to those who are ready.

        With `stop` everybody who trains ends where the last step left him.
        """
        if stop:
            self._stop()
        self._end()
        training = [seat for seat, seated in self._seated.items() if seated.ready is None]
        ready = {seat: seated for seat, seated in self._seated.items() if seated.ready is not None}
        if training:
            self._pass(training)
        for seated in ready.values():
            seated.waited += 1
        if ready and (not training or any(_is_impatient(seated) for seated in ready.values())):
            self._listen(ready)

    def _stop(self) -> None:
        training = [seat for seat, each in self._seated.items() if each.ready is None and not each.training.is_starting]
        for seat in training:
            self._seated[seat].training.cancel()
        self._record(training)

    def _pass(self, seats: list[int]) -> None:
        """One forward pass, and a step for those whose clips are all seen.

        Who has yet to start rides along; where nobody else is there, without a backward pass.
        """
        with self._charged(*seats):
            batches = {seat: self._seated[seat].training.next_batch() for seat in seats}
            is_trained = any(batch.share for batch in batches.values())
            rows = self._pack.accumulate(batches) if is_trained else self._pack.losses(batches)
            for seat in seats:
                self._seated[seat].training.took(rows[seat])
        due = [seat for seat in seats if self._seated[seat].training.is_due]
        with self._charged(*due):
            self._complete(due)

    def _complete(self, due: list[int]) -> None:
        """A point on the curve of each of these, who have seen all clips that it is over."""
        starting = [seat for seat in due if self._seated[seat].training.is_starting]
        for seat in starting:
            with self._or_break(seat):
                self._seated[seat].training.start()
        stepping = [seat for seat in due if seat not in starting]
        if stepping:
            self._step(stepping)
        self._record([seat for seat in due if seat in self._seated])

    def _step(self, seats: list[int]) -> None:
        norms = self._pack.step({seat: self._seated[seat].training.factor for seat in seats})
        gathered = self._gather(seats)
        for seat in seats:
            with self._or_break(seat):
                self._seated[seat].training.stepped(gathered[seat], norms[seat])

    def _record(self, seats: list[int]) -> None:
        """Writes these seats' points down, the validation of all who are due for it worked out together, and tells and
        keeps what is to be told and kept."""
        validations = validate(self._pack, [seat for seat in seats if self._seated[seat].training.is_to_be_validated])
        for seat in seats:
            training = self._seated[seat].training
            with self._or_break(seat):
                training.record(validations.get(seat))
                if training.is_report:
                    self._say_if_it_goes_on(seat)
                    if training.ending is None and self._group.is_main:
                        training.keep_if_worth_it()

    def _gather(self, seats: list[int]) -> dict[int, list[ClipRow]]:
        """The losses of every clip of these seats' steps, from whichever member had it."""
        own = {seat: self._seated[seat].training.gathered for seat in seats}
        if self._group.size == 1:
            return own
        flat = torch.tensor([row for rows in own.values() for row in rows], device=self._pack.device)
        summed = iter(self._group.all_reduce_(flat).tolist())
        return {seat: [tuple(next(summed)) for _ in rows] for seat, rows in own.items()}

    def _end(self) -> None:
        """Those whose training has ended get their outcome, or get ready to be listened to."""
        for seat, seated in list(self._seated.items()):
            ending = seated.training.ending
            if seated.ready is not None or ending is None:
                continue
            with self._or_break(seat):
                self._say(seat, Phase.TRAINING)
                with self._charged(seat):
                    trained = self._group.broadcast(seated.training.finish() if self._group.is_main else None)
                if trained.ending.is_probed and _is_new(trained.kept, seated.chance):
                    seated.ready = trained
                else:
                    self._finish(seat, make_outcome(seated.job, trained, None, 0.0, seated.training.gpu_seconds))

    def _listen(self, ready: dict[int, _Seated]) -> None:
        """The first member listens; the others wait at whatever comes next."""
        started = time.perf_counter()
        for seat in ready:
            self._say(seat, Phase.PROBING)
        with self._or_break(*ready):
            # Probe, calibration and seed are the search's: the same in every job.
            calibration = Calibration.read(Path(next(iter(ready.values())).job.calibration))
            with self._charged(*ready):
                verdicts = self._probe(ready, calibration) if self._group.is_main else {}
            seconds = (time.perf_counter() - started) / len(ready)
            for seat, seated in ready.items():
                spent = seated.training.gpu_seconds
                outcome = make_outcome(seated.job, seated.ready, verdicts.get(seat), seconds, spent)
                if not self._goes_on(seated, outcome, calibration.base_heard):
                    self._finish(seat, outcome)

    def _goes_on(self, seated: _Seated, outcome: Outcome, base: BaseResult | None) -> bool:
        """Whether a trial that was rejected for the first time trains on instead of ending."""
        lower = None
        if self._group.is_main and seated.chance is None:
            lower = lower_band(seated.job.band, outcome, base.failed_share if base else None)
        chance = self._group.broadcast(SecondChance(outcome=outcome, band=lower) if lower else None)
        if chance is None:
            return False
        if self._group.is_main:
            TrialFolder(seated.job.path).write_second_chance(chance)
            push(seated.job.storage, seated.job.path)
        seated.chance, seated.job = chance, _in_band(seated.job, chance)
        seated.ready, seated.waited = None, 0
        seated.training.go_on(chance)
        return True

    def _probe(self, ready: dict[int, _Seated], calibration: Calibration) -> dict[int, Verdict]:
        for seat, seated in ready.items():
            self._pack.load(seat, seated.ready.kept.read())
        job = next(iter(ready.values())).job
        ends = end_probabilities(self._pack, list(ready))
        listener = Listener.open(self._pack, job.probe, calibration, job.seed)
        return probe(
            lambda seats, cues: self._pack.speak(seats, cues, job.probe.sampling),
            listener,
            ProbeScript(lines_for(job.probe.lines, self._pack.split), job.seed),
            {
                seat: ProbeSubject(seated.job.path, RECORDINGS[seated.chance is not None], ends.get(seat))
                for seat, seated in ready.items()
            },
        )

    def _finish(self, seat: int, outcome: Outcome) -> None:
        job, chance = self._seated[seat].job, self._seated[seat].chance
        if chance is not None:
            outcome = combine_outcomes(chance.outcome, outcome)
        if self._group.is_main:
            TrialFolder(job.path).write_outcome(outcome)
            if job.storage is not None:
                # Whoever writes the ledger does so too, but two thirds need not travel before.
                prune_ended_trial(TrialFolder(job.path), outcome)
            push(job.storage, job.path)
        self._leave(seat)
        self._emit(Finished(job.trial, outcome))

    @contextmanager
    def _or_break(self, *seats: int) -> Iterator[None]:
        """What goes wrong within concerns these seats' trials alone; but for the memory and the GPU, which are
        everybody's."""
        try:
            yield
        except Exception as error:
            # Other members of a process group know nothing of it and would wait for this one for ever.
            if is_out_of_memory(error) or is_device_lost(error) or self._group.size > 1:
                raise
            for seat in self._seated.keys() & seats:
                trial = self._seated[seat].job.trial
                self._leave(seat)
                if self._raise_errors:
                    raise
                self._emit(event_of_error(trial, error))

    @contextmanager
    def _charged(self, *seats: int) -> Iterator[None]:
        """Divides the time within among the trials in these seats, on every GPU of the process group."""
        started, trainings = time.perf_counter(), [self._seated[seat].training for seat in seats]
        yield
        seconds = (time.perf_counter() - started) * self._group.size
        for training in trainings:
            training.gpu_seconds += seconds / len(trainings)

    def _leave(self, seat: int) -> None:
        self._seated.pop(seat).training.close()
        self._pack.leave(seat)

    def _say_if_it_goes_on(self, seat: int) -> None:
        """An ending is told with what led to it."""
        if self._seated[seat].training.ending is None:
            self._say(seat, Phase.TRAINING)

    def _say(self, seat: int, phase: Phase) -> None:
        seated = self._seated[seat]
        self._emit(Progress(seated.job.trial, seated.training.point, phase))


def _in_band(job: TrialSpec, chance: SecondChance) -> TrialSpec:
    return job.model_copy(update={"band": chance.band})


def _is_new(kept: Checkpoint | None, chance: SecondChance | None) -> bool:
    """Whether there is something to listen to, and it is not where the trial was rejected before."""
    return kept is not None and (chance is None or kept.state.point.step != chance.outcome.kept.step)


def _is_impatient(seated: _Seated) -> bool:
    return seated.waited >= PATIENCE_EPOCHS * seated.training.passes_per_epoch
