"""Datasets of the hub, fetched into a folder; Parquet files on disk take the place of the hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import datasets
import pytest
import soundfile

from spaces.errors import InputError
from tests.support.parquet_voice import (
    AUDIO,
    NO_LIBRARY,
    STRING,
    audio_bytes,
    fetch,
    make_hub_voice,
    source,
    write_split,
)
from trainable.dataset.clip import VoiceDataset
from trainable.dataset.finding import Finding
from trainable.dataset.loading.hub import MARKER, folder_name
from trainable.dataset.loading.hub_rows import HubLibrary, hub_library
from trainable.dataset.loading.load import open_dataset
from trainable.dataset.source import Source


def look(*places: str, cache: Path) -> tuple[VoiceDataset | None, list[Finding]]:
    return open_dataset([Source.parse(place) for place in places], True, cache)


def marker(what: Source, cache: Path) -> dict[str, Any]:
    return json.loads((cache / "hub" / folder_name(what) / MARKER).read_text())


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return make_hub_voice(tmp_path / "rows")


def test_a_split_becomes_clips(rows: Path, tmp_path: Path) -> None:
    dataset, findings = look(f"hf:{rows}", cache=tmp_path / "cache")
    assert findings == []
    assert [clip.text for clip in dataset.clips] == [f"clip {place}" for place in range(6)]
    assert [clip.seconds for clip in dataset.clips] == [1.0 + place for place in range(6)]


def test_recordings_are_stored_unchanged(tmp_path: Path) -> None:
    forms = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3"}
    held = [audio_bytes(1.0, form=form) for form in forms.values()]
    make_hub_voice(tmp_path / "rows", 4, audio=[{"bytes": each, "path": "/etc/passwd"} for each in held])
    dataset, _ = look(f"hf:{tmp_path / 'rows'}", cache=tmp_path / "cache")
    assert [clip.audio.read_bytes() for clip in dataset.clips] == held
    assert [clip.audio.name for clip in dataset.clips] == [f"{place:07d}{suffix}" for place, suffix in enumerate(forms)]


def test_a_second_reading_does_not_use_the_hub(rows: Path, tmp_path: Path) -> None:
    texts = fetch(source(rows), tmp_path)
    assert fetch(source(rows), tmp_path, NO_LIBRARY) == texts
    assert marker(source(rows), tmp_path)["exhausted"]


@pytest.fixture
def skipped(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each reading skipped."""
    counts: list[int] = []
    skip = datasets.IterableDataset.skip
    monkeypatch.setattr(datasets.IterableDataset, "skip", lambda self, n: counts.append(n) or skip(self, n))
    return counts


def test_a_fetch_of_more_hours_continues_the_first(rows: Path, tmp_path: Path, skipped: list[int]) -> None:
    some, more = source(rows, f",hours={3 / 3600}"), source(rows, f",hours={10 / 3600}")
    assert fetch(some, tmp_path) == ["clip 0", "clip 1"]
    assert fetch(more, tmp_path) == ["clip 0", "clip 1", "clip 2", "clip 3"]
    assert fetch(some, tmp_path, NO_LIBRARY) == ["clip 0", "clip 1", "clip 2", "clip 3"]
    assert fetch(source(rows), tmp_path) == [f"clip {place}" for place in range(6)]
    assert skipped == [0, 2, 4]
    dataset, _ = open_dataset([some], True, tmp_path)
    assert [clip.text for clip in dataset.clips] == ["clip 0", "clip 1"]


def test_concurrent_fetches_fetch_each_row_once(rows: Path, tmp_path: Path, skipped: list[int]) -> None:
    with ThreadPoolExecutor(2) as pool:
        fetched = list(pool.map(lambda _: fetch(source(rows), tmp_path), range(2)))
    assert fetched == [[f"clip {place}" for place in range(6)]] * 2
    assert skipped == [0]


def breaking(after: int) -> HubLibrary:
    """A hub that stops answering after so many rows."""

    class Stream(list):
        features = datasets.Features({"audio": datasets.Audio(), "text": datasets.Value("string")})

        def cast_column(self, name: str, feature: object) -> Stream:
            return self

        def select_columns(self, names: list[str]) -> Stream:
            return self

        def skip(self, count: int) -> Iterator[dict]:
            for place in range(count, after):
                yield {"audio": {"bytes": audio_bytes(1.0 + place), "path": None}, "text": f"clip {place}"}
            raise ConnectionError("https://cdn.hub/x?signature=secret gave no answer to hf_abcdefgh")

    return HubLibrary(lambda *args, **named: Stream(), NO_LIBRARY.converted)


def test_an_interrupted_fetch_continues(rows: Path, tmp_path: Path, skipped: list[int]) -> None:
    what = source(rows)
    with pytest.raises(InputError, match="cannot be reached.*what is fetched is kept") as caught:
        fetch(what, tmp_path, breaking(3))
    assert "secret" not in str(caught.value) and "abcdefgh" not in str(caught.value)
    folder = tmp_path / "hub" / folder_name(what)
    assert not (folder / MARKER).exists()
    with (folder / "metadata.jsonl").open("a") as file:
        file.write('{"audio_filepath": "0000003.flac", "te')
    assert fetch(what, tmp_path) == [f"clip {place}" for place in range(6)]
    assert skipped == [3]


def test_rows_without_a_usable_clip_are_skipped_and_counted(tmp_path: Path) -> None:
    good, texts = audio_bytes(), ["one", " ", None, "four", "five", "six"]
    held = [good, good, good, b"noise", None, good]
    make_hub_voice(tmp_path / "rows", audio=[{"bytes": each, "path": "/etc/hosts"} for each in held], text=texts)
    dataset, findings = look(f"hf:{tmp_path / 'rows'}", cache=tmp_path / "cache")
    assert [clip.text for clip in dataset.clips] == ["one", "six"]
    assert [(each.check, each.message[:9]) for each in findings] == [("hub-rows", "4 of 6 ro")]


def test_only_the_given_split_is_read(rows: Path, tmp_path: Path) -> None:
    make_hub_voice(rows, 2, split="validation", text=["later", "last"])
    alone, _ = look(f"hf:{rows}:validation", cache=tmp_path / "cache")
    assert [(clip.text, clip.held_out) for clip in alone.clips] == [("later", False), ("last", False)]
    beside, _ = look(f"hf:{rows}", f"hf:{rows}:validation", cache=tmp_path / "cache")
    assert [clip.held_out for clip in beside.clips] == [False] * 6 + [True] * 2


def test_speakers_are_named_by_their_labels(tmp_path: Path) -> None:
    columns = {
        "file": [{"bytes": audio_bytes(1.0 + place), "path": None} for place in range(3)],
        "sentence": ["a", "b", "c"],
        "speaker_id": [1, 0, 1],
    }
    features = {"file": AUDIO, "sentence": STRING, "speaker_id": {"names": ["anna", "bo"], "_type": "ClassLabel"}}
    write_split(tmp_path / "rows" / "train.parquet", columns, features)
    dataset, _ = look(f"hf:{tmp_path / 'rows'}", cache=tmp_path / "cache")
    assert [speaker.name for speaker in dataset.speakers] == ["bo", "anna"]
    assert [clip.speaker for clip in dataset.clips] == ["bo", "anna", "bo"]


def test_plain_bytes_are_found_by_their_column_name(tmp_path: Path) -> None:
    held = [{"bytes": audio_bytes(), "path": None}]
    for place, columns in enumerate([{"audio": held, "text": ["so"]}, {"audio": [audio_bytes()], "text": ["so"]}]):
        write_split(tmp_path / str(place) / "train.parquet", columns, {})
        assert fetch(source(tmp_path / str(place)), tmp_path) == ["so"]


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"normalized_text": ["b"]}, "", "text, normalized_text could each be the text.*add ,text=text"),
        ({"text": None, "words": ["b"]}, "", "no column is plainly the text; the columns are audio, words: add ,text="),
        ({"text": None, "words": ["b"]}, ",text=word", "no column word; there are audio, words"),
        ({"audio": None, "sound": ["b"]}, "", "no column is plainly the audio; the columns are text, sound"),
        ({"speaker": ["b"], "client_id": ["c"]}, "", "speaker, client_id could each be the speaker"),
    ],
)
def test_ambiguous_or_missing_columns_are_refused(tmp_path: Path, columns: dict, options: str, message: str) -> None:
    rows = {"audio": [{"bytes": audio_bytes(), "path": None}], "text": ["a"]} | columns
    rows = {name: values for name, values in rows.items() if values is not None}
    write_split(
        tmp_path / "rows" / "train.parquet", rows, {name: AUDIO if name == "audio" else STRING for name in rows}
    )
    with pytest.raises(InputError, match=message):
        fetch(source(tmp_path / "rows", options), tmp_path)


def test_a_named_column_is_read(tmp_path: Path) -> None:
    make_hub_voice(tmp_path / "rows", 2, normalized_text=["one", "two"])
    assert fetch(source(tmp_path / "rows", ",text=normalized_text"), tmp_path) == ["one", "two"]
    assert fetch(source(tmp_path / "rows", ",text=text"), tmp_path) == ["clip 0", "clip 1"]


@pytest.mark.parametrize("other", [":nb", ":test", ",text=words", ",audio=sound", ",speaker=who"])
def test_sources_with_different_clips_have_different_folders(other: str) -> None:
    assert folder_name(Source.parse(f"hf:you/voice{other}")) != folder_name(Source.parse("hf:you/voice"))


@pytest.mark.parametrize("same", [":train", ",weight=2", ",hours=3"])
def test_sources_with_the_same_clips_share_a_folder(same: str) -> None:
    one, other = Source.parse("hf:you/voice"), Source.parse(f"hf:you/voice{same}")
    assert folder_name(other) == folder_name(one)


def test_hub_library_is_datasets_own() -> None:
    assert hub_library().load is datasets.load_dataset


def test_a_fetched_folder_is_a_dataset_of_its_own(rows: Path, tmp_path: Path) -> None:
    fetch(source(rows), tmp_path)
    folder = tmp_path / "hub" / folder_name(source(rows))
    assert all(soundfile.info(path).duration >= 1 for path in folder.glob("*.flac"))
    dataset, _ = open_dataset([Source(path=folder)], True, tmp_path)
    assert len(dataset.clips) == 6
