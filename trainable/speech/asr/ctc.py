"""Runs a transformers checkpoint with a CTC head (Wav2Vec2, HuBERT, MMS …), by hub id or folder."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spaces.errors import InputError
from trainable.speech.asr.model_config import loading_failed, read_config, read_json
from trainable.speech.asr.transcription import Transcription
from trainable.speech.vad import RATE

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, SequenceFeatureExtractor

BATCH_ON_GPU, BATCH_ON_CPU = 8, 4
MAX_LISTED_CODES = 12
"""Language codes that an error lists; an MMS has more than a thousand."""


class CtcModel:
    """Decodes greedily without a language model; equal audio gives equal text."""

    def __init__(
        self, model: PreTrainedModel, extractor: SequenceFeatureExtractor, tokenizer: PreTrainedTokenizerBase
    ) -> None:
        self._model, self._extractor, self._tokenizer = model, extractor, tokenizer
        masks = getattr(extractor, "return_attention_mask", False)
        masks = masks and hasattr(model, "_get_feat_extract_output_lengths")
        size = BATCH_ON_GPU if model.device.type == "cuda" else BATCH_ON_CPU
        self.batch = size if masks else 1
        """Waves per forward pass."""

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[Transcription]:
        """Any number of [samples] float32 at 16 kHz, mono, of at least 0.1 s each; fastest when sorted by length.

        A model without an attention mask, or that does not tell which frames are padding, gives a padded wave another
        transcript, so it runs one wave at a time.
        """
        batches = [waves[first : first + self.batch] for first in range(0, len(waves), self.batch)]
        return [Transcription(text) for batch in batches for text in self._transcribe_batch(batch)]

    def _transcribe_batch(self, waves: Sequence[np.ndarray]) -> list[str]:
        import torch

        features = self._extractor(list(waves), sampling_rate=RATE, return_tensors="pt", padding=True)
        values = features[self._model.main_input_name].to(self._model.device, self._model.dtype)
        mask = features.get("attention_mask")
        with torch.inference_mode():
            logits = self._model(values, attention_mask=None if mask is None else mask.to(values.device)).logits
        frames = self._frames(logits.shape[1], mask, len(waves))
        return [self._text(row[:length]) for row, length in zip(logits.argmax(-1).cpu(), frames, strict=True)]

    def _frames(self, most: int, mask: Tensor | None, rows: int) -> list[int]:
        """The number of frames of each row that are not padding."""
        if mask is None or rows == 1:
            return [most] * rows
        return self._model._get_feat_extract_output_lengths(mask.sum(-1)).tolist()

    def _text(self, best: Tensor) -> str:
        # With skip_special_tokens the tokenizer drops blanks before it merges equal letters that a blank separates.
        text = self._tokenizer.decode(best, skip_special_tokens=False)
        for token in self._tokenizer.all_special_tokens:
            text = text.replace(token, "")
        return text.strip()


def open_ctc(name: str, language: str | None) -> CtcModel:
    """Loads the model, onto a GPU if there is one. `name` is a folder or a hub id.

    The language chooses the adapter of an MMS; other checkpoints know one language and ignore it. Raises InputError as
    `check_ctc`, and for weights that cannot be found or read.
    """
    check_ctc(name, language)
    import torch
    from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer
    from transformers.utils import logging

    logging.set_verbosity_error()
    adapter = {"target_lang": language} if adapter_languages(name) else {}
    resized = {"ignore_mismatched_sizes": True} if adapter else {}
    try:
        # By default the library prompts on the terminal whether to run code that a checkpoint brings.
        model = AutoModelForCTC.from_pretrained(
            name, dtype=torch.float32, trust_remote_code=False, **adapter, **resized
        )
        extractor = AutoFeatureExtractor.from_pretrained(name, trust_remote_code=False)
        tokenizer = AutoTokenizer.from_pretrained(name, trust_remote_code=False, **adapter)
    except Exception as error:
        raise loading_failed(name, error) from None
    if extractor.sampling_rate != RATE:
        raise InputError(f"{name}: expected an input rate of {RATE} Hz, got {extractor.sampling_rate}; use another")
    return CtcModel(model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), extractor, tokenizer)


def is_ctc(config: dict) -> bool:
    """Whether a config.json describes a model with a CTC head."""
    return any(str(each).endswith("ForCTC") for each in config.get("architectures") or ())


def check_ctc(name: str, language: str | None) -> None:
    """Raises InputError for a checkpoint without a CTC head, and for a language that an MMS has no adapter for."""
    config = read_config(name)
    if not is_ctc(config):
        raise InputError(
            f"{name}: expected an architecture that ends in ForCTC, got {config.get('architectures')}; use a "
            "fine-tuned checkpoint such as facebook/mms-1b-all"
        )
    codes = adapter_languages(name)
    if not codes or language in codes:
        return
    near = difflib.get_close_matches(language or "", codes, n=MAX_LISTED_CODES, cutoff=0.5) or codes[:MAX_LISTED_CODES]
    raise InputError(
        f"language {language}: {name} has an adapter for each of {len(codes)} languages and none of that code; "
        f"expected one such as {', '.join(near)}"
    )


def adapter_languages(name: str) -> list[str]:
    """ISO 639-3 codes of the languages that an MMS has adapters for; empty for a model without adapters."""
    if read_config(name).get("adapter_attn_dim") is None:
        return []
    return sorted(code for code, letters in read_json(name, "vocab.json").items() if isinstance(letters, dict))
