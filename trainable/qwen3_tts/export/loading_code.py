"""Python code for a model card that loads the export with plain libraries."""

import json
from pathlib import Path

from spaces.qwen3_tts import QwenLayout
from trainable.family.export_request import speaker_name

CLONED = """waves, rate = model.generate_voice_clone(
    "Something to say.", ref_audio="ref.wav", x_vector_only_mode=True, non_streaming_mode=True
)"""
"""non_streaming_mode: training used this layout of the prompt."""


def loading_code(layout: str, base_model: str, shown_base: str, voice: str, language: str) -> str:
    """See `trainable.family.protocol.Family.loading_code`."""
    is_whole = layout in (QwenLayout.MERGED, QwenLayout.CUSTOM_VOICE)
    imports = ["from qwen_tts import Qwen3TTSModel"]
    steps = [f'model = Qwen3TTSModel.from_pretrained("{"DIR" if is_whole else shown_base}")']
    match layout:
        case QwenLayout.PEFT | QwenLayout.ALEXANDRIA:
            imports.insert(0, "from peft import PeftModel")
            steps.append('PeftModel.from_pretrained(model.model.talker, "DIR")  # text_projection is inside')
        case QwenLayout.KATHRINE:
            imports = ["import torch", "from peft import PeftModel", *imports]
            steps += [
                'PeftModel.from_pretrained(model.model.talker.model, "DIR")',
                'projection = torch.load("DIR/text_projection.bin", map_location="cpu", weights_only=True)',
                "model.model.talker.text_projection.load_state_dict(projection)",
            ]
    if layout is QwenLayout.CUSTOM_VOICE:
        spoken = "Auto" if language == "auto" else language.capitalize()
        arguments = f'"Something to say.", speaker="{speaker_name(voice)}", language="{spoken}"'
        steps.append(f"waves, rate = model.generate_custom_voice(\n    {arguments}, non_streaming_mode=True\n)")
    else:
        steps.append(CLONED)
    if _has_own_codec(base_model):
        imports.append("from trainable.qwen3_tts import mel_codec")
        steps.insert(0, "mel_codec.register()")
    return "\n".join([*imports, "", *steps])


def _has_own_codec(base_model: str) -> bool:
    """Whether the base model uses the project's own codec, as the demo's does; the library must register it first."""
    try:
        config = json.loads((Path(base_model) / "speech_tokenizer" / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("model_type") == "mel_codec"
