"""Preparation encodes everything once, as the whole model would, and finds it in the cache afterwards."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from spaces.data_settings import AugmentationSettings
from spaces.errors import InputError
from tests.support.encoding_plans import CHECKPOINT, VOICE, clip_of, demo_clips, plan_of
from tests.support.qwen_fixtures import Tiny, assert_same_embedding
from trainable.dataset.clip import Clip
from trainable.dataset.encoding_plan import EncodingItem, EncodingPlan
from trainable.dataset.finding import Severity
from trainable.dataset.split import DatasetSplit, Role
from trainable.qwen3_tts import family
from trainable.qwen3_tts.checkpoint.load import load_base
from trainable.qwen3_tts.data import encode as encoding
from trainable.qwen3_tts.data import prepare as preparation
from trainable.qwen3_tts.data.codec import Codec
from trainable.qwen3_tts.data.prepared import MARKER, prompt_ids, read_prepared
from trainable.qwen3_tts.data.speaker_embeddings import QwenSpeakerEncoder
from trainable.speech.audio import SAMPLE_RATE, read_audio

CPU = torch.device("cpu")


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the recordings that were encoded, not read from the cache."""
    names: list[str] = []
    encode = Codec.encode

    def recorded(codec: Codec, item: EncodingItem) -> np.ndarray:
        names.append(item.clip.audio.name)
        return encode(codec, item)

    monkeypatch.setattr(Codec, "encode", recorded)
    return names


@pytest.fixture
def voice(tmp_path: Path) -> list[Clip]:
    """Six clips of the demo voice in a folder of their own."""
    return demo_clips(6, shutil.copytree(VOICE, tmp_path / "voice"))


def prepare(
    plan: EncodingPlan, folder: Path, name: str = "run", model: Path = CHECKPOINT, on_progress=lambda *told: None
):
    return family.prepare(plan, str(model), folder / name, folder / "cache", on_progress)


def test_prepared_data_equal_those_of_the_whole_model(tiny: Tiny, tmp_path: Path) -> None:
    plan = plan_of(demo_clips(4))
    prepare(plan, tmp_path, model=tiny.folder)
    data = read_prepared(tmp_path / "run")
    for clip, prepared in zip(demo_clips(4), data.clips, strict=True):
        whole = tiny.tts.model.speech_tokenizer.encode(read_audio(clip.audio), sr=SAMPLE_RATE).audio_codes[0]
        assert torch.equal(prepared.codes, whole.long())
        assert (prepared.text, prepared.seconds, prepared.speaker) == (clip.text, clip.seconds, 0)
        assert torch.equal(prompt_ids(tiny.tts.processor, clip.text)[3:-5], prepared.text_ids)
    reference = tiny.tts.model.extract_speaker_embedding(read_audio(VOICE / "ref.wav"), SAMPLE_RATE)
    assert_same_embedding(data.speakers, reference[None])
    assert torch.equal(data.role_ids, prompt_ids(tiny.tts.processor, "x")[:3])
    assert data.split == plan.split


def test_the_speaker_encoder_alone_equals_the_whole_model() -> None:
    tts, alone = load_base(str(CHECKPOINT)), QwenSpeakerEncoder(CHECKPOINT, CPU)
    for name in ("ref", "clip_003"):
        wave = read_audio(VOICE / f"{name}.wav")
        assert_same_embedding(alone.embed(wave), tts.model.extract_speaker_embedding(wave, SAMPLE_RATE))
    assert torch.isfinite(alone.embed(np.ones(3, np.float32))).all()


def test_a_second_run_encodes_nothing(tmp_path: Path, encoded: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plan = plan_of(demo_clips(6))
    findings = prepare(plan, tmp_path)
    assert len(encoded) == 6
    whole = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}

    def refuse(*given: object) -> None:
        raise AssertionError("nothing is missing")

    monkeypatch.setattr(Codec, "__init__", refuse)
    monkeypatch.setattr(QwenSpeakerEncoder, "__init__", refuse)
    told: list[tuple[int, int]] = []
    assert prepare(plan, tmp_path, "another", on_progress=lambda *counts: told.append(counts)) == findings
    assert told == [(6, 6)]
    assert {path.name: path.read_bytes() for path in (tmp_path / "another").iterdir()} == whole
    stamps = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()}
    assert prepare(plan, tmp_path) == findings
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "run").iterdir()} == stamps


def test_progress_counts_cached_items(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    prepare(plan_of(demo_clips(3)), tmp_path, "first")
    prepare(plan_of(demo_clips(6)), tmp_path, "second", on_progress=lambda *counts: told.append(counts))
    assert told == [(3, 6), (4, 6), (5, 6), (6, 6)]


def test_one_changed_clip_encodes_that_clip(tmp_path: Path, voice: list[Clip], encoded: list[str]) -> None:
    prepare(plan_of(voice), tmp_path)
    before = read_prepared(tmp_path / "run")
    encoded.clear()
    audio = voice[2].audio
    soundfile.write(audio, 0.5 * read_audio(audio), SAMPLE_RATE)
    changed = [*voice[:2], clip_of(audio, voice[2].text), *voice[3:]]
    prepare(plan_of(changed), tmp_path)
    assert encoded == [audio.name]
    after = read_prepared(tmp_path / "run")
    same = [torch.equal(one.codes, other.codes) for one, other in zip(before.clips, after.clips, strict=True)]
    assert same == [True, True, False, True, True, True]


@pytest.mark.parametrize("part", ["another text", "another order", "fewer"])
def test_changes_other_than_audio_encode_nothing(
    tmp_path: Path, voice: list[Clip], encoded: list[str], part: str
) -> None:
    prepare(plan_of(voice), tmp_path)
    before = read_prepared(tmp_path / "run")
    encoded.clear()
    other = {
        "another text": [replace(voice[0], text="ten"), *voice[1:]],
        "another order": voice[::-1],
        "fewer": voice[:4],
    }[part]
    prepare(plan_of(other), tmp_path)
    assert encoded == []
    after = read_prepared(tmp_path / "run")
    assert [clip.text for clip in after.clips] == [clip.text for clip in other] != [clip.text for clip in before.clips]
    codes = {clip.audio: prepared.codes for clip, prepared in zip(voice, before.clips, strict=True)}
    assert all(
        torch.equal(prepared.codes, codes[clip.audio]) for clip, prepared in zip(other, after.clips, strict=True)
    )


def test_copies_are_encoded_behind_the_clips(tmp_path: Path, encoded: list[str]) -> None:
    augment = AugmentationSettings(copies=2, speed=(0.8, 0.9), snr_db=(20.0, 30.0))
    prepare(plan_of(demo_clips(10)), tmp_path, "plain")
    plain = read_prepared(tmp_path / "plain")
    encoded.clear()
    plan = plan_of(demo_clips(10), augment)
    prepare(plan, tmp_path, "augmented")
    data = read_prepared(tmp_path / "augmented")
    assert len(encoded) == 2 * len(plain.split.training) == len(data.clips) - 10
    for one, other in zip(plain.clips, data.clips[:10], strict=True):
        assert torch.equal(one.codes, other.codes)
    assert data.split == plan.split == DatasetSplit.read(tmp_path / "augmented")
    for place in data.split.training:
        for copy in data.split.entries[place].copies:
            assert data.split.entries[copy].role is Role.COPY
            assert torch.equal(data.clips[copy].text_ids, data.clips[place].text_ids)
            assert len(data.clips[copy].codes) == pytest.approx(data.clips[copy].seconds * 12.5, abs=1)
            assert len(data.clips[copy].codes) > len(data.clips[place].codes)


def test_several_speakers_have_their_own_embeddings(tmp_path: Path) -> None:
    clips = [replace(clip, speaker=name) for clip, name in zip(demo_clips(6), "abbaba", strict=True)]
    references = {"a": VOICE / "ref.wav", "b": VOICE / "clip_020.wav"}
    prepare(plan_of(clips, references=references), tmp_path)
    data = read_prepared(tmp_path / "run")
    assert [clip.speaker for clip in data.clips] == [0, 1, 1, 0, 1, 0]
    encoder = QwenSpeakerEncoder(CHECKPOINT, CPU)
    assert torch.equal(data.speakers, torch.stack([encoder.embed(read_audio(path)) for path in references.values()]))
    assert data.split.speakers == ("a", "b")


def test_identical_codes_are_refused_and_named(tmp_path: Path, voice: list[Clip]) -> None:
    """Hum far below what the codec hears: two recordings, one row of codes."""
    for number, level in ((1, 1e-5), (4, 3e-5)):
        wave = level * np.sin(np.arange(SAMPLE_RATE))
        soundfile.write(voice[number].audio, wave, SAMPLE_RATE, subtype="FLOAT")
    clips = [clip_of(clip.audio, clip.text) for clip in voice]
    for _ in range(2):
        found = [each for each in prepare(plan_of(clips), tmp_path) if each.severity is Severity.ERROR]
        assert [each.check for each in found] == ["identical-codes"]
        assert found[0].clips == (str(voice[1].audio), str(voice[4].audio))
        with pytest.raises(FileNotFoundError, match="prepared.json is missing"):
            read_prepared(tmp_path / "run")


def test_findings_are_told_again_for_a_complete_folder(tmp_path: Path, voice: list[Clip]) -> None:
    """The demo's tokenizer knows no letter beyond ASCII as one token."""
    clips = [replace(voice[0], text="ƙofa"), *voice[1:]]
    first = prepare(plan_of(clips), tmp_path)
    assert [finding.check for finding in first] == ["split-characters"]
    assert prepare(plan_of(clips), tmp_path) == first


def test_a_reference_of_another_voice_is_told(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "other.wav", np.random.default_rng(0).normal(0, 0.1, 3 * SAMPLE_RATE), SAMPLE_RATE)
    found = prepare(plan_of(demo_clips(12), references={"": tmp_path / "other.wav"}), tmp_path)
    assert [finding.check for finding in found] == ["reference-voice"]
    assert found[0].where == str(tmp_path / "other.wav")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("spoil", [Path.unlink, cut, lambda path: path.write_bytes(b"")], ids=["gone", "cut", "empty"])
def test_a_spoiled_cache_is_made_good(tmp_path: Path, encoded: list[str], spoil: Callable[[Path], object]) -> None:
    plan = plan_of(demo_clips(6))
    prepare(plan, tmp_path)
    whole = {path.name: path.read_bytes() for path in (tmp_path / "run").iterdir()}
    shards = sorted((tmp_path / "cache").rglob("*.parquet"))
    for path in [shards[0], *(tmp_path / "cache").rglob("*.safetensors")]:
        spoil(path)
    encoded.clear()
    prepare(plan, tmp_path, "again")
    assert 1 <= len(encoded) == 6 // len(shards)
    assert {path.name: path.read_bytes() for path in (tmp_path / "again").iterdir()} == whole


def test_a_cache_deleted_between_runs_is_made_anew(tmp_path: Path, encoded: list[str]) -> None:
    plan = plan_of(demo_clips(4))
    prepare(plan, tmp_path)
    shutil.rmtree(tmp_path / "cache")
    prepare(plan, tmp_path)
    assert len(encoded) == 4
    prepare(plan, tmp_path, "again")
    assert len(encoded) == 8
    assert (tmp_path / "again" / "clips.parquet").read_bytes() == (tmp_path / "run" / "clips.parquet").read_bytes()


def test_a_cache_emptied_while_it_is_read_is_filled_again(tmp_path: Path, encoded, monkeypatch) -> None:
    plan = plan_of(demo_clips(3))
    encode = encoding.encode_items
    emptied: list[int] = []

    def encode_and_lose(*given) -> int:
        count = encode(*given)
        if not emptied:
            emptied.append(count)
            shutil.rmtree(tmp_path / "cache")
        return count

    monkeypatch.setattr(preparation, "encode_items", encode_and_lose)
    prepare(plan, tmp_path)
    assert len(encoded) == 6
    assert len(read_prepared(tmp_path / "run").clips) == 3


def test_a_cache_that_cannot_be_written_is_explained(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")
    with pytest.raises(InputError, match="SWEETSPOT_CACHE"):
        prepare(plan_of(demo_clips(2)), tmp_path)


def test_audio_that_has_gone_is_named_and_the_rest_is_kept(
    tmp_path: Path, voice: list[Clip], encoded: list[str]
) -> None:
    plan = plan_of(voice)
    kept = voice[3].audio.read_bytes()
    voice[3].audio.unlink()
    with pytest.raises(InputError, match=voice[3].audio.name):
        prepare(plan, tmp_path)
    before = len(encoded)
    assert encoded[-1] == voice[3].audio.name
    voice[3].audio.write_bytes(kept)
    prepare(plan, tmp_path)
    assert len(encoded) - before == 6 - (before - 1)


def test_another_model_is_another_preparation(tiny: Tiny, tmp_path: Path, encoded: list[str]) -> None:
    plan = plan_of(demo_clips(3))
    prepare(plan, tmp_path)
    prepare(plan, tmp_path, model=tiny.folder)
    assert len(encoded) == 6
    assert read_prepared(tmp_path / "run").speakers.shape[1] == tiny.tts.model.config.talker_config.hidden_size
    copy = shutil.copytree(tiny.folder, tmp_path / "copy")
    prepare(plan, tmp_path, model=copy)
    assert len(encoded) == 6


def test_the_marker_comes_last_and_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(plan_of(demo_clips(2)), tmp_path)
    assert json.loads((tmp_path / "run" / MARKER).read_text())["lineup"] == plan_of(demo_clips(2)).fingerprint()

    def fail(self: DatasetSplit, folder: Path) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(DatasetSplit, "write", fail)
    with pytest.raises(OSError, match="disk is full"):
        prepare(plan_of(demo_clips(3)), tmp_path)
    with pytest.raises(FileNotFoundError):
        read_prepared(tmp_path / "run")
