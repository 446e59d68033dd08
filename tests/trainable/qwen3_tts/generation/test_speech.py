"""Lines are spoken in batches that fit into memory."""

from __future__ import annotations

import numpy as np
import pytest

from spaces.probe_settings import Sampling
from tests.support.qwen_fixtures import Tiny
from trainable.family.protocol import SpeechPrompt
from trainable.qwen3_tts.generation.speech import batches_that_fit, speak


@pytest.mark.parametrize(
    ("caps", "seats", "positions", "expected"),
    [
        ([], 2, 100, []),
        ([30, 10, 20], 1, 90, [[0, 1, 2]]),
        ([30, 10, 20], 1, 89, [[1, 2], [0]]),
        ([30, 10, 20], 2, 60, [[1], [2], [0]]),
        ([500, 10], 4, 60, [[1], [0]]),
    ],
)
def test_batches_take_as_many_prompts_as_fit(caps, seats: int, positions: int, expected) -> None:
    assert batches_that_fit(caps, seats, positions) == expected


def test_a_prompt_sounds_the_same_in_any_batch(tiny: Tiny, monkeypatch) -> None:
    speaker = tiny.data().speakers[0]
    prompts = [SpeechPrompt("one", 1, 9), SpeechPrompt("two and three", 2, 5), SpeechPrompt("four", 3, 7)]
    [together] = speak(tiny.tts, speaker, "auto", prompts, Sampling())
    monkeypatch.setattr("trainable.qwen3_tts.generation.speech.MAX_POSITIONS", 9)
    [apart] = speak(tiny.tts, speaker, "auto", prompts, Sampling())
    assert [(each.frames, each.eos) for each in apart] == [(each.frames, each.eos) for each in together]
    for one, other in zip(apart, together, strict=True):
        np.testing.assert_allclose(one.wave, other.wave, atol=1e-4)
