"""Runs one trial, from its first step to its verdict, without Ray."""

from collections.abc import Callable
from pathlib import Path

from spaces.families import family_entry
from spaces.records.trial import Outcome
from spaces.records.trial_spec import TrialSpec
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Pack, SeatLimit, load_family
from trainable.files.mirror import pull
from trainable.files.trial_folder import TrialFolder
from trainable.training.bench import Bench
from trainable.training.events import Event, Finished, Progress
from trainable.training.single_seat import SingleSeatPack


def run_trial(
    spec: TrialSpec, on_progress: Callable[[Progress], None], stop: Callable[[], bool] = lambda: False
) -> Outcome:
    """Trains until the band ends it, probes, and writes `outcome.json`; resumes an attempt that was cut off.

    The trial runs on a bench with one seat. `on_progress` is called about four times an epoch, when training ends, and
    when probing begins. When `stop()` turns true the trial ends as cancelled after the current step. A trial that has
    its outcome returns it at once. In a process group every process calls this, and the main one calls `on_progress`
    and `stop`.
    """
    process_group = ProcessGroup()
    pull(spec.storage, spec.path)
    process_group.barrier()
    earlier = process_group.broadcast(TrialFolder(spec.path).read_outcome() if process_group.is_main else None)
    if earlier is not None:
        return earlier
    outcomes: list[Outcome] = []

    def on_event(event: Event) -> None:
        match event:
            case Finished():
                outcomes.append(event.outcome)
            case Progress() if process_group.is_main:
                on_progress(event)

    bench = Bench(_single_seat(spec, process_group), process_group, on_event, raise_errors=True)
    bench.seat(spec)
    while not outcomes:
        bench.advance(process_group.broadcast(process_group.is_main and stop()))
    return outcomes[0]


def _single_seat(spec: TrialSpec, process_group: ProcessGroup) -> Pack:
    """The family's pack with one seat, or a model of its own where the family cannot pack this draw."""
    family, prepared = load_family(spec.family), Path(spec.prepared)
    kind = family_entry(spec.family).pack_shape
    shape = kind.from_draw(spec.draw) if kind else None
    if shape is not None and family.why_not_packed(spec.model, shape) is None:
        return family.build_pack(spec.model, prepared, spec.language, shape, SeatLimit(1, exact=True), process_group)
    learner = family.build(spec.model, prepared, spec.language, spec.draw, spec.seed)
    return SingleSeatPack(learner, spec.draw, process_group)
