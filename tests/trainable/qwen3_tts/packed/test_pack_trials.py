"""Whole trials in a shared pack, compared with PEFT and torch's AdamW and with a pack of a single seat."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from spaces.qwen3_tts import QwenDraw, QwenPackShape
from spaces.records.trial import Ending
from tests.support.pack_runs import SEED, Left, clips, draw, drive, job, make_pack, one_shape, shape_of
from tests.support.peft_family import separate
from tests.support.qwen_fixtures import Tiny
from tests.support.tiny_qwen import make_tiny_qwen
from trainable.qwen3_tts.checkpoint.load import load_base
from trainable.qwen3_tts.data.prepared import PreparedData
from trainable.training.events import Event, Finished, Progress

DRAWS = {
    "plain": draw(rank=2, alpha_ratio=4, dropout=0.1, batch=2, text_projection_lr=1e-4, weight_decay=0.1, epochs=2),
    "warm-up": draw(rank=16, targets="all-linear", objective="aligned", batch=2, warmup=12, lora_lr=3e-3),
    "two passes": draw(rank=64, alpha_ratio=0.5, targets="linear", accumulation=2, dropout=0.3, lora_lr=3e-4),
    "four passes": draw(rank=4, alpha_ratio=1, targets="attention", accumulation=4, epochs=2, objective="aligned"),
    "clipped": draw(rank=8, batch=2, accumulation=2, epochs=2, text_projection_lr=1e-3, clip_norm=0.1, lora_lr=5e-4),
    "every clip": draw(
        rank=32, targets="all-linear", lora_lr=2e-3, text_projection_lr=1e-5, dropout=0.1, objective="aligned"
    ),
    "some frames": draw(
        rank=8,
        targets="all-linear",
        accumulation=2,
        dropout=0.2,
        sub_frames=0.4,
        sub_weight=1.0,
        text_projection_lr=1e-4,
    ),
}
CASES = {
    "1.7b fp32": ("1.7b", torch.float32),
    "0.6b fp64": ("0.6b", torch.float64),
}
SEATS = 3
TOLERANCES = {torch.float32: (1e-3, 1e-4), torch.float64: (1e-12, 1e-12)}
"""Of weights and of the curve. float64 shows that the arithmetic is equal. In float32 AdamW turns the rounding of a
tiny gradient into a part of a full step, 3e-3 here, and torch's norm of many numbers is coarse."""


@dataclass(frozen=True)
class SharedPack:
    """What more trials than seats left that shared a pack."""

    tiny: Tiny
    data: PreparedData
    dtype: torch.dtype
    left: dict[str, Left]
    events: list[Event]


@pytest.fixture(scope="module", params=CASES)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> SharedPack:
    size, dtype = CASES[request.param]
    folder = tmp_path_factory.mktemp("busy")
    model = make_tiny_qwen(folder / "model", size)
    tiny = Tiny(model, load_base(str(model)))
    data = clips(tiny, 41)
    jobs = [job(folder / name, chosen) for name, chosen in DRAWS.items()]
    pack = make_pack(tiny, data, shape_of(tuple(DRAWS.values()), batch=2), SEATS, dtype)
    events = drive(pack, jobs, together=2)
    return SharedPack(tiny, data, dtype, {each.trial: Left.read(each) for each in jobs}, events)


def test_free_seats_are_reused_while_others_train(shared: SharedPack) -> None:
    def at(kind: type[Event], name: str) -> int:
        return next(at for at, event in enumerate(shared.events) if isinstance(event, kind) and event.trial == name)

    names = list(DRAWS)
    assert all(left.ending is Ending.EXHAUSTED and left.curve[-1].step > 20 for left in shared.left.values())
    first = min(at(Finished, name) for name in names[:SEATS])
    late = [name for name in names if at(Progress, name) > first]
    assert late == names[SEATS:]
    last = max(at(Finished, name) for name in names[:SEATS])
    assert any(at(Progress, name) < last for name in late)


@pytest.mark.parametrize("name", DRAWS)
def test_a_trial_equals_one_by_peft(shared: SharedPack, tmp_path: Path, name: str) -> None:
    """PEFT passes over all clips of a step at once, so accumulation is compared too."""
    chosen, alone = DRAWS[name], job(tmp_path / name, DRAWS[name])
    other = separate(shared.tiny, shared.data, chosen, SEED, initial_weights(shared, chosen), shared.dtype)
    other.batch = chosen.clips_per_step
    drive(other, [alone])
    shared.left[name].assert_equals(Left.read(alone), *TOLERANCES[shared.dtype])


@pytest.mark.parametrize("name", ["two passes"])
def test_a_trial_equals_one_in_a_pack_of_its_own_shape(shared: SharedPack, tmp_path: Path, name: str) -> None:
    chosen, alone = DRAWS[name], job(tmp_path / name, DRAWS[name])
    drive(make_pack(shared.tiny, shared.data, QwenPackShape.from_draw(chosen), 1, shared.dtype), [alone])
    shared.left[name].assert_equals(Left.read(alone), *TOLERANCES[shared.dtype])


def initial_weights(shared: SharedPack, chosen: QwenDraw) -> dict[str, torch.Tensor]:
    """The weights with which a pack starts this draw."""
    pack = make_pack(shared.tiny, shared.data, QwenPackShape.from_draw(chosen), 1, shared.dtype)
    pack.join(0, chosen, SEED)
    return dict(pack.state(0).weights)


@one_shape
def test_a_neighbour_that_diverges_changes_nothing_for_the_others(tiny: Tiny, tmp_path: Path) -> None:
    """In float64, where rounding hides nothing."""
    data = clips(tiny, 21)
    sane = {"dropped": draw(dropout=0.2, text_projection_lr=1e-3), "other": draw(objective="aligned", batch=2)}
    # A draw cannot have such a learning rate; with a valid one it takes many steps to diverge.
    wild = draw(text_projection_lr=1e-3, dropout=0.1).model_copy(update={"lora_lr": 1e200})
    left = []
    for folder, draws in (
        ("quiet", sane),
        ("wild", {"dropped": sane["dropped"], "wild": wild, "other": sane["other"]}),
    ):
        jobs = {name: job(tmp_path / folder / name, chosen) for name, chosen in draws.items()}
        events = drive(make_pack(tiny, data, shape_of(tuple(sane.values()), 2), 3, torch.float64), list(jobs.values()))
        left.append({name: Left.read(jobs[name]) for name in sane})
    endings = {event.trial: event.outcome.ending for event in events if isinstance(event, Finished)}
    assert endings == {"wild": Ending.DIVERGED, "dropped": Ending.EXHAUSTED, "other": Ending.EXHAUSTED}
    # It diverged while the others had most of their steps left.
    assert [event.trial for event in events if isinstance(event, Finished)][0] == "wild"
    for name in sane:
        left[0][name].assert_equals(left[1][name], 1e-12, 1e-12)
