"""Python code for a model card that loads the export with plain libraries."""

import json
from pathlib import Path

from results.export.adapter_manifest import AdapterManifest
from trainable.family.export_request import ExportLayout, speaker_name

CLONED = """waves, rate = model.generate_voice_clone(
    "Something to say.", ref_audio="ref.wav", x_vector_only_mode=True, non_streaming_mode=True
)"""
"""non_streaming_mode: training used this layout of the prompt."""


def loading_code(manifest: AdapterManifest, base: str, voice: str) -> str:
    """Markdown with the code. `base` is the name of the base model, `voice` that of the dataset."""
    shown = base if base == manifest.base_model else f"path/to/{base}"
    imports = ["from qwen_tts import Qwen3TTSModel"]
    steps = [f'model = Qwen3TTSModel.from_pretrained("{"DIR" if manifest.layout.is_whole else shown}")']
    match manifest.layout:
        case ExportLayout.PEFT | ExportLayout.ALEXANDRIA:
            imports.insert(0, "from peft import PeftModel")
            steps.append('PeftModel.from_pretrained(model.model.talker, "DIR")  # text_projection is inside')
        case ExportLayout.KATHRINE:
            imports = ["import torch", "from peft import PeftModel", *imports]
            steps += [
                'PeftModel.from_pretrained(model.model.talker.model, "DIR")',
                'projection = torch.load("DIR/text_projection.bin", map_location="cpu", weights_only=True)',
                "model.model.talker.text_projection.load_state_dict(projection)",
            ]
    if manifest.layout is ExportLayout.CUSTOM_VOICE:
        language = "Auto" if manifest.language == "auto" else manifest.language.capitalize()
        arguments = f'"Something to say.", speaker="{speaker_name(voice)}", language="{language}"'
        steps.append(f"waves, rate = model.generate_custom_voice(\n    {arguments}, non_streaming_mode=True\n)")
    else:
        steps.append(CLONED)
    if _has_own_codec(manifest.base_model):
        imports.append("from trainable.qwen3_tts import mel_codec")
        steps.insert(0, "mel_codec.register()")
    code = "\n".join([*imports, "", *steps])
    return f'```python\n{code}\n```\n\nor, with Sweetspot: `python -m results.speak DIR "text" out.wav`'


def _has_own_codec(base_model: str) -> bool:
    """Whether the base model uses the project's own codec, as the demo's does; the library must register it first."""
    try:
        config = json.loads((Path(base_model) / "speech_tokenizer" / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("model_type") == "mel_codec"
