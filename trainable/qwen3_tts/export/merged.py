"""Writes a whole checkpoint with a trained adapter merged into it.

The library's `save_pretrained` writes a config.json that it cannot read back. So the base's own files are copied, and
only tensors are replaced. One file of weights is in memory at a time.
"""

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

from spaces.qwen3_tts import QwenLayout
from trainable.family.export_request import ExportRequest
from trainable.qwen3_tts.checkpoint.check import REQUIRED_FILES, TALKER_PREFIX, check_model
from trainable.qwen3_tts.checkpoint.fingerprint import SPEAKER_ENCODER, TEXT_FILES
from trainable.qwen3_tts.model.lora import TEXT_PROJECTION

INDEX = "model.safetensors.index.json"
CODEC = "speech_tokenizer"
ReplaceTensor = Callable[[str, Tensor], Tensor | None]
"""(name in the checkpoint, stored tensor) → the tensor to write; None to leave it out."""
SPEAKER_OFFSET = 952
"""A named speaker's row of the codec embedding is the codebook size + this: row 3000 of the published models, where
the official trainer writes the first voice."""
CODEC_EMBEDDING = f"{TALKER_PREFIX}model.codec_embedding.weight"


def write_merged(peft: PeftModel, speaker: Tensor, request: ExportRequest, folder: Path) -> None:
    """Writes a checkpoint that `Qwen3TTSModel.from_pretrained` loads, in the dtypes of the stored base model.

    speaker: [hidden]. In the layout `custom_voice` it is stored in the codec embedding under the request's name, and
    the speaker encoder is left out, as in the published CustomVoice models. In the layout `merged` config.json stays
    the same. Raises ValueError if the base lacks a weight that was trained.
    """
    base = Path(check_model(request.model))
    deltas, replaced = _lora_deltas(peft), _text_projection(peft)
    is_custom = request.layout is QwenLayout.CUSTOM_VOICE
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    row = speaker_row(config)
    unused = {*deltas, *replaced, *([CODEC_EMBEDDING] if is_custom else [])}

    def replace(name: str, stored: Tensor) -> Tensor | None:
        unused.discard(name)
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

    custom = add_speaker(config, request.speaker, row) if is_custom else None
    write_checkpoint_files(base, folder, custom, replace)
    if unused:
        raise ValueError(f"{request.model}: expected a weight {sorted(unused)[0]} to merge into, found none")


def write_checkpoint_files(base: Path, folder: Path, config: Mapping[str, Any] | None, replace: ReplaceTensor) -> None:
    """Copies the checkpoint `base` into `folder` with replaced tensors, each in its stored dtype.

    `config` replaces config.json; None copies it. Only files that loading reads are copied, and never a pickle.
    """
    for name in sorted({*REQUIRED_FILES, *TEXT_FILES} - {"config.json"}):
        if (base / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(base / name, folder / name)
    for weights in sorted((base / CODEC).glob("*.safetensors*")):
        shutil.copyfile(weights, folder / CODEC / weights.name)
    if config is None:
        shutil.copyfile(base / "config.json", folder / "config.json")
    else:
        (folder / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")

    weight_map: dict[str, str] = {}
    size = 0
    for path in sorted(base.glob("*.safetensors")):
        tensors = {}
        with safe_open(path, framework="pt") as file:
            for name in sorted(file.keys()):
                stored = file.get_tensor(name)
                written = replace(name, stored)
                if written is not None:
                    tensors[name] = written.to("cpu", stored.dtype).contiguous()
        if tensors:
            save_file(tensors, folder / path.name, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(tensors, path.name)
        size += sum(tensor.nbytes for tensor in tensors.values())
    if (base / INDEX).is_file():
        index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(weight_map.items()))}
        (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def speaker_row(config: dict[str, Any]) -> int:
    """Returns the row of the codec embedding for a named speaker. config: a checkpoint's config.json."""
    return config["talker_config"]["code_predictor_config"]["vocab_size"] + SPEAKER_OFFSET


def add_speaker(config: dict[str, Any], name: str, row: int) -> dict[str, Any]:
    """Returns config.json for a model with one named speaker, in the form of the published CustomVoice models."""
    talker = {**config["talker_config"], "spk_id": {name: row}, "spk_is_dialect": {name: False}}
    return {**config, "tts_model_type": "custom_voice", "talker_config": talker}


def _lora_deltas(peft: PeftModel) -> dict[str, Tensor]:
    """Returns the matrix that LoRA adds to each weight, by the weight's name in the checkpoint."""
    return {
        f"{TALKER_PREFIX}{name}.weight": module.get_delta_weight("default").detach()  # type: ignore[attr-defined]
        for name, module in peft.base_model.model.named_modules()
        if isinstance(module, BaseTunerLayer)
    }


def _text_projection(peft: PeftModel) -> dict[str, Tensor]:
    trained = getattr(peft.base_model.model, TEXT_PROJECTION).modules_to_save["default"]
    return {f"{TALKER_PREFIX}{TEXT_PROJECTION}.{name}": value.detach() for name, value in trained.state_dict().items()}
