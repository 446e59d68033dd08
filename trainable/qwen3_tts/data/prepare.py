"""Turns an encoding plan into a folder of prepared data. Codes and embeddings are computed once and cached."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from qwen_tts.core.models import Qwen3TTSProcessor
from torch import Tensor

from trainable.dataset.encoding_plan import EncodingPlan
from trainable.dataset.finding import Finding, errors
from trainable.qwen3_tts.checkpoint.fingerprint import codec_fingerprint, model_fingerprint, speaker_encoder_fingerprint
from trainable.qwen3_tts.data.code_store import CodeStore
from trainable.qwen3_tts.data.codec import encoding_device
from trainable.qwen3_tts.data.encode import encode_items
from trainable.qwen3_tts.data.prepared import (
    ROLE_TOKENS,
    TAIL_TOKENS,
    EncodedItem,
    prompt_ids,
    read_marker,
    write_prepared,
)
from trainable.qwen3_tts.data.speaker_embeddings import speaker_embeddings

CODES, EMBEDDINGS = "codes", "voices"
"""Folders of the cache, each with one folder per fingerprint."""
FINGERPRINT_DIGITS = 16
"""Digits of a fingerprint in the name of its folder."""
REFERENCE_CHECK_CLIPS = 20
"""Most clips of the first speaker to compare with the speaker's reference."""


def prepare(
    plan: EncodingPlan, checkpoint: Path, folder: Path, cache: Path, on_progress: Callable[[int, int], None]
) -> list[Finding]:
    """See `trainable.family.protocol.Family.prepare`. A folder that is complete for this plan is left as it is."""
    device = encoding_device()
    identity = {"lineup": plan.fingerprint(), "model": model_fingerprint(checkpoint, device)}
    marker = read_marker(folder)
    if marker is not None and {name: marker.get(name) for name in identity} == identity:
        return [Finding.model_validate(finding) for finding in marker["findings"]]
    store = CodeStore(cache / CODES / codec_fingerprint(checkpoint, device)[:FINGERPRINT_DIGITS])
    codes = _encode_all(plan, checkpoint, store, on_progress)
    embeddings = cache / EMBEDDINGS / speaker_encoder_fingerprint(checkpoint, device)[:FINGERPRINT_DIGITS]
    speakers = speaker_embeddings(plan.references, checkpoint, device, embeddings)
    processor = Qwen3TTSProcessor.from_pretrained(str(checkpoint), fix_mistral_regex=True)
    findings = [
        *_code_findings(plan, codes),
        *_text_findings(plan, processor.tokenizer),
        *_reference_findings(plan, speakers[0], checkpoint, device, embeddings),
    ]
    if not errors(findings):
        marker = {**identity, "findings": [finding.model_dump(mode="json") for finding in findings]}
        role_ids = prompt_ids(processor, "")[:ROLE_TOKENS]
        write_prepared(folder, _encoded_items(plan, codes, processor), role_ids, speakers, plan.split, marker)
    return findings


def _encode_all(
    plan: EncodingPlan, checkpoint: Path, store: CodeStore, on_progress: Callable[[int, int], None]
) -> dict[str, np.ndarray]:
    """Returns [frames, 16] int16 by key. Codes deleted between being encoded and being read are encoded again."""
    keys = {item.key for item in plan.items}
    codes: dict[str, np.ndarray] = {}
    while len(codes) < len(keys):
        encode_items(plan.items, checkpoint, store, on_progress)
        codes = store.read(keys)
    return codes


def _encoded_items(plan: EncodingPlan, codes: Mapping[str, np.ndarray], processor: Any) -> Iterator[EncodedItem]:
    for item, entry in zip(plan.items, plan.split.entries, strict=True):
        text_ids = prompt_ids(processor, entry.text)[ROLE_TOKENS:-TAIL_TOKENS]
        yield EncodedItem(item.clip.audio.name, entry, text_ids, codes[item.key])


def _code_findings(plan: EncodingPlan, codes: Mapping[str, np.ndarray]) -> list[Finding]:
    from trainable.dataset.checks.codes import check_codes

    originals = [item for item in plan.items if item.augmentation is None]
    return check_codes(
        [str(item.clip.audio) for item in originals],
        (codes[item.key] for item in originals),
        [item.clip.measures.sha256 for item in originals],
    )


def _text_findings(plan: EncodingPlan, tokenizer: Any) -> list[Finding]:
    from trainable.dataset.checks.model import check_tokenizer

    return check_tokenizer([item.clip.text for item in plan.items if item.augmentation is None], tokenizer)


def _reference_findings(
    plan: EncodingPlan, reference: Tensor, checkpoint: Path, device: torch.device, embeddings: Path
) -> list[Finding]:
    """Compares the first speaker's reference, [hidden] float32, with an even spread of that speaker's clips."""
    from trainable.dataset.checks.model import check_reference_voice

    own = [
        item.clip
        for item, entry in zip(plan.items, plan.split.entries, strict=True)
        if item.augmentation is None and entry.speaker == 0
    ]
    if not own:
        return []
    places = np.unique(np.linspace(0, len(own) - 1, min(REFERENCE_CHECK_CLIPS, len(own))).round().astype(int))
    clips = [own[place] for place in places]
    embedded = speaker_embeddings(clips, checkpoint, device, embeddings).numpy()
    where = str(plan.references[0].audio)
    return check_reference_voice(reference.numpy(), embedded, [clip.audio.name for clip in clips], where)
