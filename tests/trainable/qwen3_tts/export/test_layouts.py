"""Every layout of tiny checkpoints of both sizes, loaded by plain libraries and by our code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from peft import PeftModel
from qwen_tts import Qwen3TTSModel
from safetensors.torch import load_file

from results.export.verify import EXACT_TOLERANCE, ROUNDED_TOLERANCE, relative_difference, tolerance_of
from spaces.errors import InputError
from spaces.probe_settings import Sampling
from spaces.qwen3_tts import QwenLayout
from tests.support import made_runs
from tests.support.exports import WEIGHTS, in_two_files, request, stored_as, trained_learner
from tests.support.qwen_fixtures import Tiny, draw
from tests.support.tiny_qwen import CODES
from tests.support.voices import tone
from trainable.family.export_request import ReferenceClip, speaker_name
from trainable.family.protocol import SpeechPrompt
from trainable.qwen3_tts import family
from trainable.qwen3_tts.checkpoint.load import load_base
from trainable.qwen3_tts.generation.logits import teacher_forced_logits
from trainable.qwen3_tts.generation.speech import speak
from trainable.qwen3_tts.learner import QwenLearner
from trainable.speech.audio import SAMPLE_RATE, write_audio

PROMPT = SpeechPrompt("speak this", seed=3, frame_cap=24)
LINEAR = draw(targets="linear")
ADAPTERS = [layout for layout in QwenLayout if not layout.is_whole]
WHOLE = [layout for layout in QwenLayout if layout.is_whole]
BASE_FILES = ("config.json", "generation_config.json", "vocab.json", "speech_tokenizer/model.safetensors")


DTYPES = {"1.7b": torch.bfloat16, "0.6b": torch.float32}
"""One for each size."""


@pytest.fixture
def base(tiny: Tiny, tmp_path: Path) -> Path:
    return stored_as(tiny.folder, tmp_path / "base", DTYPES[tiny.folder.name])


@pytest.fixture
def reference(tmp_path: Path) -> ReferenceClip:
    write_audio(tmp_path / "ref.wav", tone(2.0))
    return ReferenceClip(tmp_path / "ref.wav", "a tone")


def exported(learner: QwenLearner, base: Path, layout: QwenLayout, folder: Path, **given) -> Path:
    folder.mkdir()
    family.export(learner, request(base, layout, **given), folder)
    return folder


@pytest.mark.parametrize("layout", ADAPTERS)
@pytest.mark.parametrize("language", ["auto", "english"])
def test_an_adapter_speaks_the_same_codes_from_any_layout(
    tiny: Tiny, base: Path, reference, tmp_path: Path, layout, language
) -> None:
    learner = trained_learner(base, tiny, LINEAR, language)
    folder = exported(learner, base, layout, tmp_path / "out", reference=reference, outcome=made_runs.outcome("t1"))
    [expected] = learner.speak([PROMPT], Sampling())
    said = family.load_exported(folder).speak(PROMPT, Sampling())
    assert np.array_equal(said.codes, expected.codes) and said.eos == expected.eos
    [[untrained]] = speak(load_base(str(base)), tiny.data().speakers[0], language, [PROMPT], Sampling())
    assert not np.array_equal(untrained.codes, expected.codes)


@pytest.mark.parametrize("layout", WHOLE)
@pytest.mark.parametrize("targets", ["linear", "guide"])
def test_a_whole_checkpoint_has_the_logits_of_the_adapter(tiny: Tiny, base: Path, tmp_path: Path, layout, targets):
    learner = trained_learner(base, tiny, draw(targets=targets))
    folder = exported(learner, base, layout, tmp_path / "out")
    [spoken] = learner.speak([PROMPT], Sampling())
    expected = learner.teacher_forced_logits(PROMPT.text, spoken.codes)
    assert expected.shape == (spoken.frames + 1, CODES + 1024)
    merged = family.load_exported(folder).teacher_forced_logits(PROMPT.text, spoken.codes)
    untrained = teacher_forced_logits(load_base(str(base)), tiny.data().speakers[0], "auto", PROMPT.text, spoken.codes)
    difference = relative_difference(expected, merged)
    is_float32 = load_file(base / WEIGHTS)["talker.codec_head.weight"].dtype == torch.float32
    assert tolerance_of(folder) == (EXACT_TOLERANCE if is_float32 else ROUNDED_TOLERANCE)
    assert difference < (1e-5 if is_float32 else ROUNDED_TOLERANCE) < relative_difference(expected, untrained)


@pytest.mark.parametrize("layout", WHOLE)
def test_a_whole_checkpoint_keeps_what_was_not_trained(tiny: Tiny, base: Path, tmp_path: Path, layout) -> None:
    folder = exported(trained_learner(base, tiny, LINEAR), base, layout, tmp_path / "out")
    before, after = load_file(base / WEIGHTS), load_file(folder / WEIGHTS)
    gone, changed = before.keys() - after.keys(), {name for name in after if not after[name].equal(before[name])}
    row = {"talker.model.codec_embedding.weight"} if layout is QwenLayout.CUSTOM_VOICE else set()
    assert {after[name].dtype for name in after} == {before[name].dtype for name in after}
    assert all(name.startswith("speaker_encoder.") for name in gone) and bool(gone) == bool(row)
    assert row <= changed
    assert all("proj" in name and "talker." in name for name in changed - row)
    assert sum("text_projection" in name for name in changed) == sum("text_projection" in name for name in before)
    kept = BASE_FILES[bool(row) :]
    assert [(folder / name).read_bytes() for name in kept] == [(base / name).read_bytes() for name in kept]


def test_the_library_clones_with_a_merged_checkpoint(tiny: Tiny, tmp_path: Path) -> None:
    base = in_two_files(tiny.folder, tmp_path / "base")
    folder = exported(trained_learner(base, tiny, LINEAR), base, QwenLayout.MERGED, tmp_path / "out")
    tts = Qwen3TTSModel.from_pretrained(str(folder), attn_implementation="sdpa", dtype=torch.float32)
    waves, rate = tts.generate_voice_clone(
        "speak", ref_audio=(tone(1.0), SAMPLE_RATE), x_vector_only_mode=True, non_streaming_mode=True, max_new_tokens=8
    )
    assert rate == SAMPLE_RATE and len(waves[0]) > 0
    assert sorted(path.name for path in folder.glob("*.safetensors")) == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
        "voice.safetensors",
    ]


def test_the_library_speaks_a_custom_voice_by_name(tiny: Tiny, tmp_path: Path) -> None:
    learner = trained_learner(tiny.folder, tiny, LINEAR)
    folder = exported(learner, tiny.folder, QwenLayout.CUSTOM_VOICE, tmp_path / "out")
    tts = Qwen3TTSModel.from_pretrained(str(folder), attn_implementation="sdpa", dtype=torch.float32)
    assert tts.get_supported_speakers() == ["somebody"]
    assert tts.model.talker.get_input_embeddings().weight[CODES + 952].equal(tiny.data().speakers[0])
    waves, _ = tts.generate_custom_voice("speak", speaker="Somebody", language="Auto", max_new_tokens=8)
    assert len(waves[0]) > 0
    config = json.loads((folder / "config.json").read_text())
    assert config["talker_config"]["spk_id"] == {"somebody": CODES + 952}
    assert config["talker_config"]["spk_is_dialect"] == {"somebody": False}


def test_alexandria_merges_its_own_layout(tiny: Tiny, reference, tmp_path: Path) -> None:
    learner = trained_learner(tiny.folder, tiny, draw(targets="guide"))
    outcome = made_runs.outcome("t1")
    folder = exported(
        learner, tiny.folder, QwenLayout.ALEXANDRIA, tmp_path / "out", reference=reference, outcome=outcome
    )
    meta = json.loads((folder / "training_meta.json").read_text())
    assert (meta["ref_sample_text"], meta["ref_sample_audio"]) == ("a tone", "ref_sample.wav")
    assert (meta["lora_r"], meta["lora_alpha"], meta["num_samples"]) == (8, 16, 4)
    assert meta["final_loss"] == outcome.point.losses["guide"]
    tts = tiny.fresh()
    tts.model.talker = PeftModel.from_pretrained(tts.model.talker, str(folder)).merge_and_unload()
    [spoken] = learner.speak([PROMPT], Sampling())
    merged = teacher_forced_logits(tts, tiny.data().speakers[0], "auto", PROMPT.text, spoken.codes)
    assert relative_difference(learner.teacher_forced_logits(PROMPT.text, spoken.codes), merged) < 1e-5


def test_kathrines_loader_loads_its_layout(tiny: Tiny, tmp_path: Path) -> None:
    learner = trained_learner(tiny.folder, tiny, LINEAR)
    folder = exported(learner, tiny.folder, QwenLayout.KATHRINE, tmp_path / "out")
    tts = tiny.fresh()
    PeftModel.from_pretrained(tts.model.talker.model, str(folder)).eval()
    projection = torch.load(folder / "text_projection.bin", weights_only=True)
    tts.model.talker.text_projection.load_state_dict(projection)
    [expected] = learner.speak([PROMPT], Sampling())
    [[said]] = speak(tts, tiny.data().speakers[0], "auto", [PROMPT], Sampling())
    assert np.array_equal(said.codes, expected.codes)


def test_kathrines_layout_cannot_hold_a_code_predictor(tiny: Tiny, tmp_path: Path) -> None:
    learner = trained_learner(tiny.folder, tiny, draw(targets="guide"))
    with pytest.raises(InputError, match=r"also adapts code_predictor\.model\.layers\.0.*merged"):
        exported(learner, tiny.folder, QwenLayout.KATHRINE, tmp_path / "out")


@pytest.mark.parametrize("transcript", ["", " \n"])
def test_alexandrias_layout_needs_a_transcript(tiny: Tiny, reference, tmp_path: Path, transcript: str) -> None:
    learner = trained_learner(tiny.folder, tiny, LINEAR)
    with pytest.raises(InputError, match="ref_text.txt"):
        exported(
            learner,
            tiny.folder,
            QwenLayout.ALEXANDRIA,
            tmp_path / "out",
            reference=ReferenceClip(reference.audio, transcript),
            outcome=made_runs.outcome("t1"),
        )


@pytest.mark.parametrize(
    ("voice", "name"),
    [("My Voice", "my_voice"), ("a + b", "a_b"), ("Øyvind", "yvind"), ("声", "voice"), ("../x", "x")],
)
def test_a_voice_is_named_so_that_the_library_finds_it(voice: str, name: str) -> None:
    assert speaker_name(voice) == name
