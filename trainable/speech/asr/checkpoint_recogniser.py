"""Speech as a Whisper or a CTC checkpoint understands it, asked only where somebody speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from spaces.errors import InputError
from trainable.speech.asr.ctc import check_ctc, is_ctc, open_ctc
from trainable.speech.asr.ctranslate2 import check_faster_whisper, is_faster_whisper, open_faster_whisper
from trainable.speech.asr.model_config import read_config
from trainable.speech.asr.whisper import check_whisper_language, is_whisper, open_whisper
from trainable.speech.asr.windows import pieces
from trainable.speech.audio import SAMPLE_RATE, resample
from trainable.speech.text.error_rate import words
from trainable.speech.text.hallucinations import is_credits, is_invented
from trainable.speech.vad import RATE, SpeechDetector, TimeSpan

ROOM = 0.3
"""Seconds kept before the first and after the last speech: a soft consonant is not always speech to the detector."""
HARDLY_ANY_SECONDS = 1.0
HARDLY_ANY_SHARE = 0.25
"""A clip with less speech than both, of which the whole transcript is a phrase that recognisers make up, holds none. A
spoken "Thank you." is most of its clip."""

Transcribe = Callable[[Sequence[np.ndarray]], list[str]]
"""[samples] float32 at 16 kHz each, at most 30 s → the text of each."""


@dataclass(frozen=True)
class SpeechClip:
    """What a recogniser is asked about one wave; no pieces where nobody speaks."""

    seconds: float = 0.0
    spoken: float = 0.0
    """Seconds of speech."""
    pieces: tuple[np.ndarray, ...] = ()
    """[samples] float32 at 16 kHz each, 30 s at most."""

    def words(self, texts: Sequence[str]) -> str:
        """Of the text of each piece; none where all of it is made up."""
        heard = " ".join(texts)
        hardly_any = self.spoken < HARDLY_ANY_SECONDS and self.spoken < HARDLY_ANY_SHARE * self.seconds
        return "" if hardly_any and (is_credits(heard) or is_invented(heard)) else words(heard)


class CheckpointRecogniser:
    """Silence and noise are heard as nothing; equal audio gives equal words."""

    def __init__(self, transcribe: Transcribe) -> None:
        self._transcribe, self._detector = transcribe, SpeechDetector()

    def hear(self, waves: Sequence[np.ndarray]) -> list[str]:
        """See `Recogniser.hear`."""
        clips = [self._clip(wave) for wave in waves]
        heard = iter(self._hear_pieces([piece for clip in clips for piece in clip.pieces]))
        return [clip.words([next(heard) for _ in clip.pieces]) for clip in clips]

    def _clip(self, wave: np.ndarray) -> SpeechClip:
        if not wave.size or not np.isfinite(wave).all():
            return SpeechClip()
        wave = resample(wave.astype(np.float32), SAMPLE_RATE, RATE)
        speech = self._detector.speech_in(wave)
        if not speech:
            return SpeechClip()
        return SpeechClip(wave.size / RATE, sum(each.seconds for each in speech), pieces(*_around(wave, speech)))

    def _hear_pieces(self, waves: Sequence[np.ndarray]) -> list[str]:
        """Long ones first: a batch of pieces of like length waits for none, and what does not fit into memory shows at
        once."""
        order = sorted(range(len(waves)), key=lambda place: -waves[place].size)
        heard = dict(zip(order, self._transcribe([waves[place] for place in order]), strict=True))
        return [heard[place] for place in range(len(waves))]


def check_checkpoint(name: str, language: str | None) -> None:
    """Reads what the checkpoint says of itself, no weights.

    Raises InputError for what is neither a Whisper nor has a CTC head, cannot be had, does not know the language, or
    needs a package that is missing.
    """
    config = read_config(name)
    if is_whisper(config):
        check_whisper_language(name, language)
    elif is_faster_whisper(config):
        check_faster_whisper(name, language)
    elif is_ctc(config):
        check_ctc(name, language)
    else:
        raise InputError(
            f"{name}: expected a Whisper or a checkpoint with a CTC head, got model_type {config.get('model_type')} "
            f"with architectures {config.get('architectures')}; use one such as openai/whisper-large-v3"
        )


@lru_cache(maxsize=1)
def open_checkpoint(name: str, language: str | None) -> CheckpointRecogniser:
    """Loads it once per process, onto a GPU where there is one: loading takes longer than a probe.

    Raises InputError as `check_checkpoint`, and for weights that cannot be had or read.
    """
    check_checkpoint(name, language)
    config = read_config(name)
    if is_whisper(config):
        whisper = open_whisper(name, language)
        return CheckpointRecogniser(lambda waves: [each.text for each in whisper.hear(waves)])
    return CheckpointRecogniser((open_faster_whisper if is_faster_whisper(config) else open_ctc)(name, language).hear)


def _around(wave: np.ndarray, speech: Sequence[TimeSpan]) -> tuple[np.ndarray, list[TimeSpan]]:
    """Without the silence at both ends, which Whisper fills with words."""
    first = max(0.0, speech[0].start - ROOM)
    last = speech[-1].end + ROOM
    trimmed = wave[round(first * RATE) : round(last * RATE)]
    return trimmed, [TimeSpan(each.start - first, each.end - first) for each in speech]
