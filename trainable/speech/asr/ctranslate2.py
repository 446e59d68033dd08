"""Runs a Whisper checkpoint converted for CTranslate2 through faster-whisper, by hub id or folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.errors import InputError
from trainable.speech.asr.model_config import loading_failed, read_json
from trainable.speech.asr.transcription import Transcription
from trainable.speech.asr.whisper import check_language

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

PACKAGE = "faster_whisper"
CONVERTED_KEYS = {"lang_ids", "suppress_ids"}
"""Keys of a converted checkpoint's config.json, which names no model type."""
START, MULTILINGUAL_START = "startoftranscript", 50_258
"""The token that starts a transcript, and its least id in a multilingual Whisper. An English-only model has one token
less before it, although it lists all languages."""


MAX_FIRST_TIMESTAMP = 50
"""In steps of 0.02 s: the first segment begins within a second, as in Whisper's own decoder."""
DEFAULT_SUPPRESSED = -1
"""Stands for the tokens of signs that are not spoken, such as brackets and notes of music."""


class FasterWhisper:
    """Decodes greedily; equal audio gives equal text."""

    batch = 1

    def __init__(self, model: WhisperModel, language: str | None) -> None:
        """`language` is a result of `check_language`."""
        self._model, self._language = model, language

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[Transcription]:
        """Any number of [samples] float32 at 16 kHz, mono, of at most 30 s each."""
        return [self._decode(wave, self._language, with_timestamps=False) for wave in waves]

    def detect_language(self, wave: np.ndarray) -> str:
        """The code of the most probable language of [samples] float32 at 16 kHz. The model must be multilingual."""
        return str(self._model.detect_language(wave)[0])

    def transcribe_with_timestamps(self, wave: np.ndarray, language: str | None) -> Transcription:
        """See `TimestampModel`."""
        return self._decode(wave, language, with_timestamps=True)

    def _decode(self, wave: np.ndarray, language: str | None, with_timestamps: bool) -> Transcription:
        """One pass over one window.

        faster-whisper's own loop starts the next window where the last segment ended, and goes on for ever where that
        is at 0.00. Its retries at other temperatures would hide garbled speech.
        """
        from faster_whisper.audio import pad_or_trim
        from faster_whisper.tokenizer import Tokenizer
        from faster_whisper.transcribe import get_suppressed_tokens

        whisper = self._model.model
        encoded = self._model.encode(pad_or_trim(self._model.feature_extractor(wave)[:, :-1]))
        if whisper.is_multilingual and language is None:
            language = whisper.detect_language(encoded)[0][0][0].strip("<|>")
        tokenizer = Tokenizer(
            self._model.hf_tokenizer, whisper.is_multilingual, task="transcribe", language=language or "en"
        )
        prompt = [*tokenizer.sot_sequence, *(() if with_timestamps else (tokenizer.no_timestamps,))]
        decoded = whisper.generate(
            encoded,
            [prompt],
            beam_size=1,
            max_length=self._model.max_length,
            return_scores=True,
            suppress_tokens=get_suppressed_tokens(tokenizer, [DEFAULT_SUPPRESSED]),
            max_initial_timestamp_index=MAX_FIRST_TIMESTAMP,
        )[0]
        ids = decoded.sequences_ids[0]
        tokens = len(ids) + 1
        return Transcription(
            text=tokenizer.decode(ids).strip(),
            # The score is divided by the number of tokens without the end token, whose logarithm it contains.
            log_probability=decoded.scores[0] * len(ids) / tokens,
            tokens=tokens,
            cut_off=len(prompt) + len(ids) >= self._model.max_length,
            language=language if whisper.is_multilingual else None,
        )


def is_faster_whisper(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is that of a converted Whisper."""
    return config.keys() >= CONVERTED_KEYS and "model_type" not in config


def check_faster_whisper(name: str, language: str | None) -> None:
    """Checks package and language, without loading weights. Raises InputError when either is missing."""
    if find_spec(PACKAGE) is None:
        raise InputError(
            f"{name}: a Whisper for CTranslate2 needs faster-whisper, which is not installed; "
            "run `pip install faster-whisper` (the extra fast-whisper), or use the checkpoint it was made of"
        )
    _language(name, language)


def can_use_gpu() -> bool:
    """Whether there is a GPU that CTranslate2 can use."""
    if find_spec(PACKAGE) is None:
        return False
    from ctranslate2 import get_cuda_device_count

    return get_cuda_device_count() > 0


def open_faster_whisper(name: str, language: str | None) -> FasterWhisper:
    """Loads the model, onto a GPU if there is one. `name` is a folder or a hub id, `language` a code, a name or None.

    Raises InputError as `check_faster_whisper`, and for weights that cannot be found or read.
    """
    check_faster_whisper(name, language)
    from faster_whisper import WhisperModel

    on_gpu = can_use_gpu()
    try:
        # By itself CTranslate2 takes float32 on a CPU: twice the time of int8, for equal text.
        model = WhisperModel(name, device="cuda" if on_gpu else "cpu", compute_type="float16" if on_gpu else "int8")
    except Exception as error:
        raise loading_failed(name, error) from None
    return FasterWhisper(model, _language(name, language))


def _language(name: str, language: str | None) -> str | None:
    """See `check_language`; without a tokenizer.json the language is taken unchecked."""
    tokens = {token["content"].strip("<|>"): token["id"] for token in _special_tokens(name)}
    known = {f"<|{token}|>": number for token, number in tokens.items() if token.isalpha() and len(token) <= 3}
    if not tokens:
        return language
    return check_language(name, language, known, tokens.get(START, 0) >= MULTILINGUAL_START)


def _special_tokens(name: str) -> list[dict[str, Any]]:
    return list(read_json(name, "tokenizer.json").get("added_tokens") or ())
