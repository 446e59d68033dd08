"""Folders transcribed by a Whisper, and the review of its transcripts."""

from __future__ import annotations

import csv
import json
import math
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.support.paths import DEMO_VOICE, ROOT
from tests.support.tiny_ctc import make_tiny_ctc
from tests.support.tiny_whisper import make_tiny_whisper
from tests.support.transcribe_command import command
from trainable.dataset.transcribe.transcribe import TranscriptionSummary, transcribe_folder
from trainable.dataset.transcribe.transcript import JOURNAL, TranscriptJournal
from trainable.speech.asr.whisper import RATE
from trainable.speech.audio import SAMPLE_RATE, read_audio, resample

TRANSCRIPT = "one two three"


@pytest.fixture(scope="module")
def asr(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_tiny_whisper(tmp_path_factory.mktemp("asr") / "tiny", f" {TRANSCRIPT}"))


def metadata(folder: Path) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert all(row.keys() == {"audio_filepath", "text"} for row in rows)
    return [(row["audio_filepath"], row["text"]) for row in rows]


def review(folder: Path) -> list[dict[str, str]]:
    with (folder / "review.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_gets_the_guides_layout(untranscribed: Path, asr: str) -> None:
    shutil.copy(DEMO_VOICE / "ref.wav", untranscribed)
    (untranscribed / "wavs").mkdir()
    wave, rate = soundfile.read(DEMO_VOICE / "clip_010.wav")
    soundfile.write(untranscribed / "wavs" / "ten.flac", np.stack([wave, wave], axis=1), rate)
    told = []
    done = transcribe_folder(untranscribed, asr, "en", on_progress=lambda done, of: told.append((done, of)))
    names = [f"clip_{number:03d}.wav" for number in range(6)]
    assert metadata(untranscribed) == [(name, TRANSCRIPT) for name in [*names, "wavs/ten.flac"]]
    assert (untranscribed / "ref_text.txt").read_text() == f"{TRANSCRIPT}\n"
    assert done == TranscriptionSummary(
        recordings=7, kept=0, added=7, wordless=0, suspicious=done.suspicious, reference=True
    )
    assert told[0] == (0, 8) and told[-1] == (8, 8) and told == sorted(told)
    assert {row["clip"] for row in review(untranscribed)} == {*names, "wavs/ten.flac", "ref.wav"}


def test_silence_gets_no_transcript_and_the_worst_come_first(untranscribed: Path, asr: str) -> None:
    soundfile.write(untranscribed / "silence.wav", np.zeros(2 * RATE), RATE)
    soundfile.write(untranscribed / "blip.wav", np.zeros(100), RATE)
    (untranscribed / "broken.wav").write_bytes(b"RIFF nothing")
    (untranscribed / "phone.m4a").write_bytes(b"nothing")
    # The same three words in ten times the time.
    soundfile.write(
        untranscribed / "slow.wav",
        np.concatenate([read_audio(DEMO_VOICE / f"clip_{n:03d}.wav") for n in range(12)]),
        SAMPLE_RATE,
    )
    done = transcribe_folder(untranscribed, asr, "en")
    names = [name for name, _ in metadata(untranscribed)]
    assert names == [*(f"clip_{number:03d}.wav" for number in range(6)), "slow.wav"]
    rows = review(untranscribed)
    why = {row["clip"]: row["why"] for row in rows}
    assert [row["clip"] for row in rows[:4]] == ["blip.wav", "broken.wav", "phone.m4a", "silence.wav"]
    assert why["silence.wav"] == why["blip.wav"] == "no speech"
    assert why["broken.wav"].startswith("not readable as audio") and "convert it" in why["phone.m4a"]
    assert "words missing" in why["slow.wav"]
    doubtful = [bool(row["why"]) for row in rows]
    assert doubtful == sorted(doubtful, reverse=True) and sum(doubtful) == done.suspicious
    assert all(float(row["confidence"]) == pytest.approx(0.9, abs=0.1) for row in rows if row["text"])
    assert done.wordless == 4


def test_a_long_recording_is_transcribed_in_pieces(tmp_path: Path, asr: str) -> None:
    folder = tmp_path / "voice"
    folder.mkdir()
    clips = [read_audio(DEMO_VOICE / f"clip_{number:03d}.wav") for number in range(0, 40)]
    pause = np.zeros(SAMPLE_RATE // 2, np.float32)
    wave = np.concatenate([part for clip in clips for part in (clip, pause)])
    assert 60 < wave.size / SAMPLE_RATE < 120
    soundfile.write(folder / "long.wav", wave, SAMPLE_RATE)
    transcribe_folder(folder, asr, "en")
    pieces = metadata(folder)[0][1].count(TRANSCRIPT)
    assert math.ceil(wave.size / SAMPLE_RATE / 30) <= pieces <= 60
    assert metadata(folder)[0][1] == " ".join([TRANSCRIPT] * pieces)
    assert "longer than 30" in review(folder)[0]["why"]


def test_only_recordings_without_a_transcript_are_transcribed(untranscribed: Path, asr: str) -> None:
    corrected = '{"audio_filepath": "clip_002.wav", "text": "seven"}\n\n{"audio_filepath": "gone.wav", "text": "x"}'
    (untranscribed / "metadata.jsonl").write_text(corrected)
    done = transcribe_folder(untranscribed, asr, "en")
    assert (done.kept, done.added) == (1, 5)
    text = (untranscribed / "metadata.jsonl").read_text()
    assert text.startswith(corrected + "\n") and "clip_002.wav" not in text[len(corrected) :]
    assert "clip_002.wav" not in {row["clip"] for row in review(untranscribed)}

    before = (untranscribed / "metadata.jsonl").read_bytes()
    code, said = command(untranscribed, "--asr", "a model that is not needed", "--language", "en")
    assert code == 0 and "nothing to transcribe, 6 of 6" in said
    assert (untranscribed / "metadata.jsonl").read_bytes() == before

    done = transcribe_folder(untranscribed, asr, "en", force=True)
    assert (done.kept, done.added) == (0, 6)
    assert metadata(untranscribed) == [(f"clip_{number:03d}.wav", TRANSCRIPT) for number in range(6)]


def test_a_corrected_transcript_leaves_the_review(untranscribed: Path, asr: str) -> None:
    transcribe_folder(untranscribed, asr, "en")
    rows = metadata(untranscribed)
    assert len(review(untranscribed)) == 6
    rows[3] = (rows[3][0], "eight")
    lines = [json.dumps({"audio_filepath": name, "text": text}) for name, text in rows]
    (untranscribed / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    transcribe_folder(untranscribed, asr, "en")
    assert metadata(untranscribed) == rows
    assert rows[3][0] not in {row["clip"] for row in review(untranscribed)} and len(review(untranscribed)) == 5


def test_only_a_changed_recording_is_transcribed_again(untranscribed: Path, asr: str, tmp_path: Path) -> None:
    transcribe_folder(untranscribed, asr, "en")
    other = str(make_tiny_whisper(tmp_path / "other", " four"))
    shutil.copy(DEMO_VOICE / "clip_009.wav", untranscribed / "clip_001.wav")
    heard = len((untranscribed / JOURNAL).read_bytes().splitlines())
    transcribe_folder(untranscribed, asr, "en", force=True)
    assert len((untranscribed / JOURNAL).read_bytes().splitlines()) == heard + 1
    transcribe_folder(untranscribed, other, "en", force=True)
    assert {text for _, text in metadata(untranscribed)} == {"four"}


def test_transcripts_survive_a_kill(untranscribed: Path, asr: str) -> None:
    for number in range(6, 12):
        shutil.copy(DEMO_VOICE / f"clip_{number:03d}.wav", untranscribed)
    code = f"""
import os, signal
from pathlib import Path
from trainable.dataset.transcribe.transcribe import transcribe_folder
def kill(done, of):
    if done >= 8:
        os.kill(os.getpid(), signal.SIGKILL)
transcribe_folder(Path({str(untranscribed)!r}), {asr!r}, "en", on_progress=kill)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == -signal.SIGKILL
    assert not (untranscribed / "metadata.jsonl").exists()
    with (untranscribed / JOURNAL).open("ab") as file:
        file.write(b'{"recording": {"name": "clip_0')
    told = []
    transcribe_folder(untranscribed, asr, "en", on_progress=lambda done, of: told.append((done, of)))
    assert told[0] == (8, 12) and told[-1] == (12, 12)
    assert metadata(untranscribed) == [(f"clip_{number:03d}.wav", TRANSCRIPT) for number in range(12)]
    assert len(TranscriptJournal(untranscribed, asr, "en").read()) == 12


def no_folder(folder: Path) -> Path:
    return folder / "none"


def no_recordings(folder: Path) -> Path:
    (folder / "notes.txt").write_text("mine")
    return folder


def split_folders(folder: Path) -> Path:
    (folder / "train").mkdir()
    return folder


def wordless(folder: Path) -> Path:
    soundfile.write(folder / "a.wav", np.zeros(RATE), RATE)
    return folder


def other_encoding(folder: Path) -> Path:
    shutil.copy(DEMO_VOICE / "clip_000.wav", folder)
    (folder / "metadata.jsonl").write_bytes('{"audio_filepath": "a.wav", "text": "blåbær"}'.encode("latin-1"))
    return folder


FOLDERS = [
    (no_folder, "no such folder"),
    (no_recordings, "holds no recordings; expected .wav"),
    (split_folders, "transcribe train one by one"),
    (wordless, "no word was recognised in any of 1"),
    (other_encoding, "UTF-8"),
]


@pytest.mark.parametrize(("prepare", "message"), FOLDERS, ids=[message for _, message in FOLDERS])
def test_an_unusable_folder_is_refused(prepare, message: str, tmp_path: Path, asr: str) -> None:
    (tmp_path / "voice").mkdir()
    code, said = command(prepare(tmp_path / "voice"), "--asr", asr)
    assert code == 2 and message in said and "Traceback" not in said


def test_a_checkpoint_that_is_not_sure_of_anything_is_reviewed_without(untranscribed: Path, tmp_path: Path) -> None:
    wave = resample(read_audio(untranscribed / "clip_001.wav"), SAMPLE_RATE, RATE)
    ctc = make_tiny_ctc(tmp_path / "ctc", wave, "three seven")
    code, said = command(untranscribed, "--asr", ctc)
    assert code == 0 and "recordings transcribed" in said
    rows = review(untranscribed)
    assert {row["confidence"] for row in rows} == {""} and len(rows) == 6
    assert not any("confidence" in row["why"] or "detected" in row["why"] for row in rows)
    assert "confidence" not in (untranscribed / "review.html").read_text()


def test_the_command_reports_what_to_do_next(untranscribed: Path, asr: str) -> None:
    shutil.copy(DEMO_VOICE / "ref.wav", untranscribed)
    soundfile.write(untranscribed / "silence.wav", np.zeros(RATE), RATE)
    code, said = command(untranscribed, "--asr", asr, "--language", "norwegian")
    assert code == 0
    assert "6 of 7 recordings transcribed" in said and "without a word: 1" in said
    assert (
        "review.html" in said
        and f"python -m trainable.dataset check {untranscribed}" in said
        and "ref_text.txt" in said
    )
