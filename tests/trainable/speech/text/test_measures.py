"""What recognisers write agrees with what is said: currencies, units, times and spellings, in every language here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainable.speech.text.error_rate import character_error, normalise
from trainable.speech.text.numbers import spoken_parts

SAID_AND_WRITTEN = [
    ("en", "five dollars and twenty cents", "$5.20"),
    ("en", "five dollars twenty", "$5.20"),
    ("en", "it cost two million dollars", "it cost $2 million"),
    ("en", "three pounds fifty", "£3.50"),
    ("en", "ten kilometers from here", "10 km from here"),
    ("en", "ten kilometres", "10km"),
    ("en", "five kilograms and three square meters", "5 kg and 3 m²"),
    ("en", "minus five degrees Celsius", "−5 °C"),
    ("en", "minus five degrees", "-5°"),
    ("en", "three point one four", "3.14"),
    ("en", "fifty per cent", "50%"),
    ("en", "twelve thousand three hundred forty-five", "12,345"),
    ("en", "fifteen thirty", "15:30"),
    ("en", "at nine oh five", "at 9:05"),
    ("en", "nineteen fourteen to nineteen eighteen", "1914 to 1918"),
    ("en", "sixty miles per hour", "60 mph"),
    ("no", "fem dollar og tjue", "$5,20"),
    ("no", "hundre og åtti kroner", "180 kr"),
    ("no", "to millioner kroner", "2 millioner kr"),
    ("nb", "ti kilometer", "10 km"),
    ("nb", "minus fem grader", "−5 °C"),
    ("nb", "femten tretti", "15.30"),
    ("nb", "tre komma fjorten", "3,14"),
    ("nb", "nitten hundre og trettien", "1931"),
    ("nb", "sytti prosent", "70 %"),
    ("nb", "tolv tusen tre hundre og førtifem", "12 345"),
    ("nn", "ti timar", "10 h"),
    ("nn", "eitt hundre og éin", "101"),
    ("de", "fünf Euro zwanzig", "5,20 €"),
    ("de", "fünf Euro und zwanzig Cent", "5,20 €"),
    ("de", "zwei Millionen Euro", "2 Millionen €"),
    ("de", "zehn Kilometer pro Stunde", "10 km/h"),
    ("de", "minus fünf Grad Celsius", "−5 °C"),
    ("de", "um fünfzehn Uhr dreißig", "um 15:30"),
    ("de", "fünfzehn Uhr", "15:00"),
    ("de", "drei Quadratmeter", "3 m²"),
    ("de", "eine Million zweihunderttausend", "1.200.000"),
    ("fr", "cinq euros vingt", "5,20 €"),
    ("fr", "dix kilomètres", "10 km"),
    ("fr", "quinze heures trente", "15h30"),
    ("fr", "moins cinq degrés", "−5 °C"),
    ("fr", "cinquante pour cent", "50 %"),
    ("fr", "trois virgule quatorze", "3,14"),
    ("lb", "honnerteent", "101"),
    ("lb", "zéng Kilometer", "10 km"),
    ("ltz", "fofzeg Prozent", "50 %"),
    ("lb", "eenanzwanzegsten", "21."),
    ("da", "fem kilometer", "5 km"),
    ("da", "tyve kroner", "20 kr."),
    ("da", "halvtreds procent", "50 %"),
    ("sv", "tjugo kronor", "20 kr"),
    ("sv", "tio grader", "10 °C"),
    ("nl", "vijf euro twintig", "€ 5,20"),
    ("nl", "tien kilometer", "10 km"),
    ("es", "cinco euros", "5 €"),
    ("es", "diez kilómetros", "10 km"),
    ("es", "tres coma cinco", "3,5"),
    ("es", "cincuenta por ciento", "50 %"),
    ("it", "dieci chilometri", "10 km"),
    ("it", "cinque euro e venti centesimi", "5,20 €"),
    ("it", "meno cinque gradi", "-5 °C"),
    ("pt", "dez quilômetros", "10 km"),
    ("pt", "dez quilómetros", "10 km"),
    ("pt", "cinquenta por cento", "50%"),
    ("ru", "пять километров", "5 км"),
    ("ru", "двадцать один процент", "21 %"),
    ("ru", "пять рублей", "5 ₽"),
    ("ru", "минус пять градусов", "−5 °C"),
    ("ja", "五キロメートル", "5 km"),
    ("ja", "五十パーセント", "50%"),
    ("ja", "十五時三十分", "15:30"),
    ("ko", "오 킬로미터", "5 km"),
    ("ko", "오십 퍼센트", "50%"),
    ("zh", "一百二十三", "123"),
    ("zh", "百分之五十", "50%"),
    ("zh", "五公里", "5 km"),
    ("zh", "二零零八年", "2008年"),
    ("zh", "十五点三十分", "15:30"),
    ("zh", "两百个人", "200个人"),
    ("zh", "五美元", "$5"),
    ("chinese", "繁体中文的电脑", "繁體中文的電腦"),
    ("cmn", "这里", "這裡"),
    ("auto", "这里", "這裡"),
    ("no", "jeg vet ikke hva hun sier", "Eg veit ikkje kva ho seier."),
    ("nn", "Kvifor kom dei ikkje heim?", "hvorfor kom de ikke hjem"),
    ("no", "sju", "syv"),
    ("ha", "kilo 5", "kilo 5"),
]
DIFFERENT = [
    ("en", "six dollars", "$5"),
    ("en", "five euros", "$5"),
    ("en", "ten miles", "10 km"),
    ("en", "plus five degrees", "-5°"),
    ("de", "sechzehn Uhr dreißig", "15:30"),
    ("ja", "这里", "這裡"),
    ("en", "ikke", "ikkje"),
    ("no", "jeg", "du"),
]


@pytest.mark.parametrize(("language", "said", "written"), SAID_AND_WRITTEN)
def test_the_written_form_is_what_was_said(language: str, said: str, written: str) -> None:
    assert character_error(said, written, language) == 0
    assert character_error(written, said, language) == 0


@pytest.mark.parametrize(("language", "said", "written"), DIFFERENT)
def test_another_form_is_not(language: str, said: str, written: str) -> None:
    assert character_error(said, written, language) > 0


LANGUAGES = (
    "en",
    "no",
    "nn",
    "de",
    "fr",
    "lb",
    "ha",
    "zh",
    "da",
    "sv",
    "nl",
    "es",
    "it",
    "pt",
    "ru",
    "ja",
    "ko",
    "auto",
)


@given(st.text(alphabet="0123456789.,:'- −$€%°CkmhMg²③½٣ 万iln這里", max_size=24), st.sampled_from(LANGUAGES))
def test_any_text_is_read_and_agrees_with_itself(text: str, language: str) -> None:
    for readings in spoken_parts(text, language):
        assert readings
        for reading in readings:
            assert normalise(normalise(reading)) == normalise(reading)
    if normalise(text):
        assert character_error(text, text, language) == 0
