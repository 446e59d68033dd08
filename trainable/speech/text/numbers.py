"""Readings of digits as words, since recognisers write "42", "$5.20" and "10 km" where the text has words."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from trainable.speech.text.measures import (
    currency_patterns,
    joined_readings,
    magnitudes,
    money_readings,
    unit_patterns,
)
from trainable.speech.text.number_words import (
    ANY_LANGUAGE,
    ENGLISH,
    decimal_words,
    digit_words,
    language_code,
    minus_words,
    number_words,
    part_words,
)
from trainable.speech.text.scripts import SPACELESS

TextParts = Sequence[tuple[str, ...]]
"""A text as parts in order, each with its readings, at least one."""

ORDINALS = {"en": "st|nd|rd|th", "fr": "er|re|ème|e"}
DEFAULT_ORDINALS = r"\.|º|ª"
CLOCKS = {"de": "{0} Uhr", "lb": "{0} Auer", "en": "{0} o'clock", "zh": "{0}点", "ja": "{0}時", "ko": "{0}시"}
"""The hour of a time of day where it is not said as a duration: `15:30` is `fünfzehn Uhr dreißig`, but `quinze heures
trente`."""
MINUTES = {"zh": "{0}分", "ja": "{0}分", "ko": "{0}분"}
YEARS = range(1100, 2100)
MAX_DIGITS = 15
"""Longer numbers are read digit by digit only."""
GROUP_SPACES = "\u00a0\u2009\u202f"
WORD_END = rf"(?![^\W{SPACELESS}])"
"""No letter or digit follows, unless of a script without spaces."""


def spoken_parts(text: str, language: str) -> TextParts:
    """Splits a text at its numbers, each with its readings: as a cardinal, a decimal, a year, a time, an ordinal, an
    amount of money or of a unit, or digit by digit.

    `language` is a code of Whisper or MMS, or an English name. With `auto`, digits are read in English or kept as
    written; in a language without rules for numbers they are kept.
    """
    if not any(character.isdecimal() for character in text):
        return [(text,)]
    code = language_code(language)
    if code is None:
        return [(text,)]
    parts: list[tuple[str, ...]] = []
    end = 0
    for found in _pattern(code).finditer(text):
        readings = _readings(*found.group("sign", "before", "number", "magnitude", "ordinal", "after"), code)
        if not readings:
            continue
        as_written = (found[0],) if language == ANY_LANGUAGE else ()
        parts += [(text[end : found.start()],), tuple(f" {each} " for each in (*readings, *as_written))]
        end = found.end()
    return [*parts, (text[end:],)]


def readings(text: str, language: str) -> list[str]:
    """The whole text with the first reading of each number, then with the second of each, and so on."""
    parts = spoken_parts(text, language)
    count = max(len(part) for part in parts)
    return ["".join(part[min(at, len(part) - 1)] for part in parts) for at in range(count)]


@lru_cache(maxsize=64)
def _pattern(code: str) -> re.Pattern[str]:
    before, after = _any_of(currency_patterns(code)), _any_of({**unit_patterns(code), **currency_patterns(code)})
    # Groups of thousands, decimals, times, dates; a plain space only between groups of three digits.
    digits = rf"(?:\d{{1,3}}(?: \d{{3}})+(?!\d)|\d+)(?:[.,:h'\u2019{GROUP_SPACES}]\d+)*"
    words = "|".join(map(re.escape, magnitudes(code))) or "(?!)"
    return re.compile(
        rf"(?P<sign>(?<![\w.,])[-\u2212\u2013](?=\S?\d))?(?:(?<!\w)(?P<before>{before})\s?)?(?P<number>{digits})"
        rf"(?:\s?(?P<magnitude>{words}){WORD_END})?(?i:(?P<ordinal>{ORDINALS.get(code, DEFAULT_ORDINALS)})(?!\w))?"
        rf"(?:\s?(?P<after>{after}))?"
    )


def _any_of(symbols: Sequence[str] | dict[str, tuple[str, ...]]) -> str:
    """The longest first; one that ends in a letter ends a word."""
    ordered = sorted(symbols, key=len, reverse=True)
    return "|".join(re.escape(each) + (WORD_END if each[-1].isalnum() else "") for each in ordered)


@lru_cache(maxsize=4096)
def _readings(
    sign: str | None,
    before: str | None,
    number: str,
    magnitude: str | None,
    ordinal: str | None,
    after: str | None,
    code: str,
) -> tuple[str, ...]:
    """The most common reading first; empty where the language has no words for the number."""
    groups = re.split(r"\D", unicodedata.normalize("NFKC", number))
    symbol = before or after or ""
    spoken = [*filter(None, _bare_readings(groups, number, ordinal, code))]
    if len(groups) == 2 and not symbol:
        spoken += _time_readings(groups[0], groups[1], code)
    if not spoken:
        return ()
    spoken = [*dict.fromkeys(spoken)]
    # A dash may be a mark as well as a sign.
    signed = [f"{minus_words(code)}{each}" for each in spoken] if sign else []
    whole = [f"{each} {magnitude or ''}" for each in (*signed, *spoken)]
    patterns = {**unit_patterns(code), **currency_patterns(code)}.get(symbol, ())
    measured = [pattern.format(each) for pattern in patterns for each in whole]
    if symbol in currency_patterns(code) and len(groups) == 2 and len(groups[1]) == 2:
        measured += money_readings(symbol, int(groups[0]), int(groups[1]), code)
    # Letters may be a word, or be spelled; signs are no words.
    written = [f"{before or ''} {each} {after or ''}" for each in whole] if symbol.isalpha() or not measured else []
    return tuple(dict.fromkeys(" ".join(each.split()) for each in (*measured, *written)))


def _bare_readings(groups: Sequence[str], number: str, ordinal: str | None, code: str) -> Iterator[str]:
    digits = "".join(groups)
    if ordinal:
        yield from number_words(int(digits), code, "ordinal")
    # A sentence that ends in a number looks like an ordinal in languages that mark those by a dot.
    if ordinal and ordinal != ".":
        return
    if len(groups) == 2:
        yield from number_words(float(".".join(groups)), code)
        if len(digits) <= MAX_DIGITS and "'" not in number:
            yield from decimal_words(int(groups[0]), groups[1], code)
    if len(groups) == 1 or all(len(group) == 3 for group in groups[1:]):
        yield from _integer_readings(digits, code)
    if len(groups) > 1:
        yield " ".join(words[0] for words in (number_words(int(group), code) for group in groups) if words)


def _integer_readings(digits: str, code: str) -> Iterator[str]:
    if len(digits) <= MAX_DIGITS:
        value = int(digits)
        for cardinal in number_words(value, code):
            yield cardinal
            if code == ENGLISH:
                yield cardinal.replace(" and ", " ")
        if len(digits) == 4 and value in YEARS:
            yield from number_words(value, code, "year")
            if digits[2] != "0":
                halves = (number_words(int(half), code) for half in (digits[:2], digits[2:]))
                yield " ".join(words[0] for words in halves if words)
    yield digit_words(digits, code)


def _time_readings(hour: str, minute: str, code: str) -> Iterator[str]:
    """The hour with the minutes behind it, in the words of a clock or of a duration."""
    if len(minute) != 2 or len(hour) > 2 or int(hour) > 24 or int(minute) > 59:
        return
    units = unit_patterns(code)
    for said in part_words(int(hour), code):
        hours = [CLOCKS[code].format(said)] if code in CLOCKS else [each.format(said) for each in units.get("h", ())]
        if not int(minute):
            yield from hours
        digits = digit_words(minute, code)
        spelled = (digits.replace("zero", "oh"), digits) if code == ENGLISH else (digits,)
        for words in (*part_words(int(minute), code), *spelled):
            minutes = (
                [MINUTES[code].format(words)] if code in MINUTES else [each.format(words) for each in units["min"]]
            )
            yield f"{said} {words}"
            for start in hours:
                yield f"{start} {words}"
                yield from (text for end in minutes for text in joined_readings(start, end, code))
