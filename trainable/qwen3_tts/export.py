"""An adapter as inference loads it: PEFT files, with text_projection inside and the voice beside."""

from __future__ import annotations

import json
from pathlib import Path

from peft import PeftModel
from qwen_tts import Qwen3TTSModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from spaces.errors import InputError
from spaces.probe_settings import Sampling
from trainable.family import Cue, Utterance
from trainable.qwen3_tts.load import load_base
from trainable.qwen3_tts.speak import speak

VOICE = "voice.safetensors"
CONFIG = "adapter_config.json"


def export_adapter(peft: PeftModel, speaker: Tensor, language: str, base_model: str, folder: Path) -> None:
    """Writes what `PeftModel.from_pretrained(model.model.talker, folder)` loads, and the voice beside it."""
    peft.peft_config["default"].base_model_name_or_path = base_model
    peft.save_pretrained(folder, safe_serialization=True, save_embedding_layers=False)
    save_file({"speaker": speaker.float().cpu().contiguous()}, folder / VOICE, metadata={"language": language})
    (folder / "README.md").unlink(missing_ok=True)


def load_exported(folder: Path, model: str | None) -> QwenSpeaker:
    """An exported adapter on its base. Raises InputError when the folder holds none, or its base cannot be had."""
    missing = [name for name in (CONFIG, "adapter_model.safetensors", VOICE) if not (folder / name).is_file()]
    if missing:
        raise InputError(f"{folder}: not an exported adapter, {', '.join(missing)} missing")
    base_model = model or json.loads((folder / CONFIG).read_text(encoding="utf-8"))["base_model_name_or_path"]
    tts = load_base(base_model)
    peft = PeftModel.from_pretrained(tts.model.talker, str(folder))
    peft.eval()
    return QwenSpeaker(tts, folder)


class QwenSpeaker:
    """See `trainable.family.Speaker`."""

    def __init__(self, tts: Qwen3TTSModel, folder: Path) -> None:
        self._tts = tts
        self._speaker = load_file(folder / VOICE)["speaker"].to(tts.model.device)
        self._language = _language(folder / VOICE)

    def speak(self, cue: Cue, sampling: Sampling) -> Utterance:
        [[utterance]] = speak(self._tts, self._speaker, self._language, [cue], sampling)
        return utterance


def _language(path: Path) -> str:
    with safe_open(path, framework="pt") as file:
        return file.metadata()["language"]
