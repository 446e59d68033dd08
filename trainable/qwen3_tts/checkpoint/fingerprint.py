"""SHA-256 fingerprints of the parts of a checkpoint that decide what prepared data holds."""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import safe_open

CODE_FORMAT = 1
"""Increase it when this project changes how audio is encoded."""
EMBEDDING_FORMAT = 1
"""Increase it when this project changes how speaker embeddings are computed."""
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
"""Files that text ids may depend on. A checkpoint need not have all of them."""


def codec_fingerprint(checkpoint: Path, device: torch.device) -> str:
    """Covers every file of the codec and the type of device.

    Encoding is in float32 everywhere, but a GPU adds in another order than a CPU. If two codebook entries are almost
    equally near, the two devices may choose different ones. No difference is known between two GPUs, or between numbers
    of CPU threads.
    """
    digest = hashlib.sha256(f"codes {CODE_FORMAT} {device.type} float32".encode())
    for path in sorted((checkpoint / "speech_tokenizer").iterdir()):
        if path.is_file():
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"\n{path.name} {content}".encode())
    return digest.hexdigest()


def speaker_encoder_fingerprint(checkpoint: Path, device: torch.device) -> str:
    """Covers the speaker encoder's shape and weights, and the type of device, which decides their precision."""
    config = json.loads((checkpoint / "config.json").read_text(encoding="utf-8"))
    shape = json.dumps(config.get("speaker_encoder_config"), sort_keys=True)
    digest = hashlib.sha256(f"voices {EMBEDDING_FORMAT} {device.type} {shape}".encode())
    for name, weight in sorted(speaker_encoder_weights(checkpoint).items()):
        content = weight.contiguous().reshape(-1).view(torch.uint8).numpy()
        digest.update(f"\n{name} {weight.dtype} {hashlib.sha256(content).hexdigest()}".encode())
    return digest.hexdigest()


def model_fingerprint(checkpoint: Path, device: torch.device) -> str:
    """Covers everything in a checkpoint that decides what prepared data holds. The talker does not."""
    parts = [codec_fingerprint(checkpoint, device), speaker_encoder_fingerprint(checkpoint, device)]
    present = [checkpoint / name for name in TEXT_FILES if (checkpoint / name).is_file()]
    parts += [f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in present]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def speaker_encoder_weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """Reads the speaker encoder's tensors alone, in their stored types, by their names in `Qwen3TTSSpeakerEncoder`."""
    weights: dict[str, torch.Tensor] = {}
    for path in sorted(checkpoint.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            names = [name for name in sorted(file.keys()) if name.startswith(SPEAKER_ENCODER)]
            weights |= {name.removeprefix(SPEAKER_ENCODER): file.get_tensor(name) for name in names}
    return weights
