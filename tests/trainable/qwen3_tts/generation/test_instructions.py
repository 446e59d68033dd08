"""An instruction on how to speak a line comes before the prompt, as in the library, if the model takes one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from tests.support.decoding import GREEDY, LINES, library, ours
from tests.support.qwen_fixtures import LANGUAGES, Tiny
from trainable.family.protocol import SpeechPrompt
from trainable.qwen3_tts.generation.speech import speak, takes_instructions

INSTRUCTIONS = ("slowly, and with a warm voice", None, "whisper", "")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("rows", [range(4), [0], [2, 1]])
def test_an_instruction_comes_first_as_in_the_library(tiny: Tiny, language: str, rows: Sequence[int]) -> None:
    speaker, lines, chosen = tiny.data().speakers[0], [LINES[row] for row in rows], [INSTRUCTIONS[row] for row in rows]
    expected, expected_logits = library(tiny.tts, speaker, language, lines, instructions=chosen)
    spoken, logits = ours(tiny.tts, speaker, lines, language=language, instructions=chosen)
    plain, plain_logits = ours(tiny.tts, speaker, lines, language=language)
    for row, (codes, one) in enumerate(zip(expected, spoken, strict=True)):
        assert torch.equal(one.codes, codes)
        torch.testing.assert_close(logits[row, : len(codes)], expected_logits[row, : len(codes)], atol=2e-5, rtol=0)
        if chosen[row]:
            assert (logits[row, 0] - plain_logits[row, 0]).abs().max() > 1e-3
        else:
            assert torch.equal(one.codes, plain[row].codes)


def test_the_smaller_model_takes_no_instruction(tiny: Tiny) -> None:
    """The size is what the checkpoint's config.json says."""
    tts, speaker = tiny.fresh(), tiny.data().speakers[0]
    assert takes_instructions(tts)
    tts.model.tts_model_size = "0b6"
    assert not takes_instructions(tts)
    with pytest.raises(ValueError, match="got 'whisper' for 'x'"):
        speak(tts, speaker, "auto", [SpeechPrompt("x", 1, 4, "whisper")], GREEDY)
    [[plain]], [[empty]] = (speak(tts, speaker, "auto", [SpeechPrompt("x", 1, 4, none)], GREEDY) for none in (None, ""))
    assert (plain.wave == empty.wave).all()
