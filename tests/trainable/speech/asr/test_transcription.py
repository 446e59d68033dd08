"""A second hearing, with timestamps, where a Whisper hears few words for the seconds of speech."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from trainable.speech.asr.transcription import Transcription, transcribe_windows
from trainable.speech.asr.windows import SpeechWindow, split_windows
from trainable.speech.vad import RATE, TimeSpan

LONG = "press one to speak with a customer advocate, press two for a company directory, press three for an operator"


class PlainModel:
    """A model without timestamps; it says the same of every wave."""

    batch = 1

    def __init__(self, said: str) -> None:
        self.said = said

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[Transcription]:
        return [Transcription(self.said, language="no") for _ in waves]


class TwiceHearing(PlainModel):
    """A model that says something else with timestamps."""

    def __init__(self, said: str, again: str, log_probability: float) -> None:
        super().__init__(said)
        self._again, self._log_probability = again, log_probability
        self.asked: list[str | None] = []

    def transcribe_with_timestamps(self, wave: np.ndarray, language: str | None) -> Transcription:
        self.asked.append(language)
        return Transcription(self._again, self._log_probability)


def window(speech_seconds: float) -> SpeechWindow:
    return SpeechWindow(np.zeros(RATE, np.float32), speech_seconds)


@pytest.mark.parametrize(
    ("said", "again", "log_probability", "speech_seconds", "counts"),
    [
        ("press one", LONG, -0.2, 8.0, LONG),
        ("", LONG, -0.2, 8.0, LONG),
        ("press one", "press", -0.2, 8.0, "press one"),
        ("press one", LONG, -1.3, 8.0, "press one"),
        ("press one", "oh yes " * 30, -0.1, 8.0, "press one"),
        ("press one", LONG, -0.2, 1.0, "press one"),
        # The pace of a script without vowels is not known.
        ("שלום", LONG, -0.2, 8.0, "שלום"),
    ],
)
def test_few_words_are_heard_again(
    said: str, again: str, log_probability: float, speech_seconds: float, counts: str
) -> None:
    model = TwiceHearing(said, again, log_probability)
    assert [each.text for each in transcribe_windows(model, [window(speech_seconds)])] == [counts]
    assert counts == said or model.asked == ["no"]


def test_enough_words_are_heard_once_and_a_model_without_timestamps_never_again() -> None:
    model = TwiceHearing(LONG, "other", -0.1)
    transcribe_windows(model, [window(8.0)])
    assert model.asked == []
    assert [each.text for each in transcribe_windows(PlainModel("one"), [window(20.0)])] == ["one"]


def test_a_window_knows_its_seconds_of_speech() -> None:
    speech = [TimeSpan(1.0, 14.0), TimeSpan(16.0, 28.0), TimeSpan(30.5, 38.0)]
    whole = split_windows(np.zeros(29 * RATE, np.float32), speech[:2])
    assert [each.speech_seconds for each in whole] == [25.0]
    parts = split_windows(np.zeros(40 * RATE, np.float32), speech)
    assert len(parts) > 1 and sum(each.speech_seconds for each in parts) == pytest.approx(32.5)
