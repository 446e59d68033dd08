"""A voice dataset as the talker sees it: codec codes, text ids and one speaker embedding, in Parquet."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from qwen_tts import Qwen3TTSModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainable.audio import SAMPLE_RATE, read_audio
from trainable.dataset import VoiceDataset
from trainable.trial_folder import write_beside

CODEBOOKS = 16
ROLE_TOKENS, TAIL_TOKENS = 3, 5
"""Tokens of the chat template before and after a line; the library slices them off by these numbers too."""
CLIPS, VOICE, MARKER = "clips.parquet", "voice.safetensors", "prepared.json"


@dataclass(frozen=True)
class PreparedClip:
    """One clip, encoded."""

    text: str
    seconds: float
    text_ids: Tensor
    """[tokens] int64: the transcript alone, without the chat template around it."""
    codes: Tensor
    """[frames, 16] int64, 12.5 frames per second."""


@dataclass(frozen=True)
class PreparedData:
    """A whole dataset, encoded."""

    clips: tuple[PreparedClip, ...]
    role_ids: Tensor
    """[3] int64: the tokens that open every prompt, `<|im_start|>assistant\\n`."""
    speaker: Tensor
    """[hidden] float32: speaker embedding of the reference clip."""


def prepare(
    tts: Qwen3TTSModel, dataset: VoiceDataset, model: str, folder: Path, on_clip: Callable[[int, int], None]
) -> None:
    """Encodes clip by clip (in a batch the codec gives other last frames), and writes the marker last.

    `model` is the name or path by which `tts` was loaded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for done, clip in enumerate(dataset.clips, start=1):
        prompt = prompt_ids(tts, clip.text)
        codes = encode(tts, clip.audio)
        rows.append(
            {
                "audio": clip.audio.name,
                "text": clip.text,
                "seconds": clip.seconds,
                "text_ids": prompt[ROLE_TOKENS:-TAIL_TOKENS].tolist(),
                "codes": codes.flatten().tolist(),
            }
        )
        on_clip(done, len(dataset.clips))
    schema = pa.schema(
        [
            ("audio", pa.string()),
            ("text", pa.string()),
            ("seconds", pa.float64()),
            ("text_ids", pa.list_(pa.int32())),
            ("codes", pa.list_(pa.int16())),
        ]
    )
    beside = folder / f".{CLIPS}.part"
    pq.write_table(pa.Table.from_pylist(rows, schema), beside)
    beside.replace(folder / CLIPS)
    embedding = tts.model.extract_speaker_embedding(read_audio(dataset.reference.audio), SAMPLE_RATE)
    save_file(
        {"speaker": embedding.float().cpu().contiguous(), "role_ids": prompt[:ROLE_TOKENS].clone()}, folder / VOICE
    )
    write_beside(folder / MARKER, json.dumps(_marker(dataset, model)))


def is_prepared(folder: Path, dataset: VoiceDataset, model: str) -> bool:
    """Whether the folder holds this very dataset, complete, as this model encodes it."""
    try:
        return json.loads((folder / MARKER).read_text(encoding="utf-8")) == _marker(dataset, model)
    except (OSError, ValueError):
        return False


def read_prepared(folder: Path) -> PreparedData:
    """Raises FileNotFoundError when the folder holds no complete prepared data."""
    if not (folder / MARKER).is_file():
        raise FileNotFoundError(f"{folder}: no complete prepared data, {MARKER} is missing")
    voice = load_file(folder / VOICE)
    clips = tuple(
        PreparedClip(
            text=row["text"],
            seconds=row["seconds"],
            text_ids=torch.tensor(row["text_ids"], dtype=torch.int64),
            codes=torch.tensor(row["codes"], dtype=torch.int64).reshape(-1, CODEBOOKS),
        )
        for row in pq.read_table(folder / CLIPS).to_pylist()
    )
    return PreparedData(clips, voice["role_ids"], voice["speaker"])


def prompt_ids(tts: Qwen3TTSModel, text: str) -> Tensor:
    """[tokens] int64: a line in the library's own chat template."""
    prompt = f"<|im_start|>assistant\n{text}<|im_end|>\n<|im_start|>assistant\n"
    return tts.processor(text=prompt, return_tensors="pt")["input_ids"][0]


def encode(tts: Qwen3TTSModel, audio: Path) -> Tensor:
    """An audio file → codes: [frames, 16] int64 on the CPU, 12.5 frames per second."""
    encoded = tts.model.speech_tokenizer.encode(read_audio(audio), sr=SAMPLE_RATE)
    return encoded.audio_codes[0].to("cpu", torch.int64)


def _marker(dataset: VoiceDataset, model: str) -> dict[str, str | int]:
    return {"clips": len(dataset.clips), "fingerprint": dataset.fingerprint(), "model": model}
