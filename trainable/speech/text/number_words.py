"""Numbers as words: by the rules of Unicode CLDR (unicode-rbnf) and by num2words, which know different variants."""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from unicode_rbnf import FormatPurpose, RbnfEngine

ANY_LANGUAGE, ENGLISH, NORWEGIAN, CHINESE = "auto", "en", "no", "zh"
ISO_639_1 = {
    "nb": "no", "nn": "no", "nor": "no", "nob": "no", "nno": "no", "eng": "en", "deu": "de", "fra": "fr", "ltz": "lb",
    "dan": "da", "swe": "sv", "nld": "nl", "isl": "is", "fin": "fi", "spa": "es", "por": "pt", "cat": "ca", "ita": "it",
    "ron": "ro", "pol": "pl", "ces": "cs", "slk": "sk", "slv": "sl", "hun": "hu", "rus": "ru", "ukr": "uk", "bel": "be",
    "srp": "sr", "lit": "lt", "lav": "lv", "tur": "tr", "azj": "az", "aze": "az", "kaz": "kk", "tgk": "tg", "heb": "he",
    "ara": "ar", "arb": "ar", "fas": "fa", "pes": "fa", "amh": "am", "ben": "bn", "kan": "kn", "tel": "te", "tha": "th",
    "vie": "vi", "ind": "id", "jpn": "ja", "kor": "ko", "epo": "eo", "cym": "cy", "cmn": "zh", "zho": "zh",
}  # fmt: skip
"""Language codes of MMS (ISO 639-3) and Norwegian's written forms → the codes of these rules."""
CLDR_CODES = {"no": ("no", "nn")}
"""CLDR has Nynorsk apart."""
NUM2WORDS_CODES = {"kk": "kz"}
UNUSED_RULES = re.compile("financial|days")
"""Spellings for cheques, and the days of Chinese months."""

MAX_PART_WORDINGS = 3
"""Wordings of each part of a decimal, a time or an amount that are tried. Russian has one per case and gender."""

Form = Literal["cardinal", "ordinal", "year"]
PURPOSES = {"cardinal": FormatPurpose.CARDINAL, "ordinal": FormatPurpose.ORDINAL, "year": FormatPurpose.YEAR}
REFUSALS = (NotImplementedError, ArithmeticError, LookupError, ValueError, TypeError, AttributeError)
"""What the libraries raise for a number or a form that they cannot write."""


@lru_cache(maxsize=64)
def language_code(language: str) -> str | None:
    """The code of a language that is given by a code of Whisper or MMS or an English name; `auto` counts as English.

    None where no library has number words for it, such as Hausa.
    """
    from num2words import CONVERTER_CLASSES

    name = language.strip().lower()
    if name == ANY_LANGUAGE:
        return ENGLISH
    if len(name) > 3:
        from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

        name = TO_LANGUAGE_CODE.get(name, name)
    code = ISO_639_1.get(name, name)
    known = NUM2WORDS_CODES.get(code, code) in CONVERTER_CLASSES or code in RbnfEngine.get_supported_languages()
    return code if known else None


@lru_cache(maxsize=8192)
def number_words(value: float, code: str, form: Form = "cardinal") -> tuple[str, ...]:
    """The number in every way in which the libraries write it, the most common first; empty where they cannot."""
    return tuple(dict.fromkeys(filter(None, [*_num2words(value, code, form), *_cldr(value, code, form)])))


def part_words(value: int, code: str) -> tuple[str, ...]:
    """The most common wordings of a part of a number."""
    return number_words(value, code)[:MAX_PART_WORDINGS]


def decimal_words(whole: int, fraction: str, code: str) -> Iterator[str]:
    """A decimal number with the digits of its fraction one by one, zeros at its end included, and as one number."""
    point = _between(number_words(1.5, code), number_words(1, code), number_words(5, code))
    for start in part_words(whole, code) if point else ():
        yield f"{start}{point}{digit_words(fraction, code)}"
        for end in part_words(int(fraction), code):
            yield f"{start}{point}{end}"


def minus_words(code: str) -> str:
    """What is said before a negative number; empty where that is not known."""
    return _between(number_words(-5, code), ("",), number_words(5, code))


def digit_words(digits: str, code: str) -> str:
    """Every digit as a word of its own."""
    return " ".join(words[0] for words in (number_words(int(digit), code) for digit in digits) if words)


def _between(texts: tuple[str, ...], starts: tuple[str, ...], ends: tuple[str, ...]) -> str:
    """What stands between one of the starts and one of the ends in the first of the texts that has both."""
    found = (
        text[len(start) : len(text) - len(end)]
        for text in texts
        for start in starts
        for end in ends
        if text.startswith(start) and text.endswith(end)
    )
    return next((each for each in found if each.strip()), "")


def _num2words(value: float, code: str, form: Form) -> list[str]:
    from num2words import num2words

    try:
        return [str(num2words(value, lang=NUM2WORDS_CODES.get(code, code), to=form))]
    except REFUSALS:
        return []


def _cldr(value: float, code: str, form: Form) -> list[str]:
    found: list[str] = []
    for name in CLDR_CODES.get(code, (code,)):
        try:
            texts = _engine(name).format_number(value, PURPOSES[form]).text_by_ruleset
        except REFUSALS:
            continue
        found += [text for rules, text in texts.items() if not UNUSED_RULES.search(rules)]
    if code == CHINESE:
        # Before a measure and before hundreds and more, two is another word.
        found += [re.sub("二(?=[百千万亿])|^二$", "两", text) for text in found]
    return [text.replace("\u00ad", "") for text in found]


@lru_cache(maxsize=16)
def _engine(name: str) -> RbnfEngine:
    return RbnfEngine.for_language(name)
