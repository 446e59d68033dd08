"""Recogniser around a Whisper or CTC checkpoint, which runs only on audio in which speech was detected."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from spaces.errors import InputError
from trainable.speech.asr.ctc import check_ctc, is_ctc, open_ctc
from trainable.speech.asr.ctranslate2 import can_use_gpu, check_faster_whisper, is_faster_whisper, open_faster_whisper
from trainable.speech.asr.model_config import read_config
from trainable.speech.asr.whisper import check_whisper_language, is_whisper, open_whisper
from trainable.speech.asr.windows import split_windows
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

Transcribe = Callable[[Sequence[np.ndarray]], list[str]]
"""[samples] float32 at 16 kHz each, at most 30 s → the text of each."""


@dataclass(frozen=True)
class SpeechClip:
    """The windows of one wave that are transcribed; none without speech."""

    seconds: float = 0.0
    speech_seconds: float = 0.0
    windows: tuple[np.ndarray, ...] = ()
    """[samples] float32 at 16 kHz each, 30 s at most."""

    def transcript(self, texts: Sequence[str]) -> str:
        """Joins the text of each window; empty where all of it is hallucinated."""
        text = " ".join(texts)
        is_sparse = (
            self.speech_seconds < SPARSE_SPEECH_SECONDS and self.speech_seconds < SPARSE_SPEECH_SHARE * self.seconds
        )
        return "" if is_sparse and (is_subtitle_credits(text) or is_hallucinated(text)) else normalise(text)


class CheckpointRecogniser:
    """Transcribes silence and noise as nothing, and equal audio equally."""

    def __init__(self, transcribe: Transcribe) -> None:
        self._transcribe_windows, self._detector = transcribe, SpeechDetector()

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[str]:
        """See `Recogniser.transcribe`."""
        clips = [self._clip(wave) for wave in waves]
        texts = iter(self._transcribe_longest_first([window for clip in clips for window in clip.windows]))
        return [clip.transcript([next(texts) for _ in clip.windows]) for clip in clips]

    def _clip(self, wave: np.ndarray) -> SpeechClip:
        if not wave.size or not np.isfinite(wave).all():
            return SpeechClip()
        wave = resample(wave.astype(np.float32), SAMPLE_RATE, RATE)
        speech = self._detector.detect(wave)
        if not speech:
            return SpeechClip()
        windows = split_windows(*_trim_silence(wave, speech))
        return SpeechClip(wave.size / RATE, sum(each.seconds for each in speech), windows)

    def _transcribe_longest_first(self, waves: Sequence[np.ndarray]) -> list[str]:
        """A batch of similar lengths needs little padding, and a batch too large for memory fails at once."""
        order = sorted(range(len(waves)), key=lambda place: -waves[place].size)
        texts = dict(zip(order, self._transcribe_windows([waves[place] for place in order]), strict=True))
        return [texts[place] for place in range(len(waves))]


def check_checkpoint(name: str, language: str | None) -> None:
    """Reads the checkpoint's config files, no weights.

    Raises InputError for a checkpoint that is neither a Whisper nor has a CTC head, cannot be found, does not know the
    language, or needs a package that is missing.
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


def runs_on_gpu(name: str) -> bool:
    """Whether `open_checkpoint` would load this checkpoint onto a GPU."""
    if is_faster_whisper(read_config(name)):
        return can_use_gpu()
    import torch

    return torch.cuda.is_available()


@lru_cache(maxsize=1)
def open_checkpoint(name: str, language: str | None) -> CheckpointRecogniser:
    """Loads the checkpoint once per process, onto a GPU if there is one: loading takes longer than a probe.

    Raises InputError as `check_checkpoint`, and for weights that cannot be found or read.
    """
    check_checkpoint(name, language)
    config = read_config(name)
    if is_whisper(config):
        whisper = open_whisper(name, language)
        return CheckpointRecogniser(lambda waves: [each.text for each in whisper.transcribe(waves)])
    opened = (open_faster_whisper if is_faster_whisper(config) else open_ctc)(name, language)
    return CheckpointRecogniser(opened.transcribe)


def _trim_silence(wave: np.ndarray, speech: Sequence[TimeSpan]) -> tuple[np.ndarray, list[TimeSpan]]:
    """The wave without the silence at both ends, which Whisper fills with words, and the speech spans within it."""
    first = max(0.0, speech[0].start - PADDING)
    last = speech[-1].end + PADDING
    trimmed = wave[round(first * RATE) : round(last * RATE)]
    return trimmed, [TimeSpan(each.start - first, each.end - first) for each in speech]
