"""File names in data from others never lead outside its folder."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from results.run.run_folder import RunFolder
from search.submit.fetch import fetch
from search.submit.head import CommandResult, OnLine
from spaces.errors import InputError
from tests.support.parquet_voice import make_hub_voice
from tests.support.voices import make_voice
from trainable.dataset.finding import Severity
from trainable.dataset.loading.load import open_dataset
from trainable.dataset.source import Source


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A private recording outside the dataset."""
    return make_voice(tmp_path / "private") / "clip_00.wav"


def guide(voice: Path, name: str) -> None:
    rewritten(voice / "metadata.jsonl", "audio_filepath", name)


def guide_reference(voice: Path, name: str) -> None:
    rewritten(voice / "metadata.jsonl", "ref_audio", name)


def qwen(voice: Path, name: str) -> None:
    lines = [json.loads(line) for line in (voice / "metadata.jsonl").read_text().splitlines()]
    (voice / "metadata.jsonl").unlink()
    rows = [{"audio": line["audio_filepath"], "text": line["text"], "ref_audio": "ref.wav"} for line in lines]
    rows[0]["audio"] = name
    (voice / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def ljspeech(voice: Path, name: str) -> None:
    (voice / "metadata.jsonl").unlink()
    stem = name.removesuffix(".wav")
    (voice / "metadata.csv").write_text(f"{stem}|words to say\nclip_01|other words\n")


def rewritten(metadata: Path, key: str, value: str) -> None:
    first, *others = metadata.read_text().splitlines()
    metadata.write_text("\n".join([json.dumps({**json.loads(first), key: value}), *others]) + "\n")


@pytest.mark.parametrize("write", [guide, guide_reference, qwen, ljspeech])
@pytest.mark.parametrize(
    "name",
    [
        "../private/clip_00.wav",
        "./../voice/../private/clip_00.wav",
        "{outside}",
        "/proc/self/environ",
        "../../../../etc/passwd",
    ],
)
def test_metadata_names_nothing_outside_its_folder(
    tmp_path: Path, outside: Path, write: Callable[[Path, str], None], name: str
) -> None:
    voice = make_voice(tmp_path / "voice")
    write(voice, name.format(outside=outside))
    dataset, findings = open_dataset([Source.parse(str(voice))], True, tmp_path / "cache")
    told = [str(each) for each in findings if each.severity is Severity.ERROR]
    # LJSpeech names are resolved below wavs/, so that one step up is still inside the folder.
    refusals = ("outside the dataset's folder; copy it in", "transcript without audio")
    assert any(words in each for each in told for words in refusals), told
    used = [clip.audio for clip in dataset.clips] + [each.reference.audio for each in dataset.speakers]
    assert all(path.is_relative_to(voice) for path in used)


def test_rows_of_the_hub_cannot_choose_file_names(tmp_path: Path) -> None:
    """The recordings are named ../../0.mp3."""
    rows = make_hub_voice(tmp_path / "rows")
    dataset, _ = open_dataset([Source.parse(f"hf:{rows}")], True, tmp_path / "cache")
    assert dataset is not None and len(dataset.clips) == 6
    assert all(clip.audio.is_relative_to(tmp_path / "cache") for clip in dataset.clips)
    assert not list(tmp_path.glob("**/0.mp3"))


class Sending:
    """A head that packs arbitrary archive members."""

    name = "toy.yaml"

    def __init__(self, *members: tarfile.TarInfo) -> None:
        self._members = members

    def run(self, command: str, on_line: OnLine | None = None) -> CommandResult:
        return CommandResult(0, ())

    def send(self, folder: Path, to: str) -> bool:
        return True

    def fetch(self, file: str, to: Path) -> bool:
        with tarfile.open(to, "w:gz") as archive:
            for member in (member_of("ledger.jsonl"), *self._members):
                archive.addfile(member, io.BytesIO(b"x" * member.size))
        return True


def member_of(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
    return member


@pytest.mark.parametrize(
    "members",
    [
        [member_of("../stolen")],
        [member_of("best/../../stolen")],
        [member_of("best", tarfile.SYMTYPE, "/etc"), member_of("best/stolen")],
        [member_of("best", tarfile.SYMTYPE, "../..")],
        [member_of("best", tarfile.LNKTYPE, "../../stolen")],
        [member_of("pipe", tarfile.FIFOTYPE)],
    ],
    ids=["up", "up from within", "a link out and through it", "a link up", "a hard link", "a pipe"],
)
def test_an_archive_of_the_head_stays_in_the_runs_folder(tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    out = RunFolder(tmp_path / "runs" / "mine")
    out.path.mkdir(parents=True)
    with pytest.raises(InputError, match="the results could not be unpacked"):
        fetch(Sending(*members), "/there/run", out)
    assert not list(out.path.iterdir()) and not list(tmp_path.rglob("stolen"))


def test_an_archive_of_the_head_is_unpacked(tmp_path: Path) -> None:
    out = RunFolder(tmp_path)
    fetch(Sending(member_of("best/adapter")), "/there/run", out)
    assert {path.name for path in tmp_path.iterdir()} == {"best", "ledger.jsonl"}
