"""Writes a trained adapter for inference, in any layout."""

from pathlib import Path

from peft import PeftModel
from safetensors.torch import save_file
from torch import Tensor

from spaces.qwen3_tts import QwenLayout
from trainable.family.export_request import ExportRequest
from trainable.qwen3_tts.export import alexandria, kathrine
from trainable.qwen3_tts.export.merged import write_merged

VOICE = "voice.safetensors"
"""The speaker embedding and the trained language, written beside every layout."""


def export_adapter(
    peft: PeftModel, speaker: Tensor, language: str, samples: int, request: ExportRequest, folder: Path
) -> None:
    """Writes the requested layout into an empty folder. speaker: [hidden]; samples: the number of training clips.

    Raises InputError if the layout cannot hold what was trained.
    """
    if request.layout.is_whole:
        write_merged(peft, speaker, request, folder)
    else:
        peft.peft_config["default"].base_model_name_or_path = request.base_name
        peft.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)
    if request.layout is QwenLayout.KATHRINE:
        kathrine.convert_from_peft(folder)
    if request.layout is QwenLayout.ALEXANDRIA:
        alexandria.write_metadata(request, language, samples, folder)
    save_file({"speaker": speaker.float().cpu().contiguous()}, folder / VOICE, metadata={"language": language})
