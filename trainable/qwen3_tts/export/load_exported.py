"""Loads an exported folder, or one that another trainer wrote. Its files tell which layout it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel
from qwen_tts import Qwen3TTSModel
from safetensors import SafetensorError, safe_open
from torch import Tensor

from spaces.errors import InputError
from spaces.probe_settings import Sampling
from trainable.family.protocol import SpeechPrompt, Utterance
from trainable.qwen3_tts.checkpoint.check import BASE, CUSTOM_VOICE, check_files, checkpoint_type
from trainable.qwen3_tts.checkpoint.load import load_base, load_checkpoint
from trainable.qwen3_tts.export import adapter_files, alexandria, kathrine
from trainable.qwen3_tts.export.layouts import VOICE
from trainable.qwen3_tts.export.merged import INDEX
from trainable.qwen3_tts.generation.logits import teacher_forced_logits
from trainable.qwen3_tts.generation.speech import speak
from trainable.qwen3_tts.model.codec_io import speaker_embedding
from trainable.qwen3_tts.model.lora import TEXT_PROJECTION
from trainable.qwen3_tts.model.prompt import think_prefix
from trainable.speech.audio import read_audio


def load_exported(
    folder: Path, model: str | None = None, language: str | None = None, reference: Path | None = None
) -> QwenSynthesiser:
    """See `trainable.family.protocol.Family.load_exported`. No code from the folder is executed."""
    if (folder / adapter_files.CONFIG).is_file():
        tts = _load_adapter(folder, model)
    elif (folder / "config.json").is_file():
        tts = _load_checkpoint(folder, model)
    else:
        raise InputError(
            f"{folder}: neither an adapter ({adapter_files.CONFIG}) nor a checkpoint (config.json); write one with "
            "`python -m results.export RUN DIR`"
        )
    voice = _read_voice(folder)
    speaker = _embed_recording(tts, read_audio(reference)) if reference else _speaker_embedding(tts, folder, voice)
    language = language or (voice[1] if voice else "auto")
    think_prefix(tts.model.config, language)
    return QwenSynthesiser(tts, speaker, language)


class QwenSynthesiser:
    """See `trainable.family.protocol.Synthesiser`."""

    def __init__(self, tts: Qwen3TTSModel, speaker: Tensor, language: str) -> None:
        """speaker: [hidden]."""
        self._tts, self._speaker, self._language = tts, speaker.to(tts.model.device), language

    def speak(self, prompt: SpeechPrompt, sampling: Sampling) -> Utterance:
        [[utterance]] = speak(self._tts, self._speaker, self._language, [prompt], sampling)
        return utterance

    def teacher_forced_logits(self, text: str, codes: np.ndarray) -> np.ndarray:
        return teacher_forced_logits(self._tts, self._speaker, self._language, text, codes)


def _load_adapter(folder: Path, model: str | None) -> Qwen3TTSModel:
    if not (folder / adapter_files.WEIGHTS).is_file():
        raise InputError(f"{folder}: not an adapter, {adapter_files.WEIGHTS} is missing (pickled weights are not read)")
    base = adapter_files.read_config(folder).get("base_model_name_or_path")
    if not model and not isinstance(base, str):
        raise InputError(f"{folder}: the adapter names no base model; give it with --base")
    module = adapter_files.adapted_module(folder)
    tts = load_base(model or base)
    try:
        PeftModel.from_pretrained(tts.model.get_submodule(module), str(folder)).eval()
    except (RuntimeError, ValueError, TypeError) as error:
        lines = str(error).strip().splitlines()
        raise InputError(
            f"{folder}: does not fit {model or base} ({lines[-1].strip()[:200] if lines else type(error).__name__}); "
            "give the base model that it was trained on with --base"
        ) from None
    if (folder / kathrine.PROJECTION).is_file():
        kathrine.load_projection(getattr(tts.model.talker, TEXT_PROJECTION), folder / kathrine.PROJECTION)
    return tts


def _load_checkpoint(folder: Path, model: str | None) -> Qwen3TTSModel:
    if model:
        raise InputError(f"{folder}: a whole checkpoint, which needs no base model; leave --base out")
    found = checkpoint_type(folder, str(folder))
    if found not in (BASE, CUSTOM_VOICE):
        raise InputError(
            f"{folder}: expected model_type qwen3_tts and tts_model_type base or custom_voice, got {found[0]} and "
            f"{found[1]}"
        )
    check_files(folder, str(folder))
    _check_index(folder / INDEX)
    return load_checkpoint(str(folder))


def _check_index(index: Path) -> None:
    """Raises InputError if the index, which maps weights to files, names a file outside the checkpoint's folder."""
    if not index.is_file():
        return
    try:
        files = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        raise InputError(f"{index}: not readable as the index of a checkpoint; copy it again") from None
    outside = sorted(str(file) for file in files if not isinstance(file, str) or Path(file).name != file)
    if outside:
        raise InputError(f"{index}: names a file outside its folder, {outside[0]}; nothing was loaded")


def _speaker_embedding(tts: Qwen3TTSModel, folder: Path, voice: tuple[Tensor, str] | None) -> Tensor:
    """Returns the folder's own speaker embedding, [hidden]. Raises InputError if it has none."""
    rows = tts.model.config.talker_config.spk_id
    if tts.model.tts_model_type == CUSTOM_VOICE[1]:
        if not rows:
            raise InputError(f"{folder}: a custom_voice checkpoint that names no speaker (talker_config.spk_id)")
        return tts.model.talker.get_input_embeddings().weight[next(iter(rows.values()))].detach()
    if voice:
        return voice[0]
    if (folder / alexandria.REFERENCE).is_file():
        return _embed_recording(tts, read_audio(folder / alexandria.REFERENCE))
    raise InputError(
        f"{folder}: holds no voice ({VOICE} or {alexandria.REFERENCE}); give a recording of the voice with --reference"
    )


def _embed_recording(tts: Qwen3TTSModel, wave: np.ndarray) -> Tensor:
    """wave: [samples] float32 at 24 kHz → [hidden]. Raises InputError for a model without a speaker encoder."""
    if tts.model.speaker_encoder is None:
        raise InputError("a custom_voice checkpoint knows its voices by name; leave --reference out")
    return torch.from_numpy(speaker_embedding(tts, wave))


def _read_voice(folder: Path) -> tuple[Tensor, str] | None:
    """Reads the embedding, [hidden], and the language beside an export of ours; None if there is no such file."""
    path = folder / VOICE
    if not path.is_file():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            return file.get_tensor("speaker"), (file.metadata() or {}).get("language", "auto")
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: not readable as a voice ({error}); export the trial again") from None
