"""`python -m trainable.probe` compares voices with a reference or with recordings, or says why it cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.corruptions import corrupted, demo_clips
from tests.support.paths import DEMO_VOICE
from tests.support.probe_command import CLIP, TEXT, WAVE, WITH_ENCODER, manifest, probe, recording, verdict
from trainable.speech.audio import SAMPLE_RATE


def reference(folder: Path, seconds: float, name: str = "ref.wav") -> Path:
    """Other clips of the demo voice than those of `WAVE`, one after another."""
    wave = np.concatenate([wave for wave, _ in demo_clips()[20:]])
    return recording(folder / name, wave[: int(seconds * SAMPLE_RATE)])


def other_voice(wave: np.ndarray) -> np.ndarray:
    return corrupted("pitch shift", wave, 1)


@pytest.mark.parametrize(
    ("options", "origin"),
    [
        (lambda folder: ["--reference", reference(folder, 30)], "pieces of the voice itself to the others"),
        (lambda folder: ["--like", DEMO_VOICE], "pieces of the voice itself to the others"),
        (
            lambda folder: ["--like", DEMO_VOICE, "--reference", reference(folder, 15)],
            "pieces of the recordings of --like",
        ),
    ],
)
def test_a_voice_is_compared_with_its_recordings(options: Callable[[Path], list], origin: str, tmp_path: Path) -> None:
    given = [*options(tmp_path), *WITH_ENCODER]
    own = verdict(recording(tmp_path / "own.wav", WAVE), "--text", TEXT, *given)
    other = verdict(recording(tmp_path / "other.wav", other_voice(WAVE)), "--text", TEXT, *given)
    assert "voice_drift" not in own["unknown"] and "voice_drift" not in own["flags"]
    assert "voice_drift" in other["flags"] and not other["accepted"]
    least = own["measures"]["voice_similarity"]["threshold"]["least"]
    assert other["measures"]["voice_similarity"]["value"] < least < own["measures"]["voice_similarity"]["value"]
    assert origin in own["measures"]["voice_similarity"]["origin"]


@pytest.mark.parametrize(
    ("wave", "options", "why"),
    [
        (WAVE, lambda folder: [], "there is no voice encoder; name one with --encoder, or pip install"),
        (WAVE, lambda folder: ["--reference", reference(folder, 5), *WITH_ENCODER], "of speech are known of the voice"),
        (WAVE, lambda folder: ["--reference", reference(folder, 11), *WITH_ENCODER], "too few to measure the voice"),
        (
            WAVE,
            lambda folder: ["--reference", recording(folder / "still.wav", np.zeros(9 * SAMPLE_RATE)), *WITH_ENCODER],
            "0.0 s of speech are known of the voice",
        ),
        (
            WAVE,
            lambda folder: [
                "--reference",
                recording(folder / "nan.wav", np.full(9 * SAMPLE_RATE, np.nan)),
                *WITH_ENCODER,
            ],
            "0.0 s of speech are known of the voice",
        ),
        (
            WAVE[: 2 * SAMPLE_RATE],
            lambda folder: ["--reference", reference(folder, 30), *WITH_ENCODER],
            "are too few to",
        ),
        (WAVE * 0, lambda folder: ["--reference", reference(folder, 30), *WITH_ENCODER], "0.0 s of speech are too few"),
        (
            WAVE,
            lambda folder: [
                *("--reference", recording(folder / "other.wav", other_voice(np.tile(WAVE, 3)))),
                *("--like", DEMO_VOICE, *WITH_ENCODER),
            ],
            "the reference is another voice than the recordings of --like",
        ),
    ],
)
def test_a_voice_that_cannot_be_judged_is_unknown_with_the_reason(
    wave: np.ndarray, options: Callable[[Path], list], why: str, tmp_path: Path
) -> None:
    given = options(tmp_path) or ["--reference", reference(tmp_path, 30)]
    judged = verdict(recording(tmp_path / "clip.wav", wave), "--text", TEXT, *given)
    assert why in judged["unknown"]["voice_drift"] and "voice_drift" not in judged["flags"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no.wav", "--reference no.wav: no such audio file"),
        ("text.wav", "--reference text.wav: not readable as audio"),
        ("slow.wav", "--reference slow.wav: its header says 500 Hz"),
    ],
)
def test_a_wrong_reference_is_refused(name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.wav").write_text("just some text")
    recording(tmp_path / "slow.wav", WAVE, 500)
    result = probe(CLIP, "--text", "one", "--reference", name)
    assert (result.exit_code, result.stdout) == (2, "") and message in result.stderr


def test_each_line_of_a_manifest_may_have_its_own_reference(tmp_path: Path) -> None:
    recording(tmp_path / "one.wav", WAVE)
    reference(tmp_path, 30)
    recording(tmp_path / "other.wav", other_voice(np.concatenate([wave for wave, _ in demo_clips()[20:]])))
    line = {"audio": "one.wav", "text": TEXT}
    path = manifest(tmp_path, line, {**line, "reference": "other.wav"})
    result = probe("--manifest", path, "--reference", tmp_path / "ref.wav", *WITH_ENCODER, "--json")
    flags = [json.loads(line)["flags"] for line in result.stdout.splitlines()]
    assert (flags, result.exit_code) == ([[], ["voice_drift"]], 1)
