"""A Whisper checkpoint of transformers, by the name of the hub or by path, that writes down what is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.errors import InputError
from trainable.speech.asr.model_config import read_config, read_other

if TYPE_CHECKING:
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

RATE = 16_000
"""Hz that every Whisper hears at."""
WINDOW_SECONDS = 30.0
"""What it hears at once; shorter pieces are filled up with silence."""
BATCH_ON_GPU, BATCH_ON_CPU = 16, 4


@dataclass(frozen=True)
class Transcription:
    """What was understood of one piece."""

    text: str
    log_probability: float
    """Natural, mean over the tokens, the end included."""
    tokens: int
    cut_off: bool
    """Whether it never came to an end and was stopped at the model's longest text."""
    language: str | None
    """Code of the language it took it for, or was told; None of a model that knows one language only."""


class Whisper:
    """Greedy decoding without timestamps, as it is most likely to say it; equal audio, equal text."""

    def __init__(
        self, model: WhisperForConditionalGeneration, processor: WhisperProcessor, language: str | None
    ) -> None:
        """`language` as `check_language` returns it."""
        self._model, self._processor = model, processor
        config = model.generation_config
        self._languages = {number: token.strip("<|>") for token, number in _languages(config).items()}
        self._told = {"task": "transcribe", "language": language} if self._languages else {}
        self.batch = BATCH_ON_GPU if model.device.type == "cuda" else BATCH_ON_CPU
        """Pieces that it hears at once."""

    def hear(self, waves: Sequence[np.ndarray]) -> list[Transcription]:
        """Any number of [samples] float32 at 16 kHz, mono, of at most 30 s each. Longer ones are cut off.

        Raises InputError where not even one fits into memory.
        """
        heard: list[Transcription] = []
        while len(heard) < len(waves):
            heard += self._hear_batch(waves[len(heard) : len(heard) + self.batch])
        return heard

    def _hear_batch(self, waves: Sequence[np.ndarray]) -> list[Transcription]:
        import torch

        try:
            return self._hear_at_once(waves)
        except torch.OutOfMemoryError:
            if len(waves) == 1:
                raise InputError("the recogniser does not fit into memory; use a smaller Whisper") from None
            torch.cuda.empty_cache()
            self.batch = len(waves) // 2
            return self._hear_batch(waves[: self.batch])

    def _hear_at_once(self, waves: Sequence[np.ndarray]) -> list[Transcription]:
        import torch

        features = self._processor.feature_extractor(
            list(waves), sampling_rate=RATE, return_tensors="pt", return_attention_mask=True
        )
        with torch.inference_mode():
            said = self._model.generate(
                features.input_features.to(self._model.device, self._model.dtype),
                attention_mask=features.attention_mask.to(self._model.device),
                return_timestamps=False,
                num_beams=1,
                do_sample=False,
                return_dict_in_generate=True,
                output_scores=True,
                **self._told,
            )
        steps = len(said.scores)
        chosen = said.sequences[:, -steps:].cpu()
        # A step at a time: all steps of all pieces over the whole vocabulary would take gigabytes in float32.
        sure = torch.stack(
            [
                scores.float().log_softmax(-1).cpu().gather(1, chosen[:, step : step + 1])[:, 0]
                for step, scores in enumerate(said.scores)
            ],
            dim=1,
        )
        languages = said.sequences[:, 1].tolist()
        return [self._utterance(*each) for each in zip(chosen.tolist(), sure.tolist(), languages, strict=True)]

    def _utterance(self, chosen: list[int], sure: list[float], language: int) -> Transcription:
        end = self._model.generation_config.eos_token_id
        ended = end in chosen
        tokens = chosen.index(end) + 1 if ended else len(chosen)
        return Transcription(
            text=self._processor.tokenizer.decode(chosen[:tokens], skip_special_tokens=True).strip(),
            log_probability=sum(sure[:tokens]) / tokens,
            tokens=tokens,
            cut_off=not ended,
            language=self._languages.get(language),
        )


def open_whisper(name: str, language: str | None) -> Whisper:
    """Loads it, onto a GPU where there is one. `name` is a folder or a hub id, `language` a code, a name or None.

    Raises InputError for what is no Whisper, cannot be had or read, and for a language that it does not know.
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
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(f"{name}: cannot be loaded ({reason}); download the checkpoint again") from None
    config = model.generation_config
    multilingual = getattr(config, "is_multilingual", True)
    code = check_language(name, language, _languages(config), multilingual)
    return Whisper(model.eval().to("cuda" if on_gpu else "cpu"), processor, code)


def is_whisper(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is that of a Whisper of transformers."""
    return config.get("model_type") == "whisper"


def check_whisper(name: str) -> None:
    """Raises InputError unless it is a folder or a hub id of a Whisper checkpoint; of a hub id, one file is fetched."""
    config = read_config(name)
    if not is_whisper(config):
        kind = config.get("model_type")
        raise InputError(
            f"{name}: expected model_type whisper, got {kind}; use openai/whisper-large-v3 or a folder of one"
        )


def check_whisper_language(name: str, language: str | None) -> None:
    """Raises InputError for a language that this Whisper does not know, without loading it."""
    config = read_other(name, "generation_config.json")
    multilingual = config.get("is_multilingual", True)
    check_language(name, language, config.get("lang_to_id") or {}, multilingual)


def check_language(name: str, language: str | None, known: Mapping[str, int], multilingual: bool) -> str | None:
    """The code of a language given by code or English name; None where the model needs, or is given, none.

    `known` maps tokens such as `<|no|>`. Raises InputError for one that the model does not know.
    """
    if language is None:
        return None
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    asked = language.strip().lower()
    code = TO_LANGUAGE_CODE.get(asked, asked)
    if not multilingual:
        if code == "en":
            return None
        raise InputError(f"language {language}: {name} knows English only; use a model whose name has no .en")
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
    """Token to id; empty for a model of one language."""
    return dict(getattr(config, "lang_to_id", None) or {}) if getattr(config, "is_multilingual", True) else {}
