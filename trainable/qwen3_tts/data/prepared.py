"""Reads and writes prepared data: codec codes, text ids and speaker embeddings of a voice dataset, in Parquet."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from trainable.dataset.split import ClipEntry, DatasetSplit
from trainable.files.atomic import atomic_file, write_text
from trainable.qwen3_tts.checkpoint.size import CODEBOOKS

ROLE_TOKENS, TAIL_TOKENS = 3, 5
"""Tokens of the chat template before and after a line. qwen-tts slices them off by the same numbers."""
CLIPS, VOICE, MARKER = "clips.parquet", "voice.safetensors", "prepared.json"
ROW_GROUP = 256
"""Clips in a Parquet row group, which is what writing and reading hold in memory at once."""
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
    """Index of its speaker in `PreparedData.speakers`."""


@dataclass(frozen=True)
class PreparedData:
    """A dataset, encoded."""

    clips: tuple[PreparedClip, ...]
    """In the order of the split's entries."""
    role_ids: Tensor
    """[3] int64: the tokens that open every prompt, `<|im_start|>assistant\\n`."""
    speakers: Tensor
    """[speakers, hidden] float32: the embedding of each speaker's reference clip."""
    split: DatasetSplit


@dataclass(frozen=True)
class EncodedItem:
    """One row to be written."""

    audio: str
    entry: ClipEntry
    text_ids: Tensor
    """[tokens] int64."""
    codes: np.ndarray
    """[frames, 16] int16."""


def write_prepared(
    folder: Path,
    items: Iterable[EncodedItem],
    role_ids: Tensor,
    speakers: Tensor,
    split: DatasetSplit,
    marker: Mapping[str, Any],
) -> None:
    """Replaces the folder's contents and writes the marker last.

    items: in the order of the split's entries; one row group is in memory at a time. role_ids: [3] int64.
    speakers: [speakers, hidden] float32.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKER).unlink(missing_ok=True)
    with atomic_file(folder / CLIPS) as temporary, pq.ParquetWriter(temporary, SCHEMA) as writer:
        for group in _row_groups(items):
            writer.write_table(pa.Table.from_pylist(group, SCHEMA))
    with atomic_file(folder / VOICE) as temporary:
        save_file({"speakers": speakers.contiguous(), "role_ids": role_ids.clone()}, temporary)
    split.write(folder)
    write_text(folder / MARKER, json.dumps(marker))


def read_marker(folder: Path) -> dict[str, Any] | None:
    """Returns the marker that `write_prepared` was given; None if the folder is not complete."""
    try:
        marker = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return marker if isinstance(marker, dict) else None


def read_prepared(folder: Path) -> PreparedData:
    """Raises FileNotFoundError if the folder holds no complete prepared data."""
    if not (folder / MARKER).is_file():
        raise FileNotFoundError(f"{folder}: no complete prepared data, {MARKER} is missing")
    voice = load_file(folder / VOICE)
    with pq.ParquetFile(folder / CLIPS) as file:
        clips = tuple(clip for batch in file.iter_batches(ROW_GROUP) for clip in _read_clips(batch))
    return PreparedData(clips, voice["role_ids"], voice["speakers"], DatasetSplit.read(folder))


def prompt_ids(processor: Any, text: str) -> Tensor:
    """Tokenises a line in the chat template of qwen-tts with a `Qwen3TTSProcessor` → [tokens] int64."""
    prompt = f"<|im_start|>assistant\n{text}<|im_end|>\n<|im_start|>assistant\n"
    return processor(text=prompt, return_tensors="pt")["input_ids"][0]


def _row_groups(items: Iterable[EncodedItem]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    for item in items:
        entry = item.entry
        group.append(
            {
                "audio": item.audio,
                "text": entry.text,
                "seconds": entry.seconds,
                "role": str(entry.role),
                "source": entry.source,
                "speaker": entry.speaker,
                "text_ids": item.text_ids.numpy(),
                "codes": item.codes.reshape(-1),
            }
        )
        if len(group) == ROW_GROUP:
            yield group
            group = []
    if group:
        yield group


def _read_clips(batch: pa.RecordBatch) -> Iterator[PreparedClip]:
    for row in range(batch.num_rows):
        yield PreparedClip(
            text=batch["text"][row].as_py(),
            seconds=batch["seconds"][row].as_py(),
            text_ids=torch.from_numpy(batch["text_ids"][row].values.to_numpy().astype(np.int64)),
            codes=torch.from_numpy(batch["codes"][row].values.to_numpy().astype(np.int64).reshape(-1, CODEBOOKS)),
            speaker=batch["speaker"][row].as_py(),
        )
