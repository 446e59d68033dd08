"""Chooses what listens to a probe in a language, from what is on this machine and what the hub has."""

from collections.abc import Sequence
from dataclasses import dataclass

from spaces.errors import InputError
from trainable.speech.asr import installed
from trainable.speech.asr.hub import hub_has
from trainable.speech.asr.installed import RecogniserCheckpoint
from trainable.speech.asr.recogniser import NONE, POCKETSPHINX
from trainable.speech.recogniser_choice.languages import LANGUAGES, TURBO, TURBO_BYTES, Language

PUBLISHERS = ("openai/", "Systran/")
"""Of Whisper itself and of its usual conversion. Others may be fine-tuned for one language, and their files do not say
so."""
ENGLISH = "en"


@dataclass(frozen=True)
class Choice:
    """A recogniser by name, and the language as it spells it."""

    recogniser: str
    language: str


@dataclass(frozen=True)
class Surroundings:
    """What can be had here."""

    named: RecogniserCheckpoint | None
    """The language's own recogniser, where its weights are here."""
    whispers: Sequence[RecogniserCheckpoint]
    """Whispers in the cache that hear the language."""
    hub_has_named: bool
    has_pocketsphinx: bool


def surroundings(language: Language) -> Surroundings:
    """Looks at the cache, and asks the hub only where the language's own recogniser is not in it."""
    named = installed.checkpoint_here(language.recogniser)
    if named and not named.hears(language.spelling(named.name)):
        named = None
    return Surroundings(
        named,
        [each for each in installed.cached_whispers() if each.hears(language.code)],
        named is None and hub_has(language.recogniser),
        installed.has_pocketsphinx(),
    )


def choose_recogniser(language: Language, here: Surroundings) -> Choice:
    """The language's own recogniser, if here or on the hub; else the best Whisper here; else pocketsphinx for English.

    Raises InputError where nothing can hear the language.
    """
    if here.named or here.hub_has_named:
        return Choice(language.recogniser, language.spelling(language.recogniser))
    if here.whispers:
        return Choice(best_whisper(here.whispers).name, language.code)
    if language.code == ENGLISH and here.has_pocketsphinx:
        return Choice(POCKETSPHINX, ENGLISH)
    package = " install pocketsphinx (`pip install pocketsphinx`)," if language.code == ENGLISH else ""
    raise InputError(
        f"nothing here can hear {language}: {language.recogniser} is not in the cache and cannot be downloaded, and no "
        f"other Whisper that knows it is in the cache; connect to the hub,{package} name the folder of a Whisper or "
        f"CTC checkpoint (--recogniser FOLDER), or search without judging words (--recogniser {NONE})"
    )


def choose_detector(whispers: Sequence[RecogniserCheckpoint]) -> str | None:
    """The best of these that can guess a language; None where none of them can."""
    detecting = [each for each in whispers if each.hears(None)]
    return best_whisper(detecting).name if detecting else None


def best_whisper(whispers: Sequence[RecogniserCheckpoint]) -> RecogniserCheckpoint:
    """large-v3-turbo if it is among them, else the largest of Whisper's own, else the largest of all."""
    return max(whispers, key=lambda each: (each.name == TURBO, each.name.startswith(PUBLISHERS), each.bytes))


def recogniser_bytes(name: str) -> int | None:
    """Bytes of weights, on this machine or to be downloaded; None where that is unknown or there are none."""
    if here := installed.checkpoint_here(name):
        return here.bytes
    if name == TURBO:
        return TURBO_BYTES
    return next((each.recogniser_bytes for each in LANGUAGES if each.recogniser == name), None)
