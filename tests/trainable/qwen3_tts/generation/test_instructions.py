"""An instruction says how a line is to be spoken: ahead of the prompt, as in the library, where the model takes one."""

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
def test_an_instruction_stands_before_everything_as_in_the_library(
    tiny: Tiny, language: str, rows: Sequence[int]
) -> None:
    speaker, lines, told = tiny.data().speakers[0], [LINES[row] for row in rows], [INSTRUCTIONS[row] for row in rows]
    expected, expected_logits = library(tiny.tts, speaker, language, lines, instructions=told)
    spoken, logits = ours(tiny.tts, speaker, lines, language=language, instructions=told)
    plain, plain_logits = ours(tiny.tts, speaker, lines, language=language)
    for row, (codes, one) in enumerate(zip(expected, spoken, strict=True)):
        assert torch.equal(one.codes, codes)
        torch.testing.assert_close(logits[row, : len(codes)], expected_logits[row, : len(codes)], atol=2e-5, rtol=0)
        if told[row]:
            assert (logits[row, 0] - plain_logits[row, 0]).abs().max() > 1e-3
        else:
            assert torch.equal(one.codes, plain[row].codes)


def test_the_smaller_model_takes_no_instruction(tiny: Tiny) -> None:
    """The checkpoint's own word for its size says which one it is."""
    tts, speaker = tiny.fresh(), tiny.data().speakers[0]
    assert takes_instructions(tts)
    tts.model.tts_model_size = "0b6"
    assert not takes_instructions(tts)
    with pytest.raises(ValueError, match="got 'whisper' for 'x'"):
        speak(tts, speaker, "auto", [SpeechPrompt("x", 1, 4, "whisper")], GREEDY)
    [[plain]], [[empty]] = (speak(tts, speaker, "auto", [SpeechPrompt("x", 1, 4, none)], GREEDY) for none in (None, ""))
    assert (plain.wave == empty.wave).all()
