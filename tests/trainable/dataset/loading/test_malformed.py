"""Malformed datasets give findings, never a traceback."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from spaces.errors import InputError
from tests.support.parquet_voice import audio_bytes, make_hub_voice
from trainable.dataset.finding import Severity
from trainable.dataset.loading.load import load_dataset, open_dataset
from trainable.dataset.source import Source

GOOD = {form: audio_bytes(0.25, form=form) for form in ("WAV", "FLAC", "OGG", "MP3")}
NAMES = ["metadata.jsonl", "train/metadata.jsonl", "train.jsonl", "validation.jsonl", "metadata.csv", "a.txt"]
ODD_NAMES = ["a.wav", "./a.wav", "../a.wav", "/etc/passwd", "b", "", ".", "a\0.wav", "é.wav", "a" * 300, "x/" * 3000]

often = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
strings = st.one_of(st.sampled_from(ODD_NAMES), st.text(st.characters(), max_size=20))
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), strings),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(strings, inner, max_size=3),
    max_leaves=8,
)
KEYS = ["audio_filepath", "audio", "text", "speaker", "language", "ref_audio", "ref_text", "audio_codes"]
GOOD_ROWS = [{}, {"audio_filepath": "a.wav", "text": "words"}, {"audio": "a.wav", "text": "words"}]
odd = st.dictionaries(st.sampled_from(KEYS), values | strings, max_size=3)
rows = st.builds(lambda good, odd: json.dumps(good | odd), st.sampled_from(GOOD_ROWS), odd)
lines = st.lists(rows | values.map(json.dumps) | st.text(max_size=20), max_size=5).map("\n".join)
table = st.lists(st.lists(strings, max_size=4).map("|".join), max_size=5).map("\n".join)
encodings = st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1"])
written = st.builds(lambda text, encoding: text.encode(encoding, "replace"), lines | table, encodings)


@contextmanager
def folder_with(files: dict[str, bytes]) -> Iterator[Path]:
    """A folder with one good recording and these files."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "voice"
        for path, data in {"a.wav": GOOD["WAV"], **files}.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        (folder / "b").mkdir()
        yield folder


def check_opening(source: Source, cache: Path) -> None:
    """Opening gives findings that can be printed and stored; loading gives a dataset or an InputError."""
    dataset, findings = open_dataset([source], True, cache)
    for finding in findings:
        assert "\n" not in str(finding)
        json.dumps(finding.model_dump(mode="json"), ensure_ascii=False).encode()
    if any(finding.severity is Severity.ERROR for finding in findings):
        with pytest.raises(InputError):
            load_dataset([source], True, cache)
    else:
        assert dataset is not None and load_dataset([source], True, cache) == dataset
    if dataset is not None:
        assert len(dataset.fingerprint()) == 64
        assert [dataset.speaker_index(clip) for clip in dataset.clips]
        assert all(clip.audio.is_relative_to(source.path) for clip in dataset.clips)


@often
@given(name=st.sampled_from(NAMES), data=written | st.binary(max_size=200))
@example(name="metadata.jsonl", data=b'{"audio_filepath": "a.wav", "text": "a"}\n' + b"[" * 200_000)
@example(name="metadata.jsonl", data=b'{"audio_filepath": "a.wav", "text": "a", "speaker": ' + b"9" * 5000 + b"}")
@example(name="metadata.jsonl", data=b'{"audio_filepath": "a.wav", "text": "a", "speaker": "\\ud800"}')
@example(name="metadata.jsonl", data=b'{"audio_filepath": "\\udcff.wav", "text": "\\udcff"}')
@example(name="metadata.jsonl", data=b'{"audio_filepath": "a.wav", "text": "a", "audio_codes": [[1e999, NaN]]}')
@example(name="metadata.jsonl", data=b'{"audio_filepath": "a.wav", "text": "a", "ref_audio": "b", "speaker": "/"}')
@example(
    name="train.jsonl", data=b'{"audio": "a.wav", "text": "a", "ref_audio": "a.wav", "speaker": "' + b"x" * 9999 + b'"}'
)
@example(name="metadata.csv", data=b"a|\xff\xfe|\x00\n\x00|b")
@example(name="metadata.csv", data=b"x" * 5000 + b"|words")
@example(name="a.txt", data=b"\xff\xfe\x00")
def test_any_metadata(name: str, data: bytes) -> None:
    with folder_with({name: data}) as folder:
        check_opening(Source(path=folder), folder.parent / "cache")


@often
@given(name=st.sampled_from(["metadata.jsonl", "train.jsonl", "metadata.csv"]), data=written)
def test_any_file_as_data(name: str, data: bytes) -> None:
    with folder_with({name: data}) as folder:
        dataset, findings = open_dataset([Source(path=folder / name)], True, folder.parent / "cache")
        assert dataset is not None or findings


def mutated(data: bytes, changes: list[tuple[int, int]], length: float) -> bytes:
    """Bytes of the header changed, and the end cut off."""
    held = bytearray(data[: int(len(data) * length)])
    for place, value in changes:
        if held:
            held[place % min(len(held), 64)] = value
    return bytes(held)


recordings = st.binary(max_size=200) | st.builds(
    mutated,
    st.sampled_from(list(GOOD.values())),
    st.lists(st.tuples(st.integers(0, 63), st.integers(0, 255)), max_size=6),
    st.sampled_from([1.0, 0.5, 0.01, 0.0]),
)
WAV_OF_NO_RATE = mutated(GOOD["WAV"], [(place, 0) for place in range(24, 28)], 1.0)
WAV_OF_NO_CHANNELS = mutated(GOOD["WAV"], [(22, 0), (23, 0)], 1.0)
WAV_OF_MANY_CHANNELS = mutated(GOOD["WAV"], [(22, 255), (23, 255)], 1.0)
WAV_OF_ANY_LENGTH = mutated(GOOD["WAV"], [(place, 255) for place in range(40, 44)], 1.0)


@often
@given(recording=recordings, reference=recordings, suffix=st.sampled_from([".wav", ".flac", ".mp3", ".ogg"]))
@example(recording=WAV_OF_NO_RATE, reference=WAV_OF_NO_CHANNELS, suffix=".wav")
@example(recording=WAV_OF_MANY_CHANNELS, reference=WAV_OF_ANY_LENGTH, suffix=".wav")
@example(recording=b"", reference=b"", suffix=".wav")
def test_any_recording(recording: bytes, reference: bytes, suffix: str) -> None:
    metadata = "".join(json.dumps({"audio_filepath": name, "text": name}) + "\n" for name in ("a.wav", f"x{suffix}"))
    files = {"metadata.jsonl": metadata.encode(), f"x{suffix}": recording, f"ref{suffix}": reference}
    with folder_with({**files, "ref_text.txt": b"words"}) as folder:
        check_opening(Source(path=folder), folder.parent / "cache")


@settings(often, max_examples=15)
@given(
    held=st.lists(st.none() | recordings, min_size=1, max_size=4),
    text=st.none() | st.text(st.characters(codec="utf-8")),
)
def test_any_rows_of_the_hub(held: list[bytes | None], text: str | None) -> None:
    with tempfile.TemporaryDirectory() as name:
        columns = {"audio": [{"bytes": each, "path": None} for each in held], "text": [text] * len(held)}
        make_hub_voice(Path(name) / "rows", **columns)
        dataset, findings = open_dataset([Source(path=Path(name) / "rows", hub=True)], True, Path(name) / "cache")
        assert dataset is not None or findings


@pytest.mark.parametrize("name", ["metadata.jsonl", "metadata.csv", "ref_text.txt", "ref.wav", "refs", "wavs", "train"])
def test_folders_in_place_of_files_and_files_in_place_of_folders(name: str) -> None:
    good = json.dumps({"audio_filepath": "a.wav", "text": "words"}).encode()
    with folder_with({"metadata.jsonl": good} if name not in ("metadata.jsonl", "metadata.csv") else {}) as folder:
        if "." in name:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(b"x")
        check_opening(Source(path=folder), folder.parent / "cache")


def test_names_that_are_not_unicode() -> None:
    with folder_with({}) as folder:
        for name in (b"\xff.wav", b"\xff.txt", b"\xfe.wav"):
            Path(bytes(folder).decode() + "/" + name.decode("utf-8", "surrogateescape")).write_bytes(GOOD["WAV"])
        check_opening(Source(path=folder), folder.parent / "cache")
        (folder / "metadata.jsonl").write_text(json.dumps({"audio_filepath": "a.wav", "text": "words"}))
        check_opening(Source(path=folder), folder.parent / "cache")


def test_a_path_that_is_too_long_or_a_loop(tmp_path: Path) -> None:
    check_opening(Source(path=tmp_path / ("x" * 5000)), tmp_path)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    check_opening(Source(path=tmp_path / "loop"), tmp_path)
