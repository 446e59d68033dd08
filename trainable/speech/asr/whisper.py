"""Runs a Whisper checkpoint of transformers, by hub id or folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.errors import InputError
from trainable.speech.asr.model_config import loading_failed, read_json
from trainable.speech.asr.transcription import Transcription
from trainable.speech.vad import RATE

if TYPE_CHECKING:
    from transformers import BatchFeature, WhisperForConditionalGeneration, WhisperProcessor
    from transformers.generation.utils import GenerateEncoderDecoderOutput

BATCH_ON_GPU, BATCH_ON_CPU = 16, 4
GREEDY = {"num_beams": 1, "do_sample": False, "return_dict_in_generate": True, "output_scores": True}


class Whisper:
    """Decodes greedily; equal audio gives equal text."""

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

        features = self._features(waves)
        with torch.inference_mode():
            output = self._model.generate(
                features.input_features,
                attention_mask=features.attention_mask,
                return_timestamps=False,
                **GREEDY,
                **self._prompt,
            )
        return self._transcriptions(output, [self._languages.get(each) for each in output.sequences[:, 1].tolist()])

    def transcribe_with_timestamps(self, wave: np.ndarray, language: str | None) -> Transcription:
        """See `TimestampModel`.

        One pass over one window: the library's own loop starts the next window where the last segment ended, and goes
        on for ever where that is at 0.00.
        """
        import torch
        from transformers import GenerationMixin, LogitsProcessorList
        from transformers.generation.logits_process import WhisperTimeStampLogitsProcessor

        config: Any = self._model.generation_config
        prompt = [config.decoder_start_token_id]
        if self._languages:
            prompt += [config.lang_to_id[f"<|{language}|>"], config.task_to_id["transcribe"]]
        with torch.inference_mode():
            output = GenerationMixin.generate(
                self._model,
                self._features([wave]).input_features,
                decoder_input_ids=torch.tensor([prompt], device=self._model.device),
                logits_processor=LogitsProcessorList(
                    [WhisperTimeStampLogitsProcessor(config, begin_index=len(prompt))]
                ),
                **GREEDY,
            )
        return self._transcriptions(output, [language])[0]

    def _features(self, waves: Sequence[np.ndarray]) -> BatchFeature:
        features = self._processor.feature_extractor(  # type: ignore[attr-defined]
            list(waves), sampling_rate=RATE, return_tensors="pt", return_attention_mask=True
        )
        return features.to(self._model.device, self._model.dtype)

    def _transcriptions(
        self, output: GenerateEncoderDecoderOutput, languages: Sequence[str | None]
    ) -> list[Transcription]:
        import torch

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
        return [self._transcription(*each) for each in zip(ids.tolist(), log_probs.tolist(), languages, strict=True)]

    def _transcription(self, ids: list[int], log_probs: list[float], language: str | None) -> Transcription:
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
            language=language,
        )


def open_whisper(name: str, language: str | None) -> Whisper:
    """Loads the model, onto a GPU if there is one. `name` is a folder or a hub id, `language` a code, a name or None.

    Raises InputError for a checkpoint that cannot be found or read, and for an unknown language.
    """
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
