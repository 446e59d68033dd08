"""Readings of digits as words, since recognisers write "42" where the text has words."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

TextParts = Sequence[tuple[str, ...]]
"""A text as parts in order, each with its readings, at least one."""

ANY_LANGUAGE, ENGLISH = "auto", "en"
NUM2WORDS_CODES = {
    "nb": "no", "nn": "no", "nor": "no", "nob": "no", "nno": "no", "eng": "en", "deu": "de", "fra": "fr", "dan": "da",
    "swe": "sv", "nld": "nl", "isl": "is", "fin": "fi", "spa": "es", "por": "pt", "cat": "ca", "ita": "it", "ron": "ro",
    "pol": "pl", "ces": "cs", "slk": "sk", "slv": "sl", "hun": "hu", "rus": "ru", "ukr": "uk", "bel": "be", "srp": "sr",
    "lit": "lt", "lav": "lv", "tur": "tr", "azj": "az", "aze": "az", "kk": "kz", "kaz": "kz", "tgk": "tg", "heb": "he",
    "ara": "ar", "arb": "ar", "fas": "fa", "pes": "fa", "amh": "am", "ben": "bn", "kan": "kn", "tel": "te", "tha": "th",
    "vie": "vi", "ind": "id", "jpn": "ja", "kor": "ko", "epo": "eo", "cym": "cy",
}  # fmt: skip
"""Language codes of Whisper and MMS (ISO 639-3) → those of num2words, where they differ."""

ORDINALS = {"en": "st|nd|rd|th", "fr": "er|re|ème|e"}
DEFAULT_ORDINALS = r"\.|º|ª"
SYMBOLS: dict[str, dict[str, tuple[str, ...]]] = {
    "en": {"%": ("percent",), "$": ("dollars", "dollar"), "€": ("euros", "euro"), "£": ("pounds", "pound")},
    "no": {"%": ("prosent",), "$": ("dollar",), "€": ("euro",), "£": ("pund",)},
    "de": {"%": ("prozent",), "$": ("dollar",), "€": ("euro",), "£": ("pfund",)},
    "fr": {"%": ("pour cent",), "$": ("dollars", "dollar"), "€": ("euros", "euro"), "£": ("livres", "livre")},
}
"""Words for a symbol beside a number, spoken after it. In other languages symbols are dropped, like punctuation."""
YEARS = range(1100, 2100)
MAX_DIGITS = 15
"""Longer numbers are read digit by digit only."""


def spoken_parts(text: str, language: str) -> TextParts:
    """Splits a text at its numbers, each with its readings: as a cardinal, a year, an ordinal, or digit by digit.

    `language` is a code of Whisper or MMS, or an English name. With `auto`, digits are read in English or kept as
    written; in a language without rules for numbers they are kept.
    """
    if not any(character.isdecimal() for character in text):
        return [(text,)]
    code = _code(language)
    if code is None:
        return [(text,)]
    parts: list[tuple[str, ...]] = []
    end = 0
    for found in _pattern(code).finditer(text):
        readings = _number_readings(*found.group("before", "number", "ordinal", "after"), code)
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
def _code(language: str) -> str | None:
    """The code that num2words uses; None where it has no rules for the language."""
    from num2words import CONVERTER_CLASSES

    name = language.strip().lower()
    if name == ANY_LANGUAGE:
        return ENGLISH
    if len(name) > 3:
        from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

        name = TO_LANGUAGE_CODE.get(name, name)
    code = NUM2WORDS_CODES.get(name, name)
    return code if code in CONVERTER_CLASSES else None


@lru_cache(maxsize=64)
def _pattern(code: str) -> re.Pattern[str]:
    ordinal, symbol = ORDINALS.get(code, DEFAULT_ORDINALS), "[%$€£]"
    digits = r"\d+(?:[.,'\u2019\u00a0\u2009\u202f]\d+)*"
    return re.compile(
        rf"(?P<before>{symbol})?\s?(?P<number>{digits})(?P<ordinal>(?:{ordinal})(?!\w))?(?:\s?(?P<after>{symbol}))?",
        re.IGNORECASE,
    )


@lru_cache(maxsize=4096)
def _number_readings(
    before: str | None, number: str, ordinal: str | None, after: str | None, code: str
) -> tuple[str, ...]:
    """The most common reading first; empty where the language has no words for it."""
    groups = re.split(r"\D", unicodedata.normalize("NFKC", number))
    digits = "".join(groups)
    spoken: list[str | None] = []
    if ordinal:
        spoken.append(_number_words(int(digits), code, "ordinal"))
    # A sentence that ends in a number looks like an ordinal in languages that mark those by a dot.
    if not ordinal or ordinal == ".":
        if len(groups) == 2:
            spoken.append(_number_words(float(".".join(groups)), code, "cardinal"))
        if len(groups) == 1 or all(len(group) == 3 for group in groups[1:]):
            spoken += _integer_readings(digits, code)
        else:
            spoken.append(" ".join(filter(None, (_number_words(int(group), code, "cardinal") for group in groups))))
    symbols = SYMBOLS.get(code, {}).get(before or after or "", ("",))
    return tuple(dict.fromkeys(f"{each} {symbol}".strip() for each in filter(None, spoken) for symbol in symbols))


def _integer_readings(digits: str, code: str) -> list[str | None]:
    one_by_one = " ".join(filter(None, (_number_words(int(digit), code, "cardinal") for digit in digits)))
    if len(digits) > MAX_DIGITS:
        return [one_by_one]
    value, as_year = int(digits), []
    cardinal = _number_words(value, code, "cardinal")
    if len(digits) == 4 and value in YEARS:
        halves = [_number_words(int(half), code, "cardinal") for half in (digits[:2], digits[2:])]
        in_pairs = " ".join(filter(None, halves)) if digits[2] != "0" else None
        as_year += [_number_words(value, code, "year"), in_pairs]
    without_and = cardinal.replace(" and ", " ") if cardinal and code == ENGLISH else None
    return [cardinal, without_and, *as_year, one_by_one]


def _number_words(value: float, code: str, form: str) -> str | None:
    """The number as num2words writes it; None where it cannot."""
    from num2words import num2words

    try:
        return str(num2words(value, lang=code, to=form))
    except (NotImplementedError, ArithmeticError, LookupError, ValueError, TypeError, AttributeError):
        return None
