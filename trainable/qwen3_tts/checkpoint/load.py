"""Loads a Qwen3-TTS checkpoint by name or path."""

from pathlib import Path

import torch
from qwen_tts import Qwen3TTSModel

from trainable.files.node_copy import node_copy
from trainable.qwen3_tts import mel_codec
from trainable.qwen3_tts.checkpoint.check import check_model


def load_base(model: str) -> Qwen3TTSModel:
    """Loads a Base checkpoint, frozen and in evaluation mode: bfloat16 on a GPU, float32 on a CPU.

    No code from the checkpoint is executed: the codec is one of the library's or the registered `mel_codec`.
    Raises InputError as `check_model` does.
    """
    folder = check_model(model)
    # A model from the hub is in the node's own cache already.
    return load_checkpoint(str(node_copy(Path(folder))) if Path(model).is_dir() else folder)


def load_checkpoint(folder: str) -> Qwen3TTSModel:
    """Loads a folder that is known to hold a checkpoint, Base or not, in the same way."""
    mel_codec.register()
    has_gpu = torch.cuda.is_available()
    device = torch.device("cuda", torch.cuda.current_device()) if has_gpu else torch.device("cpu")
    dtype = torch.bfloat16 if has_gpu else torch.float32
    tts = Qwen3TTSModel.from_pretrained(folder, device_map=device, dtype=dtype, attn_implementation="sdpa")
    tts.model.requires_grad_(False)
    tts.model.eval()
    return tts
