"""Datasets of the hub, fetched into a folder: from Parquet on disk, as the hub's lies elsewhere."""

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


def test_recordings_are_kept_as_the_bytes_they_are(tmp_path: Path) -> None:
    forms = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG", ".mp3": "MP3"}
    held = [audio_bytes(1.0, form=form) for form in forms.values()]
    make_hub_voice(tmp_path / "rows", 4, audio=[{"bytes": each, "path": "/etc/passwd"} for each in held])
    dataset, _ = look(f"hf:{tmp_path / 'rows'}", cache=tmp_path / "cache")
    assert [clip.audio.read_bytes() for clip in dataset.clips] == held
    assert [clip.audio.name for clip in dataset.clips] == [f"{place:07d}{suffix}" for place, suffix in enumerate(forms)]


def test_a_second_reading_asks_nobody(rows: Path, tmp_path: Path) -> None:
    texts = fetch(source(rows), tmp_path)
    assert fetch(source(rows), tmp_path, NO_LIBRARY) == texts
    assert marker(source(rows), tmp_path)["exhausted"]


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each reading passed over."""
    counts: list[int] = []
    skip = datasets.IterableDataset.skip
    monkeypatch.setattr(datasets.IterableDataset, "skip", lambda self, n: counts.append(n) or skip(self, n))
    return counts


def test_more_hours_go_on_where_fewer_ended(rows: Path, tmp_path: Path, passed: list[int]) -> None:
    some, more = source(rows, f",hours={3 / 3600}"), source(rows, f",hours={10 / 3600}")
    assert fetch(some, tmp_path) == ["clip 0", "clip 1"]
    assert fetch(more, tmp_path) == ["clip 0", "clip 1", "clip 2", "clip 3"]
    assert fetch(some, tmp_path, NO_LIBRARY) == ["clip 0", "clip 1", "clip 2", "clip 3"]
    assert fetch(source(rows), tmp_path) == [f"clip {place}" for place in range(6)]
    assert passed == [0, 2, 4]
    dataset, _ = open_dataset([some], True, tmp_path)
    assert [clip.text for clip in dataset.clips] == ["clip 0", "clip 1"]


def test_two_that_fetch_at_once_fetch_each_row_once(rows: Path, tmp_path: Path, passed: list[int]) -> None:
    with ThreadPoolExecutor(2) as pool:
        fetched = list(pool.map(lambda _: fetch(source(rows), tmp_path), range(2)))
    assert fetched == [[f"clip {place}" for place in range(6)]] * 2
    assert passed == [0]


def breaking(after: int) -> HubLibrary:
    """A hub that ceases to answer."""

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


def test_a_fetch_that_was_cut_off_goes_on(rows: Path, tmp_path: Path, passed: list[int]) -> None:
    what = source(rows)
    with pytest.raises(InputError, match="cannot be reached.*what is fetched is kept") as caught:
        fetch(what, tmp_path, breaking(3))
    assert "secret" not in str(caught.value) and "abcdefgh" not in str(caught.value)
    folder = tmp_path / "hub" / folder_name(what)
    assert not (folder / MARKER).exists()
    with (folder / "metadata.jsonl").open("a") as file:
        file.write('{"audio_filepath": "0000003.flac", "te')
    assert fetch(what, tmp_path) == [f"clip {place}" for place in range(6)]
    assert passed == [3]


def test_rows_that_are_no_clip_are_passed_over_and_counted(tmp_path: Path) -> None:
    good, texts = audio_bytes(), ["one", " ", None, "four", "five", "six"]
    held = [good, good, good, b"noise", None, good]
    make_hub_voice(tmp_path / "rows", audio=[{"bytes": each, "path": "/etc/hosts"} for each in held], text=texts)
    dataset, findings = look(f"hf:{tmp_path / 'rows'}", cache=tmp_path / "cache")
    assert [clip.text for clip in dataset.clips] == ["one", "six"]
    assert [(each.check, each.message[:9]) for each in findings] == [("hub-rows", "4 of 6 ro")]


def test_only_the_split_that_is_asked_for_is_read(rows: Path, tmp_path: Path) -> None:
    make_hub_voice(rows, 2, split="validation", text=["later", "last"])
    alone, _ = look(f"hf:{rows}:validation", cache=tmp_path / "cache")
    assert [(clip.text, clip.held_out) for clip in alone.clips] == [("later", False), ("last", False)]
    beside, _ = look(f"hf:{rows}", f"hf:{rows}:validation", cache=tmp_path / "cache")
    assert [clip.held_out for clip in beside.clips] == [False] * 6 + [True] * 2


def test_speakers_have_the_names_of_their_labels(tmp_path: Path) -> None:
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


def test_bytes_without_a_type_are_found_by_their_name(tmp_path: Path) -> None:
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
def test_columns_that_are_not_plain(tmp_path: Path, columns: dict, options: str, message: str) -> None:
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
def test_what_gives_other_clips_lies_in_another_folder(other: str) -> None:
    assert folder_name(Source.parse(f"hf:you/voice{other}")) != folder_name(Source.parse("hf:you/voice"))


@pytest.mark.parametrize("same", [":train", ",weight=2", ",hours=3"])
def test_what_gives_the_same_clips_lies_in_the_same_folder(same: str) -> None:
    one, other = Source.parse("hf:you/voice"), Source.parse(f"hf:you/voice{same}")
    assert folder_name(other) == folder_name(one)


def test_hub_library_is_datasets_own() -> None:
    assert hub_library().load is datasets.load_dataset


def test_a_fetched_folder_can_be_opened_by_anybody(rows: Path, tmp_path: Path) -> None:
    fetch(source(rows), tmp_path)
    folder = tmp_path / "hub" / folder_name(source(rows))
    assert all(soundfile.info(path).duration >= 1 for path in folder.glob("*.flac"))
    dataset, _ = open_dataset([Source(path=folder)], True, tmp_path)
    assert len(dataset.clips) == 6
