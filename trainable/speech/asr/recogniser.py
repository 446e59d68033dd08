"""Checks and opens a speech recogniser by name: audio in, words out."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from spaces.errors import InputError
from trainable.speech.text.number_words import ANY_LANGUAGE

NONE, POCKETSPHINX = "none", "pocketsphinx"
ENGLISH_NAMES = (ANY_LANGUAGE, "en", "eng", "english")


class Recogniser(Protocol):
    """Transcribes speech."""

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[str]:
        """[samples] float32 at 24 kHz each → the transcript of each on one line; empty without words.

        With the signs that the recogniser writes: `$5.20` says more than its digits.

        Many waves in one call take less time than one after the other where a model runs in batches.
        """
        ...


def check_recogniser(name: str, language: str) -> None:
    """Checks that the recogniser exists and knows the language, without loading weights.

    Of a hub id, a file or two are downloaded. Raises InputError, with the remedy.
    """
    check_name_and_language(name, language)
    if name not in (NONE, POCKETSPHINX):
        from trainable.speech.asr.checkpoint_model import check_checkpoint

        check_checkpoint(name, _forced_language(language))


def open_recogniser(name: str, texts: Sequence[str], language: str) -> Recogniser | None:
    """Opens the recogniser of that name; None for `none`.

    `texts` give pocketsphinx its vocabulary; a checkpoint has its own. `language` is a code that the checkpoint knows,
    or `auto`. A checkpoint is loaded once per process. Raises InputError as `check_recogniser`, for texts that are not
    English with pocketsphinx, and for a checkpoint that cannot be read.
    """
    check_name_and_language(name, language)
    if name == NONE:
        return None
    if name == POCKETSPHINX:
        from trainable.speech.asr.pocket_sphinx import PocketSphinx

        return PocketSphinx(texts)
    from trainable.speech.asr.checkpoint_recogniser import open_checkpoint
    from trainable.speech.asr.installed import place_of

    code = _forced_language(language)
    return open_checkpoint(place_of(name, code), code)


def check_name(name: str) -> None:
    """Raises InputError for a name that no recogniser can have; nothing is read but whether it is a folder."""
    if name in (NONE, POCKETSPHINX) or "/" in name or (name and Path(name).is_dir()):
        return
    near = difflib.get_close_matches(name, (NONE, POCKETSPHINX), n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InputError(
        f"recogniser {name!r}: expected {POCKETSPHINX} or {NONE}, or a Whisper or CTC checkpoint by hub id "
        f"(NAME/MODEL) or folder{hint}"
    )


def check_name_and_language(name: str, language: str) -> None:
    """As `check_name`; raises InputError also for a language that pocketsphinx does not know."""
    check_name(name)
    if name == POCKETSPHINX and language.strip().lower() not in ENGLISH_NAMES:
        raise InputError(
            f"recogniser {name}: expected language en or {ANY_LANGUAGE}, got {language!r}; give a Whisper or CTC "
            f"checkpoint that knows it, or {NONE!r}"
        )


def _forced_language(language: str) -> str | None:
    return None if language == ANY_LANGUAGE else language
