"""Seats of a pack: what they speak, how many fit into memory, and which draws may be packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from spaces.probe_settings import Sampling
from spaces.qwen3_tts import QwenPackShape
from tests.support.pack_runs import SEED, draw, make_pack, one_shape, shape_of
from tests.support.peft_family import separate
from tests.support.qwen_fixtures import Tiny
from trainable.dataset.split import Role
from trainable.family.protocol import Batch, SeatLimit, SeatState, SpeechPrompt, Utterance
from trainable.qwen3_tts.checkpoint.check import why_not_packed
from trainable.qwen3_tts.packed.pack import QwenPack
from trainable.qwen3_tts.packed.seats_that_fit import seat_bytes, seats_that_fit

PROMPTS = (
    SpeechPrompt("a line of words", 30, 12),
    SpeechPrompt("x", 31, 7, "as a whisper"),
    SpeechPrompt("and another one that is longer", 32, 9),
)
DRAWS = (
    draw(rank=4, targets="all-linear", text_projection_lr=1e-3, dropout=0.5),
    draw(rank=16, targets="guide", alpha_ratio=4),
    draw(rank=2, targets="linear"),
)


@pytest.fixture(scope="module")
def speakers(tiny: Tiny) -> QwenPack:
    """Three seats with adapters far from their initial weights."""
    pack = make_pack(tiny, tiny.data(), shape_of(DRAWS, 1), 4)
    for seat, chosen in enumerate(DRAWS, start=1):
        pack.join(seat, chosen, SEED)
        start, generator = pack.state(seat).weights, torch.Generator().manual_seed(seat)
        weights = {name: 0.2 * torch.randn(value.shape, generator=generator) for name, value in start.items()}
        frozen = {name: value for name, value in start.items() if "text_projection" in name}
        pack.load(seat, SeatState({**weights, **frozen}, {}, 0))
    return pack


def assert_alike(said: Sequence[Utterance], expected: Sequence[Utterance]) -> None:
    assert [(each.frames, each.eos, each.frame_cap) for each in said] == [
        (each.frames, each.eos, each.frame_cap) for each in expected
    ]
    for one, other in zip(said, expected, strict=True):
        np.testing.assert_allclose(one.wave, other.wave, atol=1e-5)


@pytest.mark.parametrize("seats", [(1, 2), (3, 1, 2)])
def test_seats_speak_together_as_they_do_alone(speakers: QwenPack, seats: Sequence[int]) -> None:
    together = speakers.speak(seats, PROMPTS, Sampling())
    assert together.keys() == set(seats)
    for seat in seats:
        assert_alike(together[seat], speakers.speak([seat], PROMPTS, Sampling())[seat])


def test_a_seat_speaks_as_its_adapter_does_by_peft(speakers: QwenPack, tiny: Tiny) -> None:
    said = speakers.speak([1, 2, 3], PROMPTS, Sampling())
    for seat, chosen in enumerate(DRAWS, start=1):
        other = separate(tiny, tiny.data(), chosen, SEED, speakers.state(seat).weights)
        assert_alike(said[seat], other.speak([0], PROMPTS, Sampling())[0])


def test_a_line_does_not_depend_on_the_lines_beside_it(speakers: QwenPack) -> None:
    together = speakers.speak([1, 3], PROMPTS, Sampling())
    for line, prompt in enumerate(PROMPTS):
        alone = speakers.speak([3, 1], [prompt], Sampling())
        for seat in (1, 3):
            assert_alike([together[seat][line]], alone[seat])


def test_other_adapters_and_seeds_sound_different(speakers: QwenPack) -> None:
    said = speakers.speak([1, 2, 3], PROMPTS, Sampling())
    later = speakers.speak([1], [replace(prompt, seed=prompt.seed + 100) for prompt in PROMPTS], Sampling())[1]
    others = [*said[2], *said[3], *later]
    for utterance, other in zip([*said[1]] * 3, others, strict=True):
        length = min(len(utterance.wave), len(other.wave))
        assert np.abs(utterance.wave[:length] - other.wave[:length]).max() > 1e-3


@one_shape
def test_speaking_does_not_disturb_training(tiny: Tiny) -> None:
    """Even between the passes of one step."""
    states = []
    for speaks in (False, True):
        pack = make_pack(tiny, tiny.data(), shape_of(DRAWS, 1), 3)
        for seat, chosen in enumerate(DRAWS):
            pack.join(seat, chosen, SEED)
        for step in (1, 2):
            for clip in (0, 1):
                pack.accumulate({seat: Batch([clip], step, weight=0.5) for seat in range(3)})
                if speaks:
                    pack.speak([2, 1], [replace(PROMPTS[0], frame_cap=3)], Sampling())
            pack.step(dict.fromkeys(range(3), 1.0))
        states.append([pack.state(seat) for seat in range(3)])
    for quiet, spoken in zip(*states, strict=True):
        for name, weight in quiet.weights.items():
            torch.testing.assert_close(spoken.weights[name], weight, atol=1e-6, rtol=0, msg=name)


SHAPE = shape_of([draw(rank=8, targets="all-linear", text_projection_lr=1e-3)], batch=2)


@one_shape
@pytest.mark.parametrize(
    ("seats", "most", "exactly", "fitting"),
    [(3.5, 8, False, 3), (3.01, 8, False, 3), (2.99, 8, False, 2), (0.2, 8, False, 1), (-9, 8, False, 1)]
    + [(3.5, 2, False, 2), (50, 6, False, 6), (0.2, 6, True, 6), (0.2, 1, False, 1)],
)
def test_as_many_seats_as_fit_into_memory(tiny: Tiny, seats: float, most: int, exactly: bool, fitting: int) -> None:
    pack = make_pack(tiny, tiny.data(), SHAPE, 1)
    memory = pack.base_bytes + seats * seat_bytes(pack, SHAPE)
    assert seats_that_fit(pack, SHAPE, SeatLimit(most, memory, exactly)) == fitting
    reserved = 2.5 * seat_bytes(pack, SHAPE)
    assert seats_that_fit(pack, SHAPE, SeatLimit(most, memory + reserved, exactly, reserved)) == fitting


@one_shape
def test_measuring_leaves_the_seat_free_and_empty(tiny: Tiny) -> None:
    pack = make_pack(tiny, tiny.data(), SHAPE, 1)
    assert seats_that_fit(pack, SHAPE, SeatLimit(4, memory=1e12)) == 4
    assert not any(buffer.any() for buffer in pack._packed.resident())
    pack.join(0, draw(rank=8), SEED)


@one_shape
def test_larger_shapes_and_longer_clips_take_more(tiny: Tiny) -> None:
    def taken(
        shape: QwenPackShape, frames: tuple[int, ...] = (5, 9, 3, 7), roles: tuple[Role, ...] | None = None
    ) -> float:
        return seat_bytes(make_pack(tiny, tiny.data(frames, roles=roles), shape, 1), shape)

    plain = taken(SHAPE)
    for name, value in {"rank": 64, "batch": 4}.items():
        assert taken(SHAPE.model_copy(update={name: value})) > plain
    for name, value in {"text_projection": False, "targets": (draw(targets="attention").target_pattern,)}.items():
        assert taken(SHAPE.model_copy(update={name: value})) < plain
    # Of a batch of two only the two longest count.
    assert taken(SHAPE, (5, 30, 3, 7)) > plain == taken(SHAPE, (1, 9, 1, 7))
    # Spare clips are never passed over; copies and held-out clips are.
    for role in Role:
        more = taken(SHAPE, (30, 9, 3, 7), (role, *[Role.TRAINING] * 3)) > plain
        assert more == (role is not Role.SPARE), role


@pytest.mark.parametrize(
    ("targets", "reached"),
    [
        (("attention",), None),
        (("linear",), None),
        (("all-linear",), None),
        (("guide",), None),
        (("attention", "all-linear"), None),
        ((r"model\.layers\.0\.mlp\.up_proj",), None),
        ((r".*_proj",), None),
        ((r"nothing at all",), None),
        ((r"codec_head",), "codec_head"),
        ((r".*lm_head\.3",), "code_predictor.lm_head.3"),
        ((r"text_projection\.linear_fc1",), "text_projection.linear_fc1"),
        ((r"model\.text_embedding",), "model.text_embedding"),
        (("attention", r"codec_head"), "codec_head"),
        ((r".*",), "which is not a linear layer"),
    ],
)
def test_which_targets_may_be_packed(tiny: Tiny, targets: Sequence[str], reached: str | None) -> None:
    patterns = tuple(draw(targets=each).target_pattern for each in targets)
    why = why_not_packed(str(tiny.folder), QwenPackShape(rank=4, targets=patterns, text_projection=True, batch=1))
    assert (why is None) if reached is None else (why is not None and reached in why)


def test_a_module_that_only_one_size_has_is_refused_only_there(tiny: Tiny) -> None:
    """It lies between the talker and a code predictor of another width."""
    shape = QwenPackShape(rank=4, targets=(r"code_predictor\.small_to_mtp_projection",), text_projection=True, batch=1)
    assert (why_not_packed(str(tiny.folder), shape) is not None) == (tiny.folder.name == "1.7b")
