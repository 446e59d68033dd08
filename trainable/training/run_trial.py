"""One trial, from its first step to its verdict. No Ray: whoever calls it passes the curve on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from spaces.records.pack_shape import PackShape
from spaces.records.trial import Outcome, Phase, Point
from spaces.records.trial_spec import TrialSpec
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Pack, SeatLimit, load_family
from trainable.files.mirror import pull
from trainable.files.trial_folder import TrialFolder
from trainable.training.bench import Bench
from trainable.training.events import Event, Finished, Progress
from trainable.training.single_seat import SingleSeatPack

OnPoint = Callable[[Point, Phase], None]


def run_trial(job: TrialSpec, on_point: OnPoint, stop: Callable[[], bool] = lambda: False) -> Outcome:
    """Trains, ends by the band, probes, and leaves `outcome.json`; goes on where an earlier attempt was cut off.

    It is a bench with one seat. `on_point` is called about four times an epoch, when training ends, and when probing
    begins. When `stop()` turns true the trial ends as cancelled after the step it is in. A trial that has its outcome
    returns it at once. In a process group every member calls this; the first one calls `on_point` and is asked `stop`.
    """
    process_group = ProcessGroup()
    pull(job.storage, job.path)
    process_group.barrier()
    earlier = process_group.broadcast(TrialFolder(job.path).read_outcome() if process_group.is_main else None)
    if earlier is not None:
        return earlier
    outcomes: list[Outcome] = []

    def on_event(event: Event) -> None:
        match event:
            case Finished():
                outcomes.append(event.outcome)
            case Progress() if process_group.is_main:
                on_point(event.point, event.phase)

    bench = Bench(_pack_of_one(job, process_group), process_group, on_event, raise_errors=True)
    bench.seat(job)
    while not outcomes:
        bench.advance(process_group.broadcast(process_group.is_main and stop()))
    return outcomes[0]


def _pack_of_one(job: TrialSpec, process_group: ProcessGroup) -> Pack:
    """A seat made to measure; where the family cannot pack this draw, a model of its own."""
    family, shape, prepared = load_family(job.family), PackShape.from_draw(job.draw), Path(job.prepared)
    if family.why_not_packed(job.model, shape) is None:
        return family.build_pack(job.model, prepared, job.language, shape, SeatLimit(1, exactly=True), process_group)
    return SingleSeatPack(family.build(job.model, prepared, job.language, job.draw, job.seed), job.draw, process_group)
