"""What of a checkpoint decides how it encodes, told apart by SHA-256."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import torch
from safetensors import safe_open

CODE_FORMAT = 1
"""Counts up when the same audio is to be encoded otherwise by this project."""
VOICE_FORMAT = 1
SPEAKER_ENCODER = "speaker_encoder."
TEXT_FILES = (
    "added_tokens.json",
    "merges.txt",
    "preprocessor_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
)
"""What text ids may depend on; not every checkpoint has all of them."""


def codec_fingerprint(checkpoint: Path, device: torch.device) -> str:
    """Of every file of the codec, and of the kind of device.

    Encoding is in float32 everywhere, yet a GPU adds up in another order than a CPU, and where two codebook entries are
    nearly as near one may choose the other. Which GPU, and how many threads a CPU has, changes nothing that is known.
    """
    digest = hashlib.sha256(f"codes {CODE_FORMAT} {device.type} float32".encode())
    for path in sorted((checkpoint / "speech_tokenizer").iterdir()):
        if path.is_file():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"\n{path.name} {content}".encode())
    return digest.hexdigest()


def voice_fingerprint(checkpoint: Path, device: torch.device) -> str:
    """Of the speaker encoder's shape and weights, and of the kind of device, which decides their precision."""
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    shape = json.dumps(config.get("speaker_encoder_config"), sort_keys=True)
    digest = hashlib.sha256(f"voices {VOICE_FORMAT} {device.type} {shape}".encode())
    for name, weight in sorted(speaker_encoder_weights(checkpoint).items()):
        content = weight.contiguous().reshape(-1).view(torch.uint8).numpy()
        digest.update(f"\n{name} {weight.dtype} {hashlib.sha256(content).hexdigest()}".encode())
    return digest.hexdigest()


def model_fingerprint(checkpoint: Path, device: torch.device) -> str:
    """Of everything in a checkpoint that decides what prepared data holds. The talker is not in it."""
    parts = [codec_fingerprint(checkpoint, device), voice_fingerprint(checkpoint, device)]
    present = [checkpoint / name for name in TEXT_FILES if (checkpoint / name).is_file()]
    parts += [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in present]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def speaker_encoder_weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The speaker encoder's tensors as they are stored, named as its own module names them; nothing else is read."""
    weights = {}
    for path in sorted(checkpoint.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            names = [name for name in sorted(file.keys()) if name.startswith(SPEAKER_ENCODER)]
            weights |= {name.removeprefix(SPEAKER_ENCODER): file.get_tensor(name) for name in names}
    return weights
