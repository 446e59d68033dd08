"""Trains trials side by side in the seats of one pack: they take a seat, train, are probed together, and free it."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from spaces.records.trial import Outcome, Phase, SecondChance
from spaces.records.trial_spec import TrialSpec
from trainable.family.process_errors import is_device_lost, is_out_of_memory
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Pack
from trainable.files.mirror import pull, push
from trainable.files.trial_folder import TrialFolder, prune_ended_trial
from trainable.probe.criteria.judge import BaseResult
from trainable.probe.session.probe import ProbeSubject
from trainable.stopping.curve import ClipRow
from trainable.training.checkpoint import Checkpoint
from trainable.training.events import Event, Finished, Progress, event_of_error
from trainable.training.outcome import combine_outcomes, lower_band, make_outcome
from trainable.training.pending_probe import PendingProbe
from trainable.training.trial_trainer import TrainingResult, TrialTrainer
from trainable.training.validation import validate

MAX_WAIT_EPOCHS = 0.5
"""How long a trial that is ready for its probe waits for others: probing several at once costs little more than one."""

RECORDINGS = ("probe", "probe_2")
"""Folders of the recordings of a trial's first and second probe."""


@dataclass
class _SeatedTrial:
    spec: TrialSpec
    trainer: TrialTrainer
    trained: TrainingResult | None = None
    """Set when it is ready for its probe."""
    waited: int = 0
    """Passes since then."""
    second_chance: SecondChance | None = None
    """Set when it was rejected once and trained on."""


class Bench:
    """Serves the seats of a pack to trials. Every process of the group makes the same calls in the same order."""

    def __init__(
        self, pack: Pack, process_group: ProcessGroup, emit: Callable[[Event], None], raise_errors: bool = False
    ) -> None:
        """With `raise_errors` an error of one trial is raised, instead of emitted as its last event."""
        self._pack, self._group, self._emit, self._raise_errors = pack, process_group, emit, raise_errors
        self._seated: dict[int, _SeatedTrial] = {}
        self._probe: PendingProbe | None = None

    def seat(self, spec: TrialSpec) -> None:
        """Starts or resumes a trial in a free seat. A trial that has its outcome takes none: the outcome is emitted."""
        folder = TrialFolder(spec.path)
        try:
            pull(spec.storage, spec.path)
            if self._group.is_main and folder.outcome.is_file():
                # The push of an earlier attempt may have failed.
                push(spec.storage, spec.path)
        except OSError as error:
            if self._group.size > 1 or self._raise_errors:
                raise
            self._emit(event_of_error(spec.trial, error))
            return
        # No process may write before every node has the same files.
        self._group.barrier()
        earlier = self._group.broadcast(folder.read_outcome() if self._group.is_main else None)
        if earlier is not None:
            self._emit(Finished(spec.trial, earlier))
            return
        seat = min(set(range(self._pack.seats)) - self._seated.keys())
        second_chance = self._group.broadcast(folder.read_second_chance() if self._group.is_main else None)
        spec = _with_band(spec, second_chance) if second_chance else spec
        trainer = TrialTrainer(spec, self._pack, seat, self._group, second_chance)
        self._seated[seat] = _SeatedTrial(spec, trainer, second_chance=second_chance)
        with self._emit_failures(seat):
            with self._timed(seat):
                self._pack.join(seat, spec.draw, spec.seed)
                trainer.begin()
            if not trainer.is_starting and trainer.ending is None:
                self._report(seat, Phase.TRAINING)

    def remove(self, trial: str) -> None:
        """Frees the seat of a trial that the search has given up. Its files stay as they are."""
        for seat in [seat for seat, seated in self._seated.items() if seated.spec.trial == trial]:
            self._free(seat)

    def advance(self, stop: bool = False) -> None:
        """Makes one forward pass for all trials that train, and probes those that are ready when the time has come.

        A probe that waits for words goes on at a later call. With `stop` every trial that trains ends at its latest
        step.
        """
        if stop:
            self._stop()
        self._end_training()
        training = [seat for seat, seated in self._seated.items() if seated.trained is None]
        probed = self._probe.subjects.keys() if self._probe else ()
        ready = {seat: seated for seat, seated in self._seated.items() if seat not in (*training, *probed)}
        if training:
            self._pass(training)
        for seated in ready.values():
            seated.waited += 1
        if self._probe is not None:
            self._go_on_probing(waits=not training)
        elif ready and (not training or any(_has_waited_enough(seated) for seated in ready.values())):
            self._begin_probe(ready)

    def _stop(self) -> None:
        trainers = {seat: seated.trainer for seat, seated in self._seated.items() if seated.trained is None}
        started = [seat for seat, trainer in trainers.items() if not trainer.is_starting]
        for seat in started:
            trainers[seat].cancel()
        self._record(started)

    def _pass(self, seats: list[int]) -> None:
        """One forward pass, and an optimizer step for the trials whose clips have all been seen.

        A trial in its first pass shares the pass of the others; when no other trains, there is no backward pass.
        """
        trainers = {seat: self._seated[seat].trainer for seat in seats}
        with self._timed(*seats):
            batches = {seat: trainer.next_batch() for seat, trainer in trainers.items()}
            has_gradient = any(batch.weight for batch in batches.values())
            rows = self._pack.accumulate(batches) if has_gradient else self._pack.losses(batches)
            for seat, trainer in trainers.items():
                trainer.add_losses(rows[seat])
        complete = [seat for seat, trainer in trainers.items() if trainer.is_step_complete]
        with self._timed(*complete):
            self._complete_steps(complete)

    def _complete_steps(self, seats: list[int]) -> None:
        """Adds a point to the curve of each of these trials, whose clips of the step have all been seen."""
        starting = [seat for seat in seats if self._seated[seat].trainer.is_starting]
        for seat in starting:
            with self._emit_failures(seat):
                self._seated[seat].trainer.complete_first_pass()
        if stepping := [seat for seat in seats if seat not in starting]:
            self._step(stepping)
        self._record([seat for seat in seats if seat in self._seated])

    def _step(self, seats: list[int]) -> None:
        norms = self._pack.step({seat: self._seated[seat].trainer.lr_factor for seat in seats})
        rows = self._gather_rows(seats)
        for seat in seats:
            with self._emit_failures(seat):
                self._seated[seat].trainer.complete_step(rows[seat], norms[seat])

    def _record(self, seats: list[int]) -> None:
        """Validates these trials together and writes their latest points; reports and saves checkpoints where due."""
        validations = validate(self._pack, [seat for seat in seats if self._seated[seat].trainer.needs_validation])
        for seat in seats:
            trainer = self._seated[seat].trainer
            with self._emit_failures(seat):
                trainer.record(validations.get(seat))
                # A point at which training ended is reported by _end_training.
                if trainer.is_report_due and trainer.ending is None:
                    self._report(seat, Phase.TRAINING)
                    if self._group.is_main:
                        trainer.save_checkpoint_if_due()

    def _gather_rows(self, seats: list[int]) -> dict[int, list[ClipRow]]:
        """The losses of every clip of these trials' steps, from the processes that had them."""
        own = {seat: self._seated[seat].trainer.step_rows for seat in seats}
        if self._group.size == 1:
            return own
        flat = torch.tensor([row for rows in own.values() for row in rows], device=self._pack.device)
        summed = iter(self._group.all_reduce_(flat).tolist())
        return {seat: [tuple(next(summed)) for _ in rows] for seat, rows in own.items()}

    def _end_training(self) -> None:
        """Marks trials whose training has ended as ready for the probe, or finishes them without one."""
        for seat, seated in list(self._seated.items()):
            trainer = seated.trainer
            if seated.trained is not None or trainer.ending is None:
                continue
            with self._emit_failures(seat):
                self._report(seat, Phase.TRAINING)
                with self._timed(seat):
                    trained = self._group.broadcast(trainer.finish() if self._group.is_main else None)
                if trained.ending.is_probed and _is_unprobed(trained.kept, seated.second_chance):
                    seated.trained = trained
                else:
                    self._finish(seat, make_outcome(seated.spec, trained, None, 0.0, trainer.gpu_seconds))

    def _begin_probe(self, ready: dict[int, _SeatedTrial]) -> None:
        for seat in ready:
            self._report(seat, Phase.PROBING)
        subjects = {
            seat: ProbeSubject(seated.spec.path, RECORDINGS[seated.second_chance is not None])
            for seat, seated in ready.items()
        }
        kept = {seat: seated.trained.kept for seat, seated in ready.items()}
        with self._emit_failures(*ready):
            self._probe = PendingProbe(self._pack, next(iter(ready.values())).spec, subjects, kept)
            self._go_on_probing(waits=False)

    def _go_on_probing(self, waits: bool) -> None:
        """Probes in the main process until words are missing; at the end finishes each trial or trains it on."""
        started, (probe, self._probe) = time.perf_counter(), (self._probe, None)
        with self._emit_failures(*probe.subjects):
            if waits and self._group.is_main:
                probe.wait()
            with self._timed(*probe.subjects):
                verdicts = probe.advance() if self._group.is_main else None
            probe.seconds += time.perf_counter() - started
            # How long words take is known to the main process alone.
            if not self._group.broadcast(verdicts is not None):
                self._probe = probe
                return
            for seat in probe.subjects:
                seated, verdict = self._seated[seat], verdicts[seat] if verdicts else None
                seconds, gpu_seconds = probe.seconds / len(probe.subjects), seated.trainer.gpu_seconds
                outcome = make_outcome(seated.spec, seated.trained, verdict, seconds, gpu_seconds)
                if not self._trains_on(seated, outcome, probe.calibration.base_heard):
                    self._finish(seat, outcome)

    def _trains_on(self, seated: _SeatedTrial, outcome: Outcome, base: BaseResult | None) -> bool:
        """Lets a trial that was rejected for the first time train on, if that is promising; returns whether it does."""
        band = None
        if self._group.is_main and seated.second_chance is None:
            band = lower_band(seated.spec.band, outcome, base.failed_share if base else None)
        second_chance = self._group.broadcast(SecondChance(outcome=outcome, band=band) if band else None)
        if second_chance is None:
            return False
        if self._group.is_main:
            TrialFolder(seated.spec.path).write_second_chance(second_chance)
            push(seated.spec.storage, seated.spec.path)
        seated.second_chance, seated.spec = second_chance, _with_band(seated.spec, second_chance)
        seated.trained, seated.waited = None, 0
        seated.trainer.continue_with(second_chance)
        return True

    def _finish(self, seat: int, outcome: Outcome) -> None:
        spec, first = self._seated[seat].spec, self._seated[seat].second_chance
        if first is not None:
            outcome = combine_outcomes(first.outcome, outcome)
        if self._group.is_main:
            TrialFolder(spec.path).write_outcome(outcome)
            if spec.storage is not None:
                # The driver prunes too, but optimizer states need not travel to storage before.
                prune_ended_trial(TrialFolder(spec.path), outcome)
            push(spec.storage, spec.path)
        self._free(seat)
        self._emit(Finished(spec.trial, outcome))

    @contextmanager
    def _emit_failures(self, *seats: int) -> Iterator[None]:
        """Emits an error as the last event of the trials in these seats, unless it concerns the whole process."""
        try:
            yield
        except Exception as error:
            # Other processes of the group do not see the error and would wait for this one for ever.
            if is_out_of_memory(error) or is_device_lost(error) or self._group.size > 1:
                raise
            for seat in self._seated.keys() & seats:
                trial = self._seated[seat].spec.trial
                self._free(seat)
                if self._raise_errors:
                    raise
                self._emit(event_of_error(trial, error))

    @contextmanager
    def _timed(self, *seats: int) -> Iterator[None]:
        """Divides the GPU seconds of the block, on every GPU of the group, among the trials in these seats."""
        started, trainers = time.perf_counter(), [self._seated[seat].trainer for seat in seats]
        yield
        seconds = (time.perf_counter() - started) * self._group.size
        for trainer in trainers:
            trainer.gpu_seconds += seconds / len(trainers)

    def _free(self, seat: int) -> None:
        self._seated.pop(seat).trainer.close()
        self._pack.leave(seat)
        if self._probe is not None:
            self._probe.subjects.pop(seat, None)
            self._probe = self._probe if self._probe.subjects else None

    def _report(self, seat: int, phase: Phase) -> None:
        seated = self._seated[seat]
        self._emit(Progress(seated.spec.trial, seated.trainer.point, phase))


def _with_band(spec: TrialSpec, second_chance: SecondChance) -> TrialSpec:
    return spec.model_copy(update={"band": second_chance.band})


def _is_unprobed(kept: Checkpoint | None, second_chance: SecondChance | None) -> bool:
    """Whether there is a checkpoint, and it is not the one that was rejected before."""
    return kept is not None and (second_chance is None or kept.state.point.step != second_chance.outcome.kept.step)


def _has_waited_enough(seated: _SeatedTrial) -> bool:
    return seated.waited >= MAX_WAIT_EPOCHS * seated.trainer.passes_per_epoch
