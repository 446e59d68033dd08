"""The GPU memory that a recogniser takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trainable.speech.background.memory import WHISPERS, WhisperSize, gpu_bytes

WHISPER = {"model_type": "whisper", "decoder_layers": 32, "d_model": 1280}
CTC = {"model_type": "wav2vec2", "architectures": ["Wav2Vec2ForCTC"]}
CONVERTED = {"lang_ids": [1], "suppress_ids": [2]}
LARGE_CLIP = WHISPERS["large"].clip_bytes


def checkpoint(folder: Path, config: dict, weights: str, size: int) -> str:
    (folder / "config.json").write_text(json.dumps(config))
    with (folder / weights).open("wb") as file:
        # A hole: no bytes are written.
        file.truncate(size)
    return str(folder)


@pytest.mark.parametrize(
    ("config", "weights", "file", "loaded"),
    [
        ({**WHISPER, "torch_dtype": "float16"}, "model.safetensors", 3_100_000_000, 3.1e9 + LARGE_CLIP),
        ({**WHISPER, "torch_dtype": "float32"}, "model.safetensors", 6_200_000_000, 3.1e9 + LARGE_CLIP),
        ({**WHISPER, "dtype": "bfloat16"}, "model.safetensors", 3_100_000_000, 3.1e9 + LARGE_CLIP),
        (WHISPER, "pytorch_model.bin", 6_200_000_000, 3.1e9 + LARGE_CLIP),
        (CTC, "model.safetensors", 1_260_000_000, 1.26e9 + 8 * 393_216_000),
        ({**CTC, "torch_dtype": "float16"}, "model.safetensors", 630_000_000, 1.26e9 + 8 * 393_216_000),
        (CONVERTED, "model.bin", 3_090_000_000, 3.09e9 + LARGE_CLIP),
    ],
)
def test_files_tell_what_a_checkpoint_takes(
    tmp_path: Path, config: dict, weights: str, file: int, loaded: float
) -> None:
    """A Whisper is loaded in float16 and a CTC checkpoint in float32, whatever their files are in."""
    assert gpu_bytes(checkpoint(tmp_path, config, weights, file)) == pytest.approx(loaded)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("none", 0, 0),
        ("pocketsphinx", 0, 0),
        ("openai/whisper-large-v3", 3.1e9, 3.6e9),
        ("openai/whisper-large-v3-turbo", 1.6e9, 1.9e9),
        ("NbAiLab/nb-whisper-large", 3.1e9, 3.6e9),
        ("openai/whisper-tiny.en", 0.1e9, 0.3e9),
        ("Lemswasabi/wav2vec2-large-xlsr-53-842h-luxembourgish-14h", 1.3e9, 5e9),
        ("facebook/mms-1b-all", 3.9e9, 8e9),
        ("nobody/knows-this", 3.1e9, 3.6e9),
    ],
)
def test_a_name_tells_it_before_the_files_are_here(
    name: str, low: float, high: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert low <= gpu_bytes(name) <= high


def test_a_clip_takes_more_with_more_decoder_layers_and_width() -> None:
    assert WhisperSize(0, 4, 1280).clip_bytes < WhisperSize(0, 32, 1280).clip_bytes
    assert WhisperSize(0, 4, 384).clip_bytes < WhisperSize(0, 4, 1280).clip_bytes
