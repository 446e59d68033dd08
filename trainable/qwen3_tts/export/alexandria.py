"""The layout of Alexandria's voices: an adapter with a reference recording and training metadata."""

import json
from pathlib import Path

from spaces.errors import InputError
from spaces.qwen3_tts import QwenDraw
from trainable.family.export_request import ExportRequest
from trainable.speech.audio import read_audio, write_audio

REFERENCE = "ref_sample.wav"
METADATA = "training_meta.json"


def write_metadata(request: ExportRequest, language: str, samples: int, folder: Path) -> None:
    """Writes the files that Alexandria reads beside a PEFT adapter. It clones from the recording and its transcript.

    samples: the number of training clips. The losses are those of the guide objective, which is Alexandria's own.
    Raises InputError without a recording or its transcript.
    """
    reference, outcome = request.reference, request.outcome
    if reference is None or not reference.text.strip():
        raise InputError(
            "the alexandria layout needs a reference recording with its transcript; add ref_text.txt to the voice, or "
            "export another layout"
        )
    write_audio(folder / REFERENCE, read_audio(reference.audio))
    metadata = {
        "model_name": request.base_name,
        "language": language,
        "num_samples": samples,
        "ref_sample_audio": REFERENCE,
        "ref_sample_text": reference.text.strip(),
    }
    if outcome is not None and isinstance(outcome.draw, QwenDraw):
        draw, point = outcome.draw, outcome.kept or outcome.point
        metadata |= {
            "epochs": draw.epochs,
            "lr": draw.lora_lr,
            "lora_r": draw.rank,
            "lora_alpha": draw.alpha,
            "gradient_accumulation_steps": draw.accumulation,
            "batch_size": draw.batch,
            "final_loss": point.losses["guide"] if point else None,
            "best_loss": point.losses["guide"] if point else None,
            "training_time_seconds": round(outcome.train_seconds, 1),
        }
    (folder / METADATA).write_text(json.dumps(metadata, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
