"""The JSONL of Qwen's own fine-tuning scripts."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.datasets import look, only, record, write_rows
from trainable.dataset.finding import Severity

CODES = [[frame * 16 + group for group in range(16)] for frame in range(3)]


def qwen_folder(folder: Path, **extra: object) -> Path:
    """Two clips and one reference, as Qwen's scripts expect them."""
    for name in ("data/a.wav", "data/b.wav"):
        record(folder / name)
    record(folder / "data/ref.wav", 10.0)
    rows = [{"audio": f"./data/{name}.wav", "text": f"words of {name}", "ref_audio": "./data/ref.wav"} for name in "ab"]
    write_rows(folder / "train_raw.jsonl", *(row | extra for row in rows))
    return folder


@pytest.mark.parametrize("name", ["", "train_raw.jsonl"])
def test_qwens_jsonl(tmp_path: Path, name: str) -> None:
    folder = qwen_folder(tmp_path / "voice", language="Norwegian", audio_codes=CODES)
    dataset, findings = look(folder / name)
    assert [clip.text for clip in dataset.clips] == ["words of a", "words of b"]
    assert {clip.language for clip in dataset.clips} == {"Norwegian"}
    assert dataset.clips[0].codes == tuple(map(tuple, CODES))
    assert [(speaker.name, speaker.reference.audio) for speaker in dataset.speakers] == [
        ("", folder / "data" / "ref.wav")
    ]
    assert (only(findings).severity, only(findings).check) == (Severity.NOTE, "reference-text")


@pytest.mark.parametrize(
    "prepare",
    [
        lambda folder: qwen_folder(folder, ref_text="words of the reference"),
        lambda folder: qwen_folder(folder).joinpath("data/ref.txt").write_text("words of the reference"),
        lambda folder: qwen_folder(folder).joinpath("data/ref_text.txt").write_text("words of the reference"),
        lambda folder: write_rows(
            qwen_folder(folder) / "train_raw.jsonl",
            {"audio": "data/a.wav", "text": "some", "ref_audio": "data/ref.wav"},
            {"audio": "data/ref.wav", "text": "words of the reference", "ref_audio": "data/ref.wav"},
        ),
    ],
)
def test_the_transcript_of_a_reference_is_found(tmp_path: Path, prepare) -> None:
    prepare(tmp_path / "voice")
    dataset, findings = look(tmp_path / "voice")
    assert dataset.speakers[0].reference.text == "words of the reference"
    assert findings == []


def test_each_reference_is_a_speaker(tmp_path: Path) -> None:
    folder = tmp_path / "voice"
    for name in ("a", "b", "c", "d", "one/ref", "two/ref"):
        record(folder / f"{name}.wav")
    refs = {"a": "two/ref.wav", "b": "one/ref.wav", "c": "two/ref.wav", "d": "one/ref.wav"}
    rows = [{"audio": f"{clip}.wav", "text": clip, "ref_audio": ref, "ref_text": "so"} for clip, ref in refs.items()]
    write_rows(folder / "train.jsonl", *rows)
    dataset, findings = look(folder)
    assert [speaker.name for speaker in dataset.speakers] == ["two/ref.wav", "one/ref.wav"]
    assert [dataset.speaker_index(clip) for clip in dataset.clips] == [0, 1, 0, 1]
    assert findings == []


def test_a_reference_for_every_clip_is_a_warning(tmp_path: Path) -> None:
    folder = tmp_path / "voice"
    names = [record(folder / f"{name}.wav").name for name in "abc"]
    write_rows(folder / "train.jsonl", *({"audio": name, "text": name, "ref_audio": name} for name in names))
    dataset, findings = look(folder)
    assert len(dataset.speakers) == 3
    assert only(findings).check == "many-references"


def test_absolute_paths_are_read_inside_the_folder_only(tmp_path: Path) -> None:
    folder = qwen_folder(tmp_path / "voice", ref_text="so")
    inside, outside = folder / "data" / "a.wav", record(tmp_path / "elsewhere.wav")
    row = {"text": "words", "ref_audio": str(folder / "data/ref.wav"), "ref_text": "so"}
    write_rows(folder / "train_raw.jsonl", row | {"audio": str(inside)})
    assert look(folder)[1] == []
    write_rows(folder / "train_raw.jsonl", row | {"audio": str(inside)}, row | {"audio": str(outside)})
    dataset, findings = look(folder)
    assert len(dataset.clips) == 1
    assert only(findings).check == "outside" and "copy it in" in only(findings).message


def test_codes_of_another_shape_are_ignored_with_a_warning(tmp_path: Path) -> None:
    folder = qwen_folder(tmp_path / "voice", ref_text="so", audio_codes=[[1, 2], [3, 4]])
    dataset, findings = look(folder)
    assert {clip.codes for clip in dataset.clips} == {None}
    assert only(findings).check == "audio-codes"


@pytest.mark.parametrize(
    ("files", "training"),
    [
        (("train_raw", "train_with_codes"), "train_with_codes"),
        (("train_raw", "train"), "train"),
        (("train", "notes"), "train"),
        (("anna_raw",), "anna_raw"),
        (("anna_raw_with_codes", "anna_raw"), "anna_raw_with_codes"),
    ],
)
def test_the_file_of_the_latest_step_is_read(tmp_path: Path, files: tuple[str, ...], training: str) -> None:
    folder = tmp_path / "voice"
    record(folder / "a.wav")
    for name in files:
        write_rows(folder / f"{name}.jsonl", {"audio": "a.wav", "text": name, "ref_audio": "a.wav"})
    assert [clip.text for clip in look(folder)[0].clips] == [training]


def test_a_validation_file_is_held_out(tmp_path: Path) -> None:
    folder = qwen_folder(tmp_path / "voice", ref_text="so")
    write_rows(folder / "validation.jsonl", {"audio": str(record(folder / "v.wav")), "text": "kept"})
    assert [(clip.text, clip.held_out) for clip in look(folder)[0].clips][2:] == [("kept", True)]


def test_two_possible_lists_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "voice"
    record(folder / "a.wav")
    for name in ("one", "two"):
        write_rows(folder / f"{name}.jsonl", {"audio": "a.wav", "text": name, "ref_audio": "a.wav"})
    assert "one.jsonl, two.jsonl could each be" in only(look(folder)[1]).message
    assert look(folder / "two.jsonl")[0].clips[0].text == "two"
