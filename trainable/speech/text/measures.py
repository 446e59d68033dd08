"""Words of currencies and units, as patterns around a number, from Unicode CLDR (Babel)."""

import re
from functools import lru_cache

from babel import Locale, UnknownLocaleError
from babel.lists import format_list
from babel.numbers import format_compact_decimal, get_currency_name
from babel.units import format_unit

from trainable.speech.text.number_words import REFUSALS, part_words

LOCALES = {"en": ("en", "en_GB"), "no": ("nb", "nn"), "pt": ("pt", "pt_PT")}
"""The locales of a language, where it has several spellings."""
COUNTS = (2, 1, 5)
"""One of each plural form of the languages here."""
UNITS = {
    "km": "length-kilometer", "m": "length-meter", "cm": "length-centimeter", "mm": "length-millimeter",
    "mi": "length-mile", "ft": "length-foot", "kg": "mass-kilogram", "g": "mass-gram", "mg": "mass-milligram",
    "t": "mass-tonne", "lb": "mass-pound", "lbs": "mass-pound", "oz": "mass-ounce", "l": "volume-liter",
    "L": "volume-liter", "ml": "volume-milliliter", "mL": "volume-milliliter", "dl": "volume-deciliter",
    "cl": "volume-centiliter", "m²": "area-square-meter", "m2": "area-square-meter", "km²": "area-square-kilometer",
    "km2": "area-square-kilometer", "m³": "volume-cubic-meter", "m3": "volume-cubic-meter", "ha": "area-hectare",
    "h": "duration-hour", "min": "duration-minute", "s": "duration-second", "ms": "duration-millisecond",
    "km/h": "speed-kilometer-per-hour", "m/s": "speed-meter-per-second", "mph": "speed-mile-per-hour",
    "W": "power-watt", "kW": "power-kilowatt", "MW": "power-megawatt", "kWh": "energy-kilowatt-hour",
    "V": "electric-volt", "A": "electric-ampere", "Hz": "frequency-hertz", "kHz": "frequency-kilohertz",
    "MHz": "frequency-megahertz", "GHz": "frequency-gigahertz", "kB": "digital-kilobyte", "MB": "digital-megabyte",
    "GB": "digital-gigabyte", "TB": "digital-terabyte", "°": "angle-degree", "°C": "temperature-celsius",
    "℃": "temperature-celsius", "°F": "temperature-fahrenheit", "℉": "temperature-fahrenheit",
    "%": "concentr-percent", "‰": "concentr-permille",
}  # fmt: skip
"""Symbols that are written in every language → CLDR's names of their units."""
DEGREES = ("temperature-celsius", "temperature-fahrenheit")
"""The scale is often left unsaid."""
PERCENT = {"zh": "百分之{0}", "lb": "{0} Prozent", "ko": "{0} 퍼센트"}
"""Where CLDR has the sign alone."""
CURRENCIES = {
    "$": "USD",
    "€": "EUR",
    "£": "GBP",
    "¥": "JPY",
    "￥": "JPY",
    "₽": "RUB",
    "₩": "KRW",
    "₦": "NGN",
    "₹": "INR",
}
CURRENCY_CODES = ("USD", "EUR", "GBP", "JPY", "CNY", "NOK", "SEK", "DKK", "CHF")
CROWNS = {"no": "NOK", "sv": "SEK", "da": "DKK"}
"""What `kr` stands for."""
YUAN = {"zh": "CNY"}
"""What `¥` stands for, where it is not the yen."""
MAGNITUDES = (10**6, 10**9, 10**12)


@lru_cache(maxsize=32)
def unit_patterns(code: str) -> dict[str, tuple[str, ...]]:
    """Each written unit of a language → its spoken forms, in which `{0}` stands for the number: `{0} kilometers`."""
    patterns = {}
    for symbol, unit in UNITS.items():
        if spoken := _unit(unit, code):
            patterns[symbol] = spoken
            for locale in _locales(code):
                # Some languages have symbols in their own script.
                short = format_unit(5, unit, "short", locale=locale)
                patterns.setdefault(re.sub(r"[\d\s]", "", short), spoken)
    return patterns


@lru_cache(maxsize=32)
def currency_patterns(code: str) -> dict[str, tuple[str, ...]]:
    """Each written currency → its spoken forms: the whole name and each of its words, since `dollars` will do."""
    currencies = {**CURRENCIES, **{each: each for each in CURRENCY_CODES}}
    if code in CROWNS:
        currencies |= {"kr.": CROWNS[code], "kr": CROWNS[code]}
    if code in YUAN:
        currencies |= {"¥": YUAN[code], "￥": YUAN[code]}
    return {symbol: _currency(currency, code) for symbol, currency in currencies.items()}


@lru_cache(maxsize=32)
def magnitudes(code: str) -> tuple[str, ...]:
    """The words for a million and more that stand between a number and its currency, the longest first."""
    words = {
        re.sub(r"[\d\s.,]", "", format_compact_decimal(count * size, format_type="long", locale=locale))
        for locale in _locales(code)
        for size in MAGNITUDES
        for count in COUNTS
    }
    return tuple(sorted(filter(None, words), key=len, reverse=True))


def money_readings(symbol: str, whole: int, cents: int, code: str) -> list[str]:
    """An amount with cents: `five dollars and twenty cents`, `five dollars twenty`, `five twenty`."""
    majors = [pattern.format(words) for words in part_words(whole, code) for pattern in currency_patterns(code)[symbol]]
    minors = [*part_words(cents, code), *_cents(symbol, cents, code)]
    pairs = [(major, minor) for minor in minors for major in [*majors, *part_words(whole, code)]]
    together = [format_list(pair, locale=locale) for pair in pairs for locale in _locales(code)]
    return [*(f"{major} {minor}" for major, minor in pairs), *together]


def joined_readings(first: str, second: str, code: str) -> list[str]:
    """Two parts of a measure after each other, and with the language's `and`."""
    return [f"{first} {second}", *(format_list((first, second), locale=locale) for locale in _locales(code))]


@lru_cache(maxsize=32)
def _locales(code: str) -> tuple[Locale, ...]:
    try:
        return tuple(Locale.parse(name) for name in LOCALES.get(code, (code,)))
    except (UnknownLocaleError, ValueError):
        return ()


def _unit(unit: str, code: str) -> tuple[str, ...]:
    if unit == "concentr-percent" and code in PERCENT:
        return (PERCENT[code],)
    names = (unit, "angle-degree") if unit in DEGREES else (unit,)
    patterns = [
        format_unit(count, name, "long", locale=locale).replace(str(count), "{0}")
        for name in names
        for locale in _locales(code)
        for count in COUNTS
    ]
    return tuple(dict.fromkeys(pattern for pattern in patterns if pattern.count("{0}") == 1))


@lru_cache(maxsize=256)
def _currency(currency: str, code: str) -> tuple[str, ...]:
    names = [get_currency_name(currency, count=count, locale=locale) for locale in _locales(code) for count in COUNTS]
    split = [re.split(r"[\s-]", name) for name in names]
    words = [*(each[-1] for each in split), *names, *(word for each in split for word in each)]
    return tuple(f"{{0}} {word}" for word in dict.fromkeys(words))


def _cents(symbol: str, cents: int, code: str) -> list[str]:
    """The cents with their name, which CLDR does not have and num2words has in some languages."""
    from num2words import num2words

    currency = CURRENCIES.get(symbol, symbol) if symbol not in ("kr", "kr.") else CROWNS[code]
    try:
        said = num2words(cents / 100, to="currency", lang=code, currency=currency, separator="|")
    except REFUSALS:
        return []
    return [said.partition("|")[2]] if "|" in said else []
