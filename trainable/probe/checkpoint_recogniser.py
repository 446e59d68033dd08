"""Speech as a Whisper or a CTC checkpoint understands it, asked only where somebody speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from spaces.errors import InputError
from trainable.audio import SAMPLE_RATE, resample
from trainable.ctc import check_ctc, is_ctc, open_ctc
from trainable.dataset.hearing import pieces
from trainable.dataset.vad import RATE, Span, SpeechDetector
from trainable.probe.inventions import is_credits, is_invented
from trainable.probe.words import words
from trainable.speech_checkpoint import read_config
from trainable.whisper import check_whisper_language, open_whisper

WHISPER = "whisper"
ROOM = 0.3
"""Seconds kept before the first and after the last speech: a soft consonant is not always speech to the detector."""
HARDLY_ANY_SECONDS = 1.0
HARDLY_ANY_SHARE = 0.25
"""A clip with less speech than both, of which the whole transcript is a phrase that recognisers make up, holds none. A
spoken "Thank you." is most of its clip."""

Transcribe = Callable[[Sequence[np.ndarray]], list[str]]
"""[samples] float32 at 16 kHz each, at most 30 s → the text of each."""


class CheckpointRecogniser:
    """Silence and noise are heard as nothing; equal audio gives equal words."""

    def __init__(self, transcribe: Transcribe) -> None:
        self._transcribe, self._detector = transcribe, SpeechDetector()

    def hear(self, wave: np.ndarray) -> str:
        """See `Recogniser.hear`."""
        if not wave.size or not np.isfinite(wave).all():
            return ""
        wave = resample(wave.astype(np.float32), SAMPLE_RATE, RATE)
        speech = self._detector.speech_in(wave)
        if not speech:
            return ""
        spoken, seconds = sum(each.seconds for each in speech), wave.size / RATE
        heard = " ".join(self._transcribe(pieces(*_around(wave, speech))))
        hardly_any = spoken < HARDLY_ANY_SECONDS and spoken < HARDLY_ANY_SHARE * seconds
        return "" if hardly_any and (is_credits(heard) or is_invented(heard)) else words(heard)


def check_checkpoint(name: str, language: str | None) -> None:
    """Reads what the checkpoint says of itself, no weights.

    Raises InputError for what is neither a Whisper nor has a CTC head, cannot be had, or does not know the language.
    """
    if _is_whisper(name):
        check_whisper_language(name, language)
    else:
        check_ctc(name, language)


@lru_cache(maxsize=1)
def open_checkpoint(name: str, language: str | None) -> CheckpointRecogniser:
    """Loads it once per process, onto a GPU where there is one: loading takes longer than a probe.

    Raises InputError as `check_checkpoint`, and for weights that cannot be had or read.
    """
    if _is_whisper(name):
        whisper = open_whisper(name, language)
        return CheckpointRecogniser(lambda waves: [each.text for each in whisper.hear(waves)])
    return CheckpointRecogniser(open_ctc(name, language).hear)


def _is_whisper(name: str) -> bool:
    """Raises InputError for a checkpoint that is neither of the two kinds."""
    config = read_config(name)
    if config.get("model_type") == WHISPER:
        return True
    if is_ctc(config):
        return False
    kind = config.get("model_type")
    raise InputError(
        f"{name}: expected a Whisper or a checkpoint with a CTC head, got model_type {kind} with architectures "
        f"{config.get('architectures')}; use one such as openai/whisper-large-v3"
    )


def _around(wave: np.ndarray, speech: Sequence[Span]) -> tuple[np.ndarray, list[Span]]:
    """Without the silence at both ends, which Whisper fills with words."""
    first = max(0.0, speech[0].start - ROOM)
    last = speech[-1].end + ROOM
    trimmed = wave[round(first * RATE) : round(last * RATE)]
    return trimmed, [Span(each.start - first, each.end - first) for each in speech]
