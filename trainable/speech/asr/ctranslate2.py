"""A Whisper that was converted for CTranslate2, by the name of the hub or by path, as faster-whisper runs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.errors import InputError
from trainable.speech.asr.model_config import read_other
from trainable.speech.asr.whisper import check_language

if TYPE_CHECKING:
    from faster_whisper import WhisperModel

PACKAGE = "faster_whisper"
CONVERTED = {"lang_ids", "suppress_ids"}
"""What the converter writes into a config.json, which names no model type."""
START, MULTILINGUAL_START = "startoftranscript", 50_258
"""The token that starts a transcript, and its number from which on a Whisper knows more than English: a model of
English alone has one token less before it, and names the languages nevertheless."""


class FasterWhisper:
    """Greedy decoding without timestamps; equal audio, equal text."""

    def __init__(self, model: WhisperModel, language: str | None) -> None:
        """`language` as `check_language` returns it."""
        self._model, self._language = model, language

    def hear(self, waves: Sequence[np.ndarray]) -> list[str]:
        """Any number of [samples] float32 at 16 kHz, mono, of at most 30 s each."""
        return [self._hear_one(wave) for wave in waves]

    def _hear_one(self, wave: np.ndarray) -> str:
        """Whether somebody speaks was asked before. A second try at another temperature would hide garble."""
        segments, _ = self._model.transcribe(
            wave,
            language=self._language,
            beam_size=1,
            temperature=0.0,
            no_speech_threshold=None,
            condition_on_previous_text=False,
            without_timestamps=True,
            vad_filter=False,
        )
        return " ".join(segment.text.strip() for segment in segments)


def is_faster_whisper(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is that of a converted Whisper."""
    return config.keys() >= CONVERTED and "model_type" not in config


def check_faster_whisper(name: str, language: str | None) -> None:
    """Reads which languages it knows, no weights.

    Raises InputError where the package is missing, and for a language that it does not know.
    """
    if find_spec(PACKAGE) is None:
        raise InputError(
            f"{name}: a Whisper for CTranslate2 needs faster-whisper, which is not installed; "
            "run `pip install faster-whisper` (the extra fast-whisper), or use the checkpoint it was made of"
        )
    _language(name, language)


def open_faster_whisper(name: str, language: str | None) -> FasterWhisper:
    """Loads it, onto a GPU where there is one. `name` is a folder or a hub id, `language` a code, a name or None.

    Raises InputError as `check_faster_whisper`, and for what cannot be had or read.
    """
    check_faster_whisper(name, language)
    from faster_whisper import WhisperModel

    try:
        model = WhisperModel(name)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(f"{name}: cannot be loaded ({reason}); download the checkpoint again") from None
    return FasterWhisper(model, _language(name, language))


def _language(name: str, language: str | None) -> str | None:
    """See `check_language`; of a checkpoint without a tokenizer.json nothing is known, and it is believed."""
    tokens = {token["content"].strip("<|>"): token["id"] for token in _special_tokens(name)}
    known = {f"<|{token}|>": number for token, number in tokens.items() if token.isalpha() and len(token) <= 3}
    if not tokens:
        return language
    return check_language(name, language, known, tokens.get(START, 0) >= MULTILINGUAL_START)


def _special_tokens(name: str) -> list[dict[str, Any]]:
    return list(read_other(name, "tokenizer.json").get("added_tokens") or ())
