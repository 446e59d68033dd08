"""From a plan to prepared data: what is not in the cache is encoded, the rest is read from there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from qwen_tts.core.models import Qwen3TTSProcessor
from torch import Tensor

from trainable.dataset.encoding_plan import EncodingPlan
from trainable.dataset.finding import Finding, errors
from trainable.qwen3_tts.checkpoint.fingerprint import codec_fingerprint, model_fingerprint, voice_fingerprint
from trainable.qwen3_tts.data.code_store import CodeStore
from trainable.qwen3_tts.data.codec import encoding_device
from trainable.qwen3_tts.data.encode import encode_takes
from trainable.qwen3_tts.data.prepared import (
    ROLE_TOKENS,
    TAIL_TOKENS,
    EncodedItem,
    read_marker,
    tokenised,
    write_prepared,
)
from trainable.qwen3_tts.data.speaker_embeddings import embeddings

CODES, VOICES = "codes", "voices"
"""Folders in the cache; in each, one per fingerprint."""
DIGITS = 16
"""Of a fingerprint, in a folder's name."""
HEARD_CLIPS = 20
"""Clips of the first speaker that its reference is compared with, at most."""


def prepare(
    plan: EncodingPlan, checkpoint: Path, folder: Path, cache: Path, on_progress: Callable[[int, int], None]
) -> list[Finding]:
    """See `trainable.family.protocol.Family.prepare`. A folder that is complete for this plan is left as it is."""
    device = encoding_device()
    identity = {"lineup": plan.fingerprint(), "model": model_fingerprint(checkpoint, device)}
    marker = read_marker(folder)
    if marker is not None and {name: marker.get(name) for name in identity} == identity:
        return [Finding.model_validate(finding) for finding in marker["findings"]]
    store = CodeStore(cache / CODES / codec_fingerprint(checkpoint, device)[:DIGITS])
    codes = _all_codes(plan, checkpoint, store, on_progress)
    voices = cache / VOICES / voice_fingerprint(checkpoint, device)[:DIGITS]
    speakers = embeddings(plan.references, checkpoint, device, voices)
    processor = Qwen3TTSProcessor.from_pretrained(str(checkpoint), fix_mistral_regex=True)
    findings = [
        *_what_codes_tell(plan, codes),
        *_what_texts_tell(plan, processor.tokenizer),
        *_what_voices_tell(plan, speakers[0], checkpoint, device, voices),
    ]
    if not errors(findings):
        told = [finding.model_dump(mode="json") for finding in findings]
        role_ids = tokenised(processor, "")[:ROLE_TOKENS]
        rows = _rows(plan, codes, processor)
        write_prepared(folder, rows, role_ids, speakers, plan.split, {**identity, "findings": told})
    return findings


def _all_codes(
    plan: EncodingPlan, checkpoint: Path, store: CodeStore, on_progress: Callable[[int, int], None]
) -> dict[str, np.ndarray]:
    """By key. What somebody deletes between being encoded and being read is encoded again."""
    keys = {take.key for take in plan.items}
    codes: dict[str, np.ndarray] = {}
    while len(codes) < len(keys):
        encode_takes(plan.items, checkpoint, store, on_progress)
        codes = store.read(keys)
    return codes


def _rows(plan: EncodingPlan, codes: Mapping[str, np.ndarray], processor: Any) -> Iterator[EncodedItem]:
    for take, entry in zip(plan.items, plan.split.entries, strict=True):
        text_ids = tokenised(processor, entry.text)[ROLE_TOKENS:-TAIL_TOKENS]
        yield EncodedItem(take.clip.audio.name, entry, text_ids, codes[take.key])


def _what_codes_tell(plan: EncodingPlan, codes: Mapping[str, np.ndarray]) -> list[Finding]:
    from trainable.dataset.checks.codes import check_codes

    originals = [take for take in plan.items if take.augmentation is None]
    return check_codes(
        [str(take.clip.audio) for take in originals],
        (codes[take.key] for take in originals),
        [take.clip.measures.sha256 for take in originals],
    )


def _what_texts_tell(plan: EncodingPlan, tokenizer: Any) -> list[Finding]:
    from trainable.dataset.checks.model import check_tokenizer

    return check_tokenizer([take.clip.text for take in plan.items if take.augmentation is None], tokenizer)


def _what_voices_tell(
    plan: EncodingPlan, reference: Tensor, checkpoint: Path, device: torch.device, voices: Path
) -> list[Finding]:
    """Compares the first speaker's reference with an even spread of that speaker's clips."""
    from trainable.dataset.checks.model import check_reference_voice

    own = [
        take.clip
        for take, entry in zip(plan.items, plan.split.entries, strict=True)
        if take.augmentation is None and entry.speaker == 0
    ]
    if not own:
        return []
    places = np.unique(np.linspace(0, len(own) - 1, min(HEARD_CLIPS, len(own))).round().astype(int))
    heard = [own[place] for place in places]
    clips = embeddings(heard, checkpoint, device, voices)
    where = str(plan.references[0].audio)
    return check_reference_voice(reference.numpy(), clips.numpy(), [clip.audio.name for clip in heard], where)
