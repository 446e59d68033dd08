"""Real Whispers and a human voice."""

from __future__ import annotations

import re
import statistics

import pytest

from tests.support.real_speech import human_prompts, real_whisper
from trainable.speech.asr.recogniser import Recogniser, open_recogniser
from trainable.speech.text.error_rate import character_error

LONG_PROMPT = "basic-pbx-ivr-main"
"""25 seconds, 59 words."""
MAX_MEAN_ERROR, MAX_ERROR = 0.05, 0.2


def opened(name: str) -> Recogniser:
    recogniser = open_recogniser(real_whisper(name), [], "en")
    assert recogniser is not None
    return recogniser


def test_the_words_of_a_long_prompt_are_heard() -> None:
    """Whisper tiny.en hears seven of its words without timestamps."""
    prompt = human_prompts()[LONG_PROMPT]
    heard = opened("whisper-tiny.en").transcribe([prompt.wave()])[0]
    assert len(heard.split()) == pytest.approx(59, abs=3)
    assert character_error(prompt.text, heard, "en") < MAX_MEAN_ERROR


@pytest.mark.parametrize(("name", "clips"), [("whisper-tiny.en", 10), ("whisper-base", 5)])
def test_a_human_voice_is_understood(name: str, clips: int) -> None:
    prompts = [
        each
        for each in human_prompts().values()
        if 8 <= len(each.text.split()) <= 16 and not re.search(r"[^\w\s.,'-]|\d", each.text)
    ]
    chosen = prompts[:: len(prompts) // clips][:clips]
    heard = opened(name).transcribe([each.wave() for each in chosen])
    errors = [character_error(each.text, said, "en") for each, said in zip(chosen, heard, strict=True)]
    assert statistics.mean(errors) < MAX_MEAN_ERROR and max(errors) < MAX_ERROR
