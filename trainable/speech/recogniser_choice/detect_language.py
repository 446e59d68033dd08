"""Guesses the language of recordings with a multilingual Whisper, in a process of its own."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from spaces.errors import InputError

CLIPS = 10
"""Clips that a guess is made from."""


def guess_language(whisper: str, recordings: Sequence[Path]) -> Counter[str]:
    """How many of at most ten recordings, taken evenly, are in which language, by code.

    The process ends afterwards, so that a GPU is free again. Raises InputError for a Whisper or a recording that cannot
    be read.
    """
    step = max(1, len(recordings) // CLIPS)
    chosen = [str(path) for path in recordings[::step][:CLIPS]]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        try:
            return Counter(pool.submit(detect_languages, whisper, chosen).result())
        except BrokenProcessPool:
            raise InputError(
                f"{whisper}: its process was killed while it guessed the language of the clips; say it with --language"
            ) from None


def detect_languages(whisper: str, recordings: Sequence[str]) -> list[str]:
    """The code of the language of each recording."""
    from trainable.speech.asr.ctranslate2 import is_faster_whisper, open_faster_whisper
    from trainable.speech.asr.installed import place_of
    from trainable.speech.asr.model_config import read_config
    from trainable.speech.asr.whisper import open_whisper
    from trainable.speech.asr.windows import WINDOW_SECONDS
    from trainable.speech.audio import SAMPLE_RATE, read_audio, resample
    from trainable.speech.vad import RATE

    whisper = place_of(whisper, None)
    longest = round(WINDOW_SECONDS * RATE)
    waves: list[np.ndarray] = [resample(read_audio(Path(path)), SAMPLE_RATE, RATE)[:longest] for path in recordings]
    if is_faster_whisper(read_config(whisper)):
        model = open_faster_whisper(whisper, None)
        return [model.detect_language(wave) for wave in waves]
    return [each.language or "en" for each in open_whisper(whisper, None).transcribe(waves)]
