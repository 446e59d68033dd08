"""A checkpoint of transformers with a CTC head (Wav2Vec2, HuBERT, MMS …), by the name of the hub or by path."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spaces.errors import InputError
from trainable.speech.asr.model_config import read_config, read_other

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, SequenceFeatureExtractor

RATE = 16_000
"""Hz that these models hear at."""
BATCH_ON_GPU, BATCH_ON_CPU = 8, 4
TOLD_CODES = 12
"""Codes that an error lists; an MMS knows more than a thousand."""


class CtcModel:
    """Greedy decoding without a language model; equal audio, equal text."""

    def __init__(
        self, model: PreTrainedModel, extractor: SequenceFeatureExtractor, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        self._model, self._extractor, self._tokenizer = model, extractor, tokenizer
        told = getattr(extractor, "return_attention_mask", False) and hasattr(model, "_get_feat_extract_output_lengths")
        at_once = BATCH_ON_GPU if model.device.type == "cuda" else BATCH_ON_CPU
        self.batch = at_once if told else 1
        """Pieces that it hears at once."""

    def hear(self, waves: Sequence[np.ndarray]) -> list[str]:
        """Any number of [samples] float32 at 16 kHz, mono, of at least 0.1 s each; best in the order of their lengths.

        Models that are not told which samples are filled up, or do not tell which frames are, understand a wave
        differently beside a longer one, and hear one at a time.
        """
        batches = [waves[first : first + self.batch] for first in range(0, len(waves), self.batch)]
        return [text for batch in batches for text in self._hear_batch(batch)]

    def _hear_batch(self, waves: Sequence[np.ndarray]) -> list[str]:
        import torch

        features = self._extractor(list(waves), sampling_rate=RATE, return_tensors="pt", padding=True)
        heard = features[self._model.main_input_name].to(self._model.device, self._model.dtype)
        mask = features.get("attention_mask")
        with torch.inference_mode():
            logits = self._model(heard, attention_mask=None if mask is None else mask.to(heard.device)).logits
        frames = self._frames(logits.shape[1], mask, len(waves))
        return [self._text(row[:length]) for row, length in zip(logits.argmax(-1).cpu(), frames, strict=True)]

    def _frames(self, most: int, mask: Tensor | None, rows: int) -> list[int]:
        """How many of the frames of each row were heard and not filled up."""
        if mask is None or rows == 1:
            return [most] * rows
        return self._model._get_feat_extract_output_lengths(mask.sum(-1)).tolist()

    def _text(self, best: Tensor) -> str:
        # The tokenizer would skip the blank as well, before it joins equal letters that only a blank holds apart.
        text = self._tokenizer.decode(best, skip_special_tokens=False)
        for token in self._tokenizer.all_special_tokens:
            text = text.replace(token, "")
        return text.strip()


def open_ctc(name: str, language: str | None) -> CtcModel:
    """Loads it, onto a GPU where there is one. `name` is a folder or a hub id.

    A language is what chooses the adapter of an MMS; other checkpoints know one language and need not be told it.
    Raises InputError as `check_ctc`, and for what cannot be had or read.
    """
    check_ctc(name, language)
    import torch
    from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    adapted = _adapters(name)
    told = {"target_lang": language, "ignore_mismatched_sizes": True} if adapted else {}
    try:
        # Unless it is told not to, the library asks whoever sits there whether to run what a checkpoint brings.
        model = AutoModelForCTC.from_pretrained(name, dtype=torch.float32, trust_remote_code=False, **told)
        extractor = AutoFeatureExtractor.from_pretrained(name, trust_remote_code=False)
        chosen = {"target_lang": language} if adapted else {}
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False, **chosen)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(f"{name}: cannot be loaded ({reason}); download the checkpoint again") from None
    if extractor.sampling_rate != RATE:
        raise InputError(f"{name}: expected a model that hears {RATE} Hz, got {extractor.sampling_rate}; use another")
    return CtcModel(model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), extractor, tokenizer)


def is_ctc(config: dict) -> bool:
    """Whether a config.json is that of a model with a CTC head."""
    return any(str(each).endswith("ForCTC") for each in config.get("architectures") or ())


def check_ctc(name: str, language: str | None) -> None:
    """Raises InputError unless it is a CTC checkpoint, and for a language that an MMS has no adapter for."""
    config = read_config(name)
    if not is_ctc(config):
        raise InputError(
            f"{name}: expected an architecture that ends in ForCTC, got {config.get('architectures')}; use a "
            "fine-tuned checkpoint such as facebook/mms-1b-all"
        )
    adapted = _adapters(name)
    if not adapted or language in adapted:
        return
    near = difflib.get_close_matches(language or "", adapted, n=TOLD_CODES, cutoff=0.5) or adapted[:TOLD_CODES]
    raise InputError(
        f"language {language}: {name} has an adapter for each of {len(adapted)} languages and none of that code; "
        f"expected one such as {', '.join(near)}"
    )


def _adapters(name: str) -> list[str]:
    """Codes (ISO 639-3) of the languages that an MMS has adapters for; empty for a model without adapters."""
    if read_config(name).get("adapter_attn_dim") is None:
        return []
    return sorted(code for code, letters in read_other(name, "vocab.json").items() if isinstance(letters, dict))
