"""Errors of the hub, and its Parquet conversion as the fallback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pytest
from huggingface_hub.errors import OfflineModeIsEnabled

from spaces.errors import InputError
from tests.support.parquet_voice import NO_LIBRARY, audio_bytes, fetch, make_hub_voice, source, write_split
from trainable.dataset.finding import errors
from trainable.dataset.loading.hub import read_hub
from trainable.dataset.loading.hub_rows import HubLibrary, choose_files, explain
from trainable.dataset.loading.load import open_dataset
from trainable.dataset.source import Source


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return make_hub_voice(tmp_path / "rows")


def make_script(folder: Path) -> Path:
    folder.mkdir()
    (folder / f"{folder.name}.py").write_text("raise SystemExit('was run')")
    return folder


def make_broken(folder: Path) -> None:
    write_split(folder / "train.parquet", {"a": [1]}, {}).write_bytes(b"PAR1")


def make_recordings(folder: Path) -> Path:
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "a.flac").write_bytes(audio_bytes())
    (folder / "train" / "metadata.csv").write_text("file_name,text\na.flac,words\n")
    return folder


@pytest.mark.parametrize(
    ("prepare", "options", "message"),
    [
        (make_hub_voice, ":test", "Bad split: test. Available splits: \\['train'\\]; write hf:ID:CONFIG:SPLIT"),
        (make_hub_voice, ":nb", "BuilderConfig 'nb' not found. Available: \\['default'\\]; write hf:ID:CONFIG:SPLIT"),
        (lambda folder: folder.mkdir(), "", "nothing to read there"),
        (lambda folder: None, "", "nothing to read there"),
        (make_script, "", "is a script, which datasets does not run"),
        (make_recordings, "", "give a local folder of recordings as it is, without hf:"),
        (make_broken, "", "cannot be read"),
    ],
)
def test_an_unreadable_dataset_is_one_error(tmp_path: Path, prepare, options: str, message: str) -> None:
    prepare(tmp_path / "rows")
    with pytest.raises(InputError, match=message):
        fetch(source(tmp_path / "rows", options), tmp_path)
    dataset, findings = open_dataset([source(tmp_path / "rows", options)], True, tmp_path)
    assert dataset is None
    assert [str(each).count("hf:/") for each in errors(findings)] == [1]


def hub_of(files: dict[str, Path], reason: Exception) -> HubLibrary:
    """A hub that has a dataset only as a Parquet conversion, with these files."""

    def load(path: str, **named: Any) -> Any:
        if path != "parquet":
            raise reason
        names = [url.partition("@refs%2Fconvert%2Fparquet/")[2] for url in named.pop("data_files")]
        return datasets.load_dataset(path, data_files=[str(files[name]) for name in names], **named)

    return HubLibrary(load, lambda name: [".gitattributes", *files])


SCRIPT = RuntimeError("Dataset scripts are no longer supported, but found NPSC.py")


@pytest.mark.parametrize("reason", [SCRIPT, ImportError("please install 'torchcodec'")])
def test_a_script_is_read_from_its_conversion(rows: Path, tmp_path: Path, reason: Exception) -> None:
    data = rows / "data" / "train-00000-of-00001.parquet"
    library = hub_of({"nb/train/0000.parquet": data, "nn/partial-train/0000.parquet": data}, reason)
    whole = read_hub(Source.parse("hf:them/NPSC:nb"), tmp_path, lambda *told: None, library)
    assert len(whole.rows) == 6 and whole.findings == []
    partial = read_hub(Source.parse("hf:them/NPSC:nn"), tmp_path, lambda *told: None, library)
    assert len(partial.rows) == 6 and [each.check for each in partial.findings] == ["hub-partial"]


FILES = ["nb/train/0001.parquet", "nb/train/0000.parquet", "nb/test/0000.parquet", "nn/train/0000.parquet", "a.txt"]


@pytest.mark.parametrize(
    ("asked", "chosen"), [(":nb", sorted(FILES[:2])), (":nb:test", FILES[2:3]), (":nn:train", FILES[3:4])]
)
def test_the_files_of_one_config_and_split_are_chosen(asked: str, chosen: list[str]) -> None:
    assert choose_files(Source.parse(f"hf:a/b{asked}"), FILES) == chosen


@pytest.mark.parametrize(
    ("asked", "message"),
    [("", "expected one of its configs, nb, nn; write hf:a/b:CONFIG"), (":nn:dev", "no split dev, there are train")],
)
def test_a_conversion_without_the_config_or_split_is_refused(asked: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        choose_files(Source.parse(f"hf:a/b{asked}"), FILES)


class RevisionNotFoundError(Exception):
    """Named as in huggingface_hub, whose own class needs an HTTP response."""


def failing(error: Exception, conversion: Exception | None = None) -> HubLibrary:
    def load(*args: Any, **named: Any) -> Any:
        raise error

    def converted(name: str) -> list[str]:
        raise conversion or error

    return HubLibrary(load, converted)


@pytest.mark.parametrize(
    ("library", "message"),
    [
        (failing(SCRIPT, RevisionNotFoundError("404")), "is a script.*no Parquet conversion.*give the folder"),
        (failing(SCRIPT, OfflineModeIsEnabled("offline")), "cannot be reached .*HF_HUB_OFFLINE"),
        (failing(datasets.exceptions.DatasetNotFoundError("is gated")), "private or gated .*hf auth login"),
        (failing(ConnectionError("no route")), "cannot be reached"),
        (failing(ValueError("Config name is missing. Pick one among ['nb']")), "\\['nb'\\]; write hf:ID:CONFIG:SPLIT"),
        (failing(KeyError("oddity")), "cannot be read \\(KeyError: 'oddity'\\)"),
    ],
)
def test_errors_of_the_hub_name_a_remedy(tmp_path: Path, library: HubLibrary, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fetch(Source.parse("hf:them/NPSC"), tmp_path, library)


def test_messages_hold_no_secrets() -> None:
    error = ValueError("token hf_AbCdEf123456 for https://cdn.hf.co/a.parquet?Signature=abc&Key=def\nand more")
    words = str(explain(Source.parse("hf:a/b"), error))
    assert "AbCdEf" not in words and "Signature" not in words and "\n" not in words
    assert "https://cdn.hf.co/a.parquet and more" in words


def test_a_folder_with_the_name_of_a_hub_dataset_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_hub_voice(tmp_path / "you" / "voice")
    with pytest.raises(InputError, match="write hf:./you/voice"):
        fetch(Source.parse("hf:you/voice"), tmp_path, NO_LIBRARY)
    assert len(fetch(Source.parse("hf:./you/voice"), tmp_path)) == 6
