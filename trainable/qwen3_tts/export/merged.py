"""A trained talker merged into its checkpoint, for whoever loads whole models.

A whole checkpoint written from another one: its own files, with some weights replaced.

The library's own `save_pretrained` writes a config.json that it cannot read back, so the original files are kept, and
only the tensors change. One file of weights is in memory at a time.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from trainable.family.export_request import ExportLayout, ExportRequest
from trainable.qwen3_tts.checkpoint.check import NEEDED, TALKER, check_model
from trainable.qwen3_tts.checkpoint.fingerprint import SPEAKER_ENCODER, TEXT_FILES
from trainable.qwen3_tts.model.lora import TEXT_PROJECTION

INDEX = "model.safetensors.index.json"
CODEC = "speech_tokenizer"
Change = Callable[[str, Tensor], Tensor | None]
"""A tensor's name in the checkpoint and its value → what takes its place; None for nothing."""


def write_checkpoint_files(base: Path, folder: Path, config: Mapping[str, Any] | None, change: Change) -> None:
    """Writes `base` anew into `folder`, each tensor in the type it is stored in there.

    `config` takes the place of config.json; None keeps it to the byte. Only files that loading reads are taken over,
    and never a pickle.
    """
    for name in sorted({*NEEDED, *TEXT_FILES} - {"config.json"}):
        if (base / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(base / name, folder / name)
    for weights in sorted((base / CODEC).glob("*.safetensors*")):
        shutil.copyfile(weights, folder / CODEC / weights.name)
    if config is None:
        shutil.copyfile(base / "config.json", folder / "config.json")
    else:
        (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    places: dict[str, str] = {}
    size = 0
    for path in sorted(base.glob("*.safetensors")):
        tensors = {}
        with safe_open(path, framework="pt") as file:
            for name in sorted(file.keys()):
                stored = file.get_tensor(name)
                changed = change(name, stored)
                if changed is not None:
                    tensors[name] = changed.to("cpu", stored.dtype).contiguous()
        if tensors:
            save_file(tensors, folder / path.name, metadata={"format": "pt"})
        places |= dict.fromkeys(tensors, path.name)
        size += sum(tensor.nbytes for tensor in tensors.values())
    if (base / INDEX).is_file():
        index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


SPEAKER_OFFSET = 952
"""A named speaker's row of the codec embedding is the codebook size and this: 3000 on the published models, whose
trainer writes the first voice there."""
CODEC_EMBEDDING = f"{TALKER}model.codec_embedding.weight"


def write_merged(peft: PeftModel, speaker: Tensor, request: ExportRequest, folder: Path) -> None:
    """Writes a checkpoint that `Qwen3TTSModel.from_pretrained` loads, in the types that the base model is stored in.

    speaker: [hidden]. As `custom_voice` it is stored in the codec embedding under the request's name and the speaker
    encoder, which that kind of model does not have, is left out; otherwise config.json stays as it is. Raises
    ValueError when the base lacks a weight that was trained.
    """
    base = Path(check_model(request.model))
    deltas, replaced = _lora_deltas(peft), _text_projection(peft)
    is_custom = request.layout is ExportLayout.CUSTOM_VOICE
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    row = speaker_row(config)
    left = {*deltas, *replaced, *([CODEC_EMBEDDING] if is_custom else [])}

    def change(name: str, stored: Tensor) -> Tensor | None:
        left.discard(name)
        if is_custom and name.startswith(SPEAKER_ENCODER):
            return None
        if name in replaced:
            return replaced[name]
        merged = stored
        if name in deltas:
            merged = stored.float() + deltas[name].float().cpu()
        if is_custom and name == CODEC_EMBEDDING:
            merged = merged.clone()
            merged[row] = speaker.to(merged.device, merged.dtype)
        return merged

    custom = with_speaker(config, request.speaker, row) if is_custom else None
    write_checkpoint_files(base, folder, custom, change)
    if left:
        raise ValueError(f"{request.model}: expected a weight {sorted(left)[0]} to merge into, found none")


def speaker_row(config: dict[str, Any]) -> int:
    """config: a checkpoint's config.json."""
    return config["talker_config"]["code_predictor_config"]["vocab_size"] + SPEAKER_OFFSET


def with_speaker(config: dict[str, Any], name: str, row: int) -> dict[str, Any]:
    """The same config.json for a model that knows one voice by name, as the published CustomVoice models say it."""
    talker = {**config["talker_config"], "spk_id": {name: row}, "spk_is_dialect": {name: False}}
    return {**config, "tts_model_type": "custom_voice", "talker_config": talker}


def _lora_deltas(peft: PeftModel) -> dict[str, Tensor]:
    """What LoRA adds to each weight, by its name in the checkpoint."""
    return {
        f"{TALKER}{name}.weight": module.get_delta_weight("default").detach()
        for name, module in peft.base_model.model.named_modules()
        if isinstance(module, BaseTunerLayer)
    }


def _text_projection(peft: PeftModel) -> dict[str, Tensor]:
    trained = getattr(peft.base_model.model, TEXT_PROJECTION).modules_to_save["default"]
    return {f"{TALKER}{TEXT_PROJECTION}.{name}": value.detach() for name, value in trained.state_dict().items()}
