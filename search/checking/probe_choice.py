"""Chooses what `auto` stands for in the probe of a plan: its recogniser, its language and its lines."""

import dataclasses
from collections import Counter
from collections.abc import Callable

from search.planning.plan import Plan
from spaces.errors import InputError
from spaces.probe_settings import AUTO
from spaces.space import Space
from trainable.dataset.clip import VoiceDataset
from trainable.probe.texts.lines import HELD_OUT
from trainable.speech.asr import installed
from trainable.speech.asr.ctc import adapter_languages
from trainable.speech.asr.hub import hub_has
from trainable.speech.asr.recogniser import NONE, POCKETSPHINX
from trainable.speech.recogniser_choice.choice import ENGLISH, choose_detector, choose_recogniser, surroundings
from trainable.speech.recogniser_choice.detect_language import guess_language
from trainable.speech.recogniser_choice.languages import (
    TURBO,
    Language,
    find_language,
    language_of_lines,
    near_languages,
)

Confirm = Callable[[str], bool]
"""Asks whether a statement is right, or tells it and returns True."""
HOW_TO_SAY_IT = "say it with --language, by code or English name: --language no"


def choose_probe(plan: Plan, dataset: VoiceDataset, confirm: Confirm, may_download: bool) -> Plan:
    """The plan with a concrete recogniser, language and lines; a resumed one keeps what its ledger records.

    Where the language is not said, a Whisper guesses it from ten clips, and `confirm` is asked. It is one that is here,
    unless `may_download`. Raises InputError where nothing can hear the language, or nothing can guess it.
    """
    probe = plan.space.probe
    if plan.resume or (probe.language == AUTO and AUTO not in (probe.recogniser, probe.lines)):
        return plan
    language = said_language(plan.space, dataset)
    if language is None and probe.language != AUTO:
        if probe.recogniser == AUTO:
            raise InputError(
                f"language {probe.language!r}: no recogniser is known for it; expected one such as "
                f'{near_languages(probe.language)}, or name a recogniser that knows it, or "none"'
            )
        return _with_probe(plan, lines=HELD_OUT if probe.lines == AUTO else probe.lines)
    if language is None and probe.recogniser != NONE:
        language = _guess(plan, dataset, confirm, may_download)
    lines = probe.lines
    if lines == AUTO:
        lines = (language and language.lines) or HELD_OUT
    if language is None:
        return _with_probe(plan, lines=lines)
    if probe.recogniser != AUTO:
        return _with_probe(plan, lines=lines, language=_spelled(language, probe.recogniser))
    choice = choose_recogniser(language, surroundings(language))
    return _with_probe(plan, lines=lines, recogniser=choice.recogniser, language=choice.language)


def said_language(space: Space, dataset: VoiceDataset) -> Language | None:
    """The language that the probe's section says, or else the model's, the lines, the recogniser or most clips."""
    probe = space.probe
    if probe.language != AUTO:
        return find_language(probe.language)
    if space.language != AUTO and (language := find_language(space.language)):
        return language
    if language := language_of_lines(probe.lines):
        return language
    if probe.recogniser == POCKETSPHINX or _is_english_only(probe.recogniser):
        return find_language(ENGLISH)
    marked = Counter(find_language(clip.language) for clip in dataset.clips if clip.language)
    if not marked:
        return None
    language, count = marked.most_common(1)[0]
    return language if 2 * count > len(dataset.clips) else None


def _guess(plan: Plan, dataset: VoiceDataset, confirm: Confirm, may_download: bool) -> Language:
    named = installed.checkpoint_here(plan.space.probe.recogniser)
    here = (named,) if named and named.hears(None) else installed.cached_whispers()
    whisper = choose_detector(here)
    if whisper is None and may_download and hub_has(TURBO):
        whisper = TURBO
    if whisper is None:
        raise InputError(
            f"the clips do not say their language, and no multilingual Whisper is here to guess it; {HOW_TO_SAY_IT}"
        )
    heard = guess_language(whisper, [clip.audio for clip in dataset.clips])
    code, count = heard.most_common(1)[0]
    language = find_language(code)
    guess = f"The clips are in {language}: {whisper} hears it in {count} of {heard.total()}"
    if language is None or not confirm(guess):
        raise InputError(f"the language of the clips is not known; {HOW_TO_SAY_IT}")
    return language


def _spelled(language: Language, recogniser: str) -> str:
    """The language as the recogniser spells it. Raises InputError for a checkpoint that cannot be found."""
    has_adapters = recogniser not in (NONE, POCKETSPHINX) and adapter_languages(recogniser)
    return language.iso if has_adapters and language.iso else language.code


def _is_english_only(recogniser: str) -> bool:
    here = installed.checkpoint_here(recogniser)
    return here is not None and here.is_whisper and here.hears(ENGLISH) and not here.hears(None)


def _with_probe(plan: Plan, **changes: str) -> Plan:
    probe = plan.space.probe.model_copy(update=changes)
    return dataclasses.replace(plan, space=plan.space.model_copy(update={"probe": probe}))
