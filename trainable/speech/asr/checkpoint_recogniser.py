"""Recogniser around a Whisper or CTC checkpoint, which runs only on audio in which speech was detected."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from trainable.speech.asr.checkpoint_model import open_model
from trainable.speech.asr.transcription import SpeechModel, Transcription, transcribe_windows
from trainable.speech.asr.windows import SpeechWindow, split_windows
from trainable.speech.audio import SAMPLE_RATE, resample
from trainable.speech.text.error_rate import normalise
from trainable.speech.text.hallucinations import is_hallucinated, is_subtitle_credits
from trainable.speech.vad import RATE, SpeechDetector, TimeSpan

PADDING = 0.3
"""Seconds kept before the first and after the last speech, since the detector misses some soft consonants."""
SPARSE_SPEECH_SECONDS = 1.0
SPARSE_SPEECH_SHARE = 0.25
"""In a clip with less speech than both, a transcript that is nothing but a known hallucination counts as empty. A
spoken "Thank you." is most of its clip."""


@dataclass(frozen=True)
class SpeechClip:
    """The windows of one wave that are transcribed; none without speech."""

    seconds: float = 0.0
    speech_seconds: float = 0.0
    windows: tuple[SpeechWindow, ...] = ()

    def transcript(self, heard: Sequence[Transcription]) -> str:
        """Joins the text of each window; empty where it has no word, or all of it is hallucinated."""
        text = " ".join(" ".join(each.text for each in heard).split())
        is_sparse = (
            self.speech_seconds < SPARSE_SPEECH_SECONDS and self.speech_seconds < SPARSE_SPEECH_SHARE * self.seconds
        )
        is_made_up = is_sparse and (is_subtitle_credits(text) or is_hallucinated(text))
        return "" if is_made_up or not normalise(text) else text


class CheckpointRecogniser:
    """Transcribes silence and noise as nothing, and equal audio equally."""

    def __init__(self, model: SpeechModel) -> None:
        self._model, self._detector = model, SpeechDetector()

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[str]:
        """See `Recogniser.transcribe`."""
        clips = [self._clip(wave) for wave in waves]
        heard = iter(transcribe_windows(self._model, [window for clip in clips for window in clip.windows]))
        return [clip.transcript([next(heard) for _ in clip.windows]) for clip in clips]

    def _clip(self, wave: np.ndarray) -> SpeechClip:
        if not wave.size or not np.isfinite(wave).all():
            return SpeechClip()
        wave = resample(wave.astype(np.float32), SAMPLE_RATE, RATE)
        speech = self._detector.detect(wave)
        if not speech:
            return SpeechClip()
        windows = split_windows(*_trim_silence(wave, speech))
        return SpeechClip(wave.size / RATE, sum(each.seconds for each in speech), windows)


@lru_cache(maxsize=1)
def open_checkpoint(name: str, language: str | None) -> CheckpointRecogniser:
    """Loads the checkpoint once per process: loading takes longer than a probe. Raises InputError as `open_model`."""
    return CheckpointRecogniser(open_model(name, language))


def _trim_silence(wave: np.ndarray, speech: Sequence[TimeSpan]) -> tuple[np.ndarray, list[TimeSpan]]:
    """The wave without the silence at both ends, which Whisper fills with words, and the speech spans within it."""
    first = max(0.0, speech[0].start - PADDING)
    last = speech[-1].end + PADDING
    trimmed = wave[round(first * RATE) : round(last * RATE)]
    return trimmed, [TimeSpan(each.start - first, each.end - first) for each in speech]
