"""Transcribes recordings: finds the segments with speech, then transcribes only those."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spaces.errors import InputError
from trainable.dataset.transcribe.transcript import FileVersion, Transcript
from trainable.speech.asr.transcription import SpeechModel, Transcription, transcribe_windows
from trainable.speech.asr.windows import SpeechWindow, split_windows
from trainable.speech.audio import SAMPLE_RATE, read_audio, resample
from trainable.speech.vad import RATE, SpeechDetector


@dataclass(frozen=True)
class SegmentedRecording:
    """A recording, read and cut for the recogniser. No pieces where there is no speech."""

    seconds: float = 0.0
    speech_seconds: float = 0.0
    pieces: tuple[SpeechWindow, ...] = ()
    problem: str = ""
    """Why the file cannot be read; empty where it can."""


class SegmentTranscriber:
    """Transcribes only where a detector finds speech, because Whisper makes up words for silence."""

    def __init__(self, model: SpeechModel, asr: str, language: str | None) -> None:
        """`asr` and `language`: as the user gave them, for the transcripts."""
        self._model, self._detector = model, SpeechDetector()
        self._asr, self._language = asr, language

    @property
    def batch(self) -> int:
        """Recordings that are best transcribed together."""
        return self._model.batch

    def transcribe(self, folder: Path, recordings: Sequence[FileVersion]) -> list[Transcript]:
        """A transcript for each recording. An unreadable recording gives one that says why."""
        opened = [self._open(folder / each.name) for each in recordings]
        transcriptions = iter(transcribe_windows(self._model, [piece for each in opened for piece in each.pieces]))
        return [
            self._transcript(recording, each, [next(transcriptions) for _ in each.pieces])
            for recording, each in zip(recordings, opened, strict=True)
        ]

    def _open(self, path: Path) -> SegmentedRecording:
        try:
            wave = resample(read_audio(path), SAMPLE_RATE, RATE)
        except InputError as error:
            return SegmentedRecording(problem=str(error).removeprefix(f"{path}: "))
        speech = self._detector.detect(wave)
        return SegmentedRecording(wave.size / RATE, sum(each.seconds for each in speech), split_windows(wave, speech))

    def _transcript(
        self, recording: FileVersion, opened: SegmentedRecording, segments: Sequence[Transcription]
    ) -> Transcript:
        tokens = sum(each.tokens for each in segments)
        mean = sum((each.log_probability or 0.0) * each.tokens for each in segments) / tokens if tokens else None
        return Transcript(
            recording=recording,
            asr=self._asr,
            language=self._language,
            seconds=round(opened.seconds, 3),
            speech_seconds=round(opened.speech_seconds, 3),
            text=" ".join(filter(None, (each.text for each in segments))),
            confidence=None if mean is None else round(math.exp(mean), 4),
            heard_language=segments[0].language if segments else None,
            cut_off=any(each.cut_off for each in segments),
            problem=opened.problem,
        )
