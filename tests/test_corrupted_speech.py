"""The whole judge on a small part of what `benchmarks.corrupted_speech` makes: two voices, four sentences each."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.corruption_kinds import KINDS
from benchmarks.synthetic_voices import SENTENCES, Line, lines_of, speak
from benchmarks.voice_judge import DEMO, Judge, verdict
from spaces.verdict import SpokenLine
from trainable.probe.pocket_sphinx import PocketSphinx
from trainable.qwen3_tts.voices import SpeakerEncoder

pytestmark = pytest.mark.skipif(
    not (shutil.which("espeak-ng") and shutil.which("flite")), reason="needs espeak-ng and flite on the path"
)
KNOWN, JUDGED = 20, 4
PER_CLIP = [name for name, kind in KINDS.items() if kind.target and not kind.per_set and name != "shuffled 200 ms"]
PER_SET = [name for name, kind in KINDS.items() if kind.target and kind.per_set]


@dataclass(frozen=True)
class Known:
    """A voice that the judge knows, and sentences of it that it does not."""

    judge: Judge
    lines: list[Line]

    def spoilt(self, name: str) -> list[np.ndarray]:
        return [
            np.asarray(KINDS[name].spoil(line, np.random.default_rng(number)), np.float32)
            for number, line in enumerate(self.lines)
        ]

    def listen(self, waves: list[np.ndarray]) -> list[SpokenLine]:
        return [self.judge.listen(wave, line.text)[1] for wave, line in zip(waves, self.lines, strict=True)]


@pytest.fixture(scope="module")
def voices(tmp_path_factory) -> Iterator[list[Known]]:
    folder: Path = tmp_path_factory.mktemp("speech")
    texts = SENTENCES.read_text(encoding="utf-8").splitlines()[: KNOWN + JUDGED]
    clean = [
        [speak(voice, text, np.random.default_rng([voice, place]), folder) for place, text in enumerate(texts)]
        for voice in (0, 1)
    ]
    encoder, ears = SpeakerEncoder(DEMO, torch.device("cpu")), PocketSphinx(texts)
    yield [
        Known(
            Judge.of(texts[:KNOWN], clean[voice][:KNOWN], encoder, ears),
            lines_of(voice, texts, range(KNOWN, KNOWN + JUDGED), clean, folder),
        )
        for voice in (0, 1)
    ]


@pytest.mark.parametrize("name", PER_CLIP)
def test_what_is_spoilt_fails(name: str, voices: list[Known]) -> None:
    failed = [line.failed for voice in voices for line in voice.listen(voice.spoilt(name))]
    assert sum(failed) >= 2 * JUDGED - 1


@pytest.mark.parametrize("name", PER_SET)
def test_what_four_lines_tell_together_is_rejected(name: str, voices: list[Known]) -> None:
    for voice in voices:
        waves = voice.spoilt(name)
        assert not verdict(voice.listen(waves), voice.judge.hear_voice(waves)).accepted


def test_clean_speech_is_accepted(voices: list[Known]) -> None:
    for voice in voices:
        waves = [line.wave for line in voice.lines]
        concluded = verdict(voice.listen(waves), voice.judge.hear_voice(waves))
        assert concluded.accepted and concluded.failed_lines == 0


def test_one_wrong_word_is_told_and_not_rejected(voices: list[Known]) -> None:
    told = [line for voice in voices for line in voice.listen(voice.spoilt("one word wrong"))]
    assert sum(line.failed for line in told) == 0
    assert sum(line.character_error > 0 for line in told) >= JUDGED
