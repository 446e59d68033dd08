"""From a recording to its transcript: where somebody speaks first, then what is said there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spaces.errors import InputError
from trainable.dataset.transcribe.transcript import FileVersion, Transcript
from trainable.speech.asr.whisper import RATE, Transcription, Whisper
from trainable.speech.asr.windows import pieces
from trainable.speech.audio import SAMPLE_RATE, read_audio, resample
from trainable.speech.vad import SpeechDetector


@dataclass(frozen=True)
class SegmentedRecording:
    """A recording, read and cut for the recogniser. No pieces where nobody speaks."""

    seconds: float = 0.0
    speech_seconds: float = 0.0
    pieces: tuple[np.ndarray, ...] = ()
    """[samples] float32 at 16 kHz each, 30 s at most."""
    problem: str = ""


class SegmentTranscriber:
    """A recogniser that is asked only where a detector finds speech: Whisper makes up words for silence."""

    def __init__(self, whisper: Whisper, asr: str, language: str | None) -> None:
        """`asr` and `language` as they were asked for; they are noted in every transcript."""
        self._whisper, self._detector = whisper, SpeechDetector()
        self._asr, self._language = asr, language

    @property
    def batch(self) -> int:
        """Recordings that are best heard together."""
        return self._whisper.batch

    def hear(self, folder: Path, recordings: Sequence[FileVersion]) -> list[Transcript]:
        """A transcript for each. One that cannot be read says so; it does not stop the others."""
        opened = [self._open(folder / each.name) for each in recordings]
        heard = iter(self._whisper.hear([piece for each in opened for piece in each.pieces]))
        return [
            self._transcript(recording, each, [next(heard) for _ in each.pieces])
            for recording, each in zip(recordings, opened, strict=True)
        ]

    def _open(self, path: Path) -> SegmentedRecording:
        try:
            wave = resample(read_audio(path), SAMPLE_RATE, RATE)
        except InputError as error:
            return SegmentedRecording(problem=str(error).removeprefix(f"{path}: "))
        speech = self._detector.speech_in(wave)
        return SegmentedRecording(wave.size / RATE, sum(each.seconds for each in speech), pieces(wave, speech))

    def _transcript(
        self, recording: FileVersion, opened: SegmentedRecording, said: Sequence[Transcription]
    ) -> Transcript:
        tokens = sum(each.tokens for each in said)
        mean = sum(each.log_probability * each.tokens for each in said) / tokens if tokens else None
        return Transcript(
            recording=recording,
            asr=self._asr,
            language=self._language,
            seconds=round(opened.seconds, 3),
            speech_seconds=round(opened.speech_seconds, 3),
            text=" ".join(filter(None, (each.text for each in said))),
            confidence=None if mean is None else round(math.exp(mean), 4),
            heard_language=said[0].language if said else None,
            cut_off=any(each.cut_off for each in said),
            problem=opened.problem,
        )
