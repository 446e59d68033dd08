"""The whole judge on a small part of `benchmarks.corrupted_speech`: two voices, four sentences each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.corruption_kinds import KINDS
from benchmarks.synthetic_voices import CALIBRATION, Corpus, Line, lines_of, seen, speak
from benchmarks.voice_judge import DEMO, Judge, verdict
from spaces.records.verdict import SpokenLine
from trainable.qwen3_tts.data.speaker_embeddings import QwenSpeakerEncoder
from trainable.speech.asr.pocket_sphinx import PocketSphinx

pytestmark = pytest.mark.skipif(
    not (shutil.which("espeak-ng") and shutil.which("flite")), reason="needs espeak-ng and flite on the path"
)
JUDGED = 4
LIKE_REVERSED = ("shuffled 100 ms", "shuffled 200 ms")
"""As incomprehensible as reversed speech, which takes the recogniser longest."""
PER_CLIP = [name for name, kind in KINDS.items() if kind.target and not kind.per_set and name not in LIKE_REVERSED]
PER_SET = [name for name, kind in KINDS.items() if kind.target and kind.per_set]


@dataclass(frozen=True)
class CalibratedVoice:
    """A voice with its calibrated judge, and sentences that it was not calibrated on."""

    judge: Judge
    lines: list[Line]

    def corrupted(self, name: str) -> list[np.ndarray]:
        return [
            np.asarray(KINDS[name].spoil(line, np.random.default_rng(number)), np.float32)
            for number, line in enumerate(self.lines)
        ]

    def listen(self, waves: list[np.ndarray]) -> list[SpokenLine]:
        """The first lines, one for each wave."""
        return [self.judge.listen(wave, line.text)[1] for wave, line in zip(waves, self.lines, strict=False)]


@pytest.fixture(scope="module")
def voices(tmp_path_factory) -> Iterator[list[CalibratedVoice]]:
    folder: Path = tmp_path_factory.mktemp("speech")
    whole = seen()
    corpus = Corpus(whole.voices[:2], whole.sentences[: CALIBRATION + JUDGED])
    texts = corpus.sentences
    clean = [
        [speak(voice, text, np.random.default_rng([number, place]), folder) for place, text in enumerate(texts)]
        for number, voice in enumerate(corpus.voices)
    ]
    encoder, recogniser = QwenSpeakerEncoder(DEMO, torch.device("cpu")), PocketSphinx(texts)
    yield [
        CalibratedVoice(
            Judge.of(texts[:CALIBRATION], clean[voice][:CALIBRATION], encoder, recogniser),
            lines_of(corpus, voice, range(CALIBRATION, CALIBRATION + JUDGED), clean, folder),
        )
        for voice in (0, 1)
    ]


@pytest.mark.parametrize("name", PER_CLIP)
def test_corrupted_lines_fail(name: str, voices: list[CalibratedVoice]) -> None:
    """Two lines of each voice, of which one may pass."""
    failed = [line.failed for voice in voices for line in voice.listen(voice.corrupted(name)[:2])]
    assert sum(failed) >= 3


@pytest.mark.parametrize("name", PER_SET)
def test_corruptions_that_show_over_four_lines_are_rejected_by_sound_alone(
    name: str, voices: list[CalibratedVoice]
) -> None:
    for voice in voices:
        waves, deaf = voice.corrupted(name), replace(voice, judge=replace(voice.judge, recogniser=None))
        assert not verdict(deaf.listen(waves), deaf.judge.match_speaker(waves)).accepted


def test_clean_speech_is_accepted(voices: list[CalibratedVoice]) -> None:
    for voice in voices:
        waves = [line.wave for line in voice.lines]
        concluded = verdict(voice.listen(waves), voice.judge.match_speaker(waves))
        assert concluded.accepted and concluded.failed_lines == 0


def test_one_wrong_word_is_measured_and_not_rejected(voices: list[CalibratedVoice]) -> None:
    lines = [line for voice in voices for line in voice.listen(voice.corrupted("one word wrong"))]
    assert sum(line.failed for line in lines) == 0
    assert sum((line.measures["character_error"] or 0) > 0 for line in lines) >= JUDGED
