"""A voice dataset as the talker sees it: codec codes, text ids and speaker embeddings, in Parquet."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from qwen_tts import Qwen3TTSModel
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainable.dataset.split import ClipEntry, DatasetSplit
from trainable.files.atomic import atomic_file, write_text
from trainable.qwen3_tts.data.code_store import CODEBOOKS

ROLE_TOKENS, TAIL_TOKENS = 3, 5
"""Tokens of the chat template before and after a line; the library slices them off by these numbers too."""
CLIPS, VOICE, MARKER = "clips.parquet", "voice.safetensors", "prepared.json"
ROWS = 256
"""Clips in a row group: what is held at once while the file is written or read."""
SCHEMA = pa.schema(
    [
        ("audio", pa.string()),
        ("text", pa.string()),
        ("seconds", pa.float64()),
        ("role", pa.string()),
        ("source", pa.int32()),
        ("speaker", pa.int32()),
        ("text_ids", pa.list_(pa.int32())),
        ("codes", pa.list_(pa.int16())),
    ]
)


@dataclass(frozen=True)
class PreparedClip:
    """One clip, encoded."""

    text: str
    seconds: float
    text_ids: Tensor
    """[tokens] int64: the transcript alone, without the chat template around it."""
    codes: Tensor
    """[frames, 16] int64, 12.5 frames per second."""
    speaker: int = 0
    """Place of its speaker among the speakers."""


@dataclass(frozen=True)
class PreparedData:
    """A whole dataset, encoded."""

    clips: tuple[PreparedClip, ...]
    """In the order of the split."""
    role_ids: Tensor
    """[3] int64: the tokens that open every prompt, `<|im_start|>assistant\\n`."""
    speakers: Tensor
    """[speakers, hidden] float32: embedding of each speaker's reference clip."""
    split: DatasetSplit


@dataclass(frozen=True)
class EncodedItem:
    """One row of what is written."""

    audio: str
    entry: ClipEntry
    text_ids: Tensor
    codes: np.ndarray
    """[frames, 16] int16."""


def write_prepared(
    folder: Path,
    rows: Iterable[EncodedItem],
    role_ids: Tensor,
    speakers: Tensor,
    split: DatasetSplit,
    marker: Mapping[str, Any],
) -> None:
    """Writes the folder anew, the marker last; `rows` in the order of the split, a row group at a time in memory."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).unlink(missing_ok=True)
    with atomic_file(folder / CLIPS) as beside, pq.ParquetWriter(beside, SCHEMA) as writer:
        for group in _groups(rows):
            writer.write_table(pa.Table.from_pylist(group, SCHEMA))
    with atomic_file(folder / VOICE) as beside:
        save_file({"speakers": speakers.contiguous(), "role_ids": role_ids.clone()}, beside)
    split.write(folder)
    write_text(folder / MARKER, json.dumps(marker))


def read_marker(folder: Path) -> dict[str, Any] | None:
    """What `write_prepared` was given; None where the folder is not complete."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return marker if isinstance(marker, dict) else None


def read_prepared(folder: Path) -> PreparedData:
    """Raises FileNotFoundError when the folder holds no complete prepared data."""
    if not (folder / MARKER).is_file():
        raise FileNotFoundError(f"{folder}: no complete prepared data, {MARKER} is missing")
    voice = load_file(folder / VOICE)
    with pq.ParquetFile(folder / CLIPS) as file:
        clips = tuple(clip for batch in file.iter_batches(ROWS) for clip in _clips_of(batch))
    return PreparedData(clips, voice["role_ids"], voice["speakers"], DatasetSplit.read(folder))


def prompt_ids(tts: Qwen3TTSModel, text: str) -> Tensor:
    """[tokens] int64: a line in the library's own chat template."""
    return tokenised(tts.processor, text)


def tokenised(processor: Any, text: str) -> Tensor:
    """The same by a `Qwen3TTSProcessor` alone."""
    prompt = f"<|im_start|>assistant\n{text}<|im_end|>\n<|im_start|>assistant\n"
    return processor(text=prompt, return_tensors="pt")["input_ids"][0]


def _groups(rows: Iterable[EncodedItem]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for row in rows:
        entry = row.entry
        group.append(
            {
                "audio": row.audio,
                "text": entry.text,
                "seconds": entry.seconds,
                "role": str(entry.role),
                "source": entry.source,
                "speaker": entry.speaker,
                "text_ids": row.text_ids.numpy(),
                "codes": row.codes.reshape(-1),
            }
        )
        if len(group) == ROWS:
            yield group
            group = []
    if group:
        yield group


def _clips_of(batch: pa.RecordBatch) -> Iterator[PreparedClip]:
    for row in range(batch.num_rows):
        yield PreparedClip(
            text=batch["text"][row].as_py(),
            seconds=batch["seconds"][row].as_py(),
            text_ids=torch.from_numpy(batch["text_ids"][row].values.to_numpy().astype(np.int64)),
            codes=torch.from_numpy(batch["codes"][row].values.to_numpy().astype(np.int64).reshape(-1, CODEBOOKS)),
            speaker=batch["speaker"][row].as_py(),
        )
