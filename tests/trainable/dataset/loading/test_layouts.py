"""The layouts of local folders."""

from __future__ import annotations

import codecs
import json
import os
import shutil
from pathlib import Path

import pytest

from spaces.errors import InputError
from tests.support.datasets import add_reference, look, only, record, write_rows
from tests.support.voices import make_voice
from trainable.dataset.finding import errors
from trainable.dataset.loading.load import load_dataset
from trainable.dataset.source import Source


def test_the_clips_of_val_are_held_out(tmp_path: Path) -> None:
    voice = make_voice(tmp_path / "voice" / "train").parent
    make_voice(voice / "val", ("words kept for later",))
    dataset, findings = look(voice)
    assert [clip.held_out for clip in dataset.clips] == [False] * 8 + [True]
    assert dataset.speakers[0].reference.audio == voice / "train" / "ref.wav"
    assert findings == []


def test_one_metadata_file_may_name_train_and_val(tmp_path: Path) -> None:
    voice = tmp_path / "voice"
    names = ["train/a.wav", "validation/b.wav", "val.wav"]
    write_rows(
        voice / "metadata.jsonl",
        *({"audio_filepath": str(record(voice / name).relative_to(voice)), "text": name} for name in names),
    )
    add_reference(voice)
    assert [clip.held_out for clip in look(voice)[0].clips] == [False, True, False]


@pytest.mark.parametrize("suffix", [".flac", ".mp3", ".ogg", ".WAV"])
def test_recordings_may_have_any_readable_format(tmp_path: Path, suffix: str) -> None:
    voice = tmp_path / "voice"
    write_rows(voice / "metadata.jsonl", {"audio_filepath": f"a{suffix}", "text": "words"})
    record(voice / f"a{suffix}")
    record(voice / f"ref{suffix}", 10.0)
    (voice / "ref_text.txt").write_text("words of it")
    dataset, findings = look(voice)
    assert findings == [] and dataset.speakers[0].reference.audio == voice / f"ref{suffix}"


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: codecs.BOM_UTF8 + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
        lambda text: text.encode("utf-32"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
    ],
)
def test_any_unicode_encoding_and_line_ending_is_read(tmp_path: Path, encode) -> None:
    voice = tmp_path / "voice"
    rows = [{"audio_filepath": f"{place}.wav", "text": f"blå\u2028ræv {place}"} for place in range(2)]
    for row in rows:
        record(voice / row["audio_filepath"])
    add_reference(voice)
    (voice / "metadata.jsonl").write_bytes(encode("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)))
    dataset, findings = look(voice)
    assert findings == []
    assert [clip.text for clip in dataset.clips] == [row["text"] for row in rows]


def test_another_encoding_is_an_error_at_its_line(tmp_path: Path) -> None:
    voice = make_voice(tmp_path / "voice")
    with (voice / "metadata.jsonl").open("ab") as file:
        file.write('{"audio_filepath": "clip_00.wav", "text": "blå"}\n'.encode("latin-1"))
    found = only(errors(look(voice)[1]))
    assert found.check == "encoding" and found.where.endswith("metadata.jsonl:9") and "0xe5" in found.message


def test_other_keys_can_be_named(tmp_path: Path) -> None:
    voice = tmp_path / "voice"
    write_rows(voice / "metadata.jsonl", {"file_name": "a.wav", "sentence": "words"})
    record(voice / "a.wav")
    add_reference(voice)
    assert "audio=KEY" in only(errors(look(voice)[1])).message
    assert [clip.text for clip in look(f"{voice},audio=file_name,text=sentence")[0].clips] == ["words"]


def test_links_inside_a_folder_are_followed(tmp_path: Path) -> None:
    """Downloads by huggingface_hub are links to a folder of blobs."""
    voice = make_voice(tmp_path / "voice")
    shutil.move(voice / "clip_00.wav", tmp_path / "blob")
    (voice / "clip_00.wav").symlink_to(tmp_path / "blob")
    os.symlink(voice, tmp_path / "linked")
    assert len(look(tmp_path / "linked")[0].clips) == 8
    assert look(tmp_path / "linked")[1] == []


def test_ljspeech(tmp_path: Path) -> None:
    folder = tmp_path / "voice"
    record(folder / "wavs" / "LJ-1.wav")
    record(folder / "wavs" / "LJ-2.flac")
    record(folder / "LJ-3.wav")
    lines = ['LJ-1|"In 1455|"In fourteen fifty-five', "LJ-2|plain words|", "LJ-3.wav|only two columns"]
    (folder / "metadata.csv").write_text("\n".join(lines))
    add_reference(folder)
    dataset, findings = look(folder)
    assert [clip.text for clip in dataset.clips] == ['"In fourteen fifty-five', "plain words", "only two columns"]
    assert findings == []


@pytest.mark.parametrize(
    ("line", "check"),
    [
        ("LJ-9|words", "missing-audio"),
        ("LJ-1|  |", "empty-text"),
        ("LJ-1", "wrong-fields"),
        ("LJ-1|a|b|c", "wrong-fields"),
        ("|words", "wrong-fields"),
        ("../../secret|words", "outside"),
        ("a\0b|words", "missing-audio"),
    ],
)
def test_a_wrong_line_of_ljspeech(tmp_path: Path, line: str, check: str) -> None:
    folder = tmp_path / "voice"
    record(folder / "wavs" / "LJ-1.wav")
    (folder / "metadata.csv").write_text(f"LJ-1|words\n{line}\n")
    add_reference(folder)
    found = only(look(folder)[1])
    assert (found.check, found.where) == (check, f"{folder}/metadata.csv:2")


def test_a_csv_with_commas_is_one_error(tmp_path: Path) -> None:
    folder = tmp_path / "voice"
    folder.mkdir()
    (folder / "metadata.csv").write_text("file_name,text\na.wav,words\nb.wav,more\n")
    assert "separated by |, got file_name,text" in only(look(folder)[1]).message


def test_pairs(tmp_path: Path) -> None:
    folder = tmp_path / "voice"
    for name in ("b.wav", "a.flac", "c.ogg"):
        (record(folder / name).with_suffix(".txt")).write_text(f"words of\n{name}\n")
    add_reference(folder)
    (folder / "README.txt").write_text("about this voice")
    dataset, findings = look(folder)
    assert [clip.text for clip in dataset.clips] == ["words of a.flac", "words of b.wav", "words of c.ogg"]
    assert findings == []


def test_findings_on_pairs(tmp_path: Path) -> None:
    folder = tmp_path / "voice"
    for name, text in (("a", "words"), ("b", " ")):
        (record(folder / f"{name}.wav").with_suffix(".txt")).write_text(text)
    (folder / "c.txt").write_text("no recording of this")
    record(folder / "d.wav")
    found = {finding.check: finding.severity for finding in look(folder, auto_reference=True)[1]}
    assert found == {"missing-audio": "error", "empty-text": "error", "unnamed-audio": "warning"}


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda f: None, "holds no clips; looked for metadata.jsonl .* metadata.csv .* a .txt beside"),
        (lambda f: [record(f / f"{name}.wav") for name in "abc"], "3 recordings have no .*dataset transcribe"),
        (lambda f: [record(f / "wavs" / f"{name}.wav") for name in "ab"], "2 recordings have no .*dataset transcribe"),
        (lambda f: record(f / "long.wav"), "one recording; cut it .* split .*long.wav`, or .* transcribe"),
        (lambda f: (f / "a.m4a").write_bytes(b"x"), "ffmpeg -i a.m4a a.wav"),
    ],
)
def test_a_folder_without_transcripts_says_what_to_do(tmp_path: Path, prepare, message: str) -> None:
    folder = tmp_path / "voice"
    folder.mkdir()
    prepare(folder)
    with pytest.raises(InputError, match=message):
        load_dataset([Source(path=folder)], False, tmp_path / "cache")


def test_a_single_recording_is_to_be_split(tmp_path: Path) -> None:
    assert "dataset split" in only(look(record(tmp_path / "long.wav"))[1]).message


def test_a_file_of_another_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("words")
    assert "ends in .jsonl or .csv" in only(look(tmp_path / "a.txt")[1]).message
