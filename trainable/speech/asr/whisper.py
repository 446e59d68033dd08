"""Runs a Whisper checkpoint of transformers, by hub id or folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.errors import InputError
from trainable.speech.asr.model_config import loading_failed, read_config, read_json

if TYPE_CHECKING:
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

RATE = 16_000
"""Hz; the input rate of every Whisper."""
WINDOW_SECONDS = 30.0
"""The model's input length; shorter waves are padded with silence."""
BATCH_ON_GPU, BATCH_ON_CPU = 16, 4


@dataclass(frozen=True)
class Transcription:
    """The transcript of one wave."""

    text: str
    log_probability: float
    """Natural logarithm, mean over the tokens including the end token."""
    tokens: int
    cut_off: bool
    """Whether decoding reached the model's maximum length before an end token."""
    language: str | None
    """Code of the detected or given language; None for a model of one language."""


class Whisper:
    """Decodes greedily and without timestamps; equal audio gives equal text."""

    def __init__(
        self, model: WhisperForConditionalGeneration, processor: WhisperProcessor, language: str | None
    ) -> None:
        """`language` is a result of `check_language`."""
        self._model, self._processor = model, processor
        config = model.generation_config
        self._languages = {number: token.strip("<|>") for token, number in _languages(config).items()}
        self._prompt = {"task": "transcribe", "language": language} if self._languages else {}
        self.batch = BATCH_ON_GPU if model.device.type == "cuda" else BATCH_ON_CPU
        """Waves per forward pass; halved when memory runs out."""

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[Transcription]:
        """Any number of [samples] float32 at 16 kHz, mono, of at most 30 s each. Longer ones are cut off.

        Raises InputError when not even one wave fits into memory.
        """
        done: list[Transcription] = []
        while len(done) < len(waves):
            done += self._transcribe_batch(waves[len(done) : len(done) + self.batch])
        return done

    def _transcribe_batch(self, waves: Sequence[np.ndarray]) -> list[Transcription]:
        import torch

        try:
            return self._generate(waves)
        except torch.OutOfMemoryError:
            if len(waves) == 1:
                raise InputError("the recogniser does not fit into memory; use a smaller Whisper") from None
            torch.cuda.empty_cache()
            self.batch = len(waves) // 2
            return self._transcribe_batch(waves[: self.batch])

    def _generate(self, waves: Sequence[np.ndarray]) -> list[Transcription]:
        import torch

        features = self._processor.feature_extractor(  # type: ignore[attr-defined]
            list(waves), sampling_rate=RATE, return_tensors="pt", return_attention_mask=True
        )
        with torch.inference_mode():
            output = self._model.generate(
                features.input_features.to(self._model.device, self._model.dtype),
                attention_mask=features.attention_mask.to(self._model.device),
                return_timestamps=False,
                num_beams=1,
                do_sample=False,
                return_dict_in_generate=True,
                output_scores=True,
                **self._prompt,
            )
        steps = len(output.scores)
        ids = output.sequences[:, -steps:].cpu()
        # One step at a time: all steps of all waves over the whole vocabulary would take gigabytes in float32.
        log_probs = torch.stack(
            [
                scores.float().log_softmax(-1).cpu().gather(1, ids[:, step : step + 1])[:, 0]
                for step, scores in enumerate(output.scores)
            ],
            dim=1,
        )
        languages = output.sequences[:, 1].tolist()
        return [self._transcription(*each) for each in zip(ids.tolist(), log_probs.tolist(), languages, strict=True)]

    def _transcription(self, ids: list[int], log_probs: list[float], language: int) -> Transcription:
        end = self._model.generation_config.eos_token_id
        ended = end in ids
        tokens = ids.index(end) + 1 if ended else len(ids)
        return Transcription(
            text=self._processor.tokenizer.decode(  # type: ignore[attr-defined]
                ids[:tokens], skip_special_tokens=True
            ).strip(),
            log_probability=sum(log_probs[:tokens]) / tokens,
            tokens=tokens,
            cut_off=not ended,
            language=self._languages.get(language),
        )


def open_whisper(name: str, language: str | None) -> Whisper:
    """Loads the model, onto a GPU if there is one. `name` is a folder or a hub id, `language` a code, a name or None.

    Raises InputError for a checkpoint that is no Whisper or cannot be found or read, and for an unknown language.
    """
    check_whisper(name)
    import torch
    from transformers import WhisperForConditionalGeneration, WhisperProcessor
    from transformers.utils import logging

    logging.set_verbosity_error()
    on_gpu = torch.cuda.is_available()
    try:
        model = WhisperForConditionalGeneration.from_pretrained(name, dtype=torch.float16 if on_gpu else torch.float32)
        processor = WhisperProcessor.from_pretrained(name)
    except Exception as error:
        raise loading_failed(name, error) from None
    config = model.generation_config
    multilingual = getattr(config, "is_multilingual", True)
    code = check_language(name, language, _languages(config), multilingual)
    return Whisper(model.eval().to("cuda" if on_gpu else "cpu"), processor, code)


def is_whisper(config: Mapping[str, Any]) -> bool:
    """Whether a config.json describes a Whisper of transformers."""
    return config.get("model_type") == "whisper"


def check_whisper(name: str) -> None:
    """Raises InputError unless `name` is a folder or hub id of a Whisper; of a hub id, one file is downloaded."""
    config = read_config(name)
    if not is_whisper(config):
        kind = config.get("model_type")
        raise InputError(
            f"{name}: expected model_type whisper, got {kind}; use openai/whisper-large-v3 or a folder of one"
        )


def check_whisper_language(name: str, language: str | None) -> None:
    """Raises InputError for a language that this Whisper does not know, without loading weights."""
    config = read_json(name, "generation_config.json")
    multilingual = config.get("is_multilingual", True)
    check_language(name, language, config.get("lang_to_id") or {}, multilingual)


def check_language(name: str, language: str | None, known: Mapping[str, int], multilingual: bool) -> str | None:
    """The code of a language given by code or English name; None when none is given, or for an English-only model.

    `known` maps tokens such as `<|no|>` to ids. Raises InputError for a language that the model does not know.
    """
    if language is None:
        return None
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    name_or_code = language.strip().lower()
    code = TO_LANGUAGE_CODE.get(name_or_code, name_or_code)
    if not multilingual:
        if code == "en":
            return None
        raise InputError(f"language {language}: {name} knows English only; use a model without .en in its name")
    if not known:
        raise InputError(
            f"language {language}: the generation_config.json of {name} names no languages; leave the language out, or "
            "copy that file from the model it was made of"
        )
    if f"<|{code}|>" not in known:
        codes = ", ".join(sorted(token.strip("<|>") for token in known))
        raise InputError(f"language {language}: {name} does not know it; expected one of {codes}")
    return code


def _languages(config: object) -> dict[str, int]:
    """Language tokens and their ids; empty for a model of one language."""
    return dict(getattr(config, "lang_to_id", None) or {}) if getattr(config, "is_multilingual", True) else {}
