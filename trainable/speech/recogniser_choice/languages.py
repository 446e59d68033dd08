"""Languages: their codes and names, the recogniser that hears them best, and the shipped lines of a probe."""

import difflib
from dataclasses import dataclass

TURBO, TURBO_BYTES = "openai/whisper-large-v3-turbo", 1_620_000_000
"""809 million parameters in float16. By its authors: large-v3 with 4 decoder layers for 32, several times faster, and
close to large-v2 in most languages."""
MMS = "facebook/mms-1b-all"


@dataclass(frozen=True)
class Language:
    """A language that a recogniser may hear."""

    code: str
    """As a Whisper spells it: `no`."""
    name: str
    """In English and lower case, as Qwen3-TTS spells it: `norwegian`."""
    iso: str = ""
    """ISO 639-3, as an MMS spells it; empty where this table does not have it."""
    also: tuple[str, ...] = ()
    """Other codes and names."""
    lines: str | None = None
    """The shipped lines of a probe; None where there are none."""
    recogniser: str = TURBO
    """A hub id."""
    recogniser_bytes: int = TURBO_BYTES
    """Of its weights, as they are downloaded."""

    def spelling(self, recogniser: str) -> str:
        """How this recogniser, one of this table, spells the language."""
        return self.iso if recogniser == MMS else self.code

    def __str__(self) -> str:
        return self.name.capitalize()


LANGUAGES = (
    Language("en", "english", iso="eng", lines="english"),
    # NB-Whisper, from 66,000 hours of Norwegian. WER against Whisper large-v3: FLEURS 6.6 for 10.4 %, NST 2.2 for 6.8 %
    # (arXiv 2402.01917). Its weights are float32.
    Language(
        "no",
        "norwegian",
        iso="nob",
        also=("nb", "nor", "bokmål", "bokmal"),
        lines="norwegian",
        recogniser="NbAiLab/nb-whisper-large",
        recogniser_bytes=6_170_000_000,
    ),
    # The same model has Nynorsk: WER 12.6 % on Common Voice. The shipped Norwegian lines are Bokmål.
    Language("nn", "nynorsk", iso="nno", recogniser="NbAiLab/nb-whisper-large", recogniser_bytes=6_170_000_000),
    # A judgement: there are fine-tunes for German and French, and none is known to hear read speech better.
    Language("de", "german", iso="deu", also=("ger",), lines="german"),
    Language("fr", "french", iso="fra", also=("fre",)),
    # A CTC model: WER 10.3 % and CER 2.1 % on RTL's broadcasts, as its repository reports. A small Whisper that was
    # fine-tuned on FLEURS reports 39 %. That it suits speech of other kinds is a judgement.
    Language(
        "lb",
        "luxembourgish",
        iso="ltz",
        also=("letzeburgesch",),
        recogniser="Lemswasabi/wav2vec2-large-xlsr-53-842h-luxembourgish-14h",
        recogniser_bytes=1_260_000_000,
    ),
    # A judgement: small Whispers fine-tuned for Hausa report a WER of 44 % (FLEURS, Common Voice 13), w2v-BERT models
    # 32 % on their own sets. MMS has an adapter for Hausa and was trained on FLEURS among others; its WER is not known.
    Language("ha", "hausa", iso="hau", recogniser=MMS, recogniser_bytes=3_860_000_000),
)


def find_language(code_or_name: str) -> Language | None:
    """The language of that code or English name; None for one that is neither in the table nor known to Whisper."""
    wanted = code_or_name.strip().lower()
    for each in LANGUAGES:
        if wanted in (each.code, each.name, each.iso, *each.also):
            return each
    from transformers.models.whisper.tokenization_whisper import LANGUAGES as WHISPERS
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    code = TO_LANGUAGE_CODE.get(wanted, wanted)
    return Language(code, WHISPERS[code]) if code in WHISPERS else None


def language_of_lines(lines: str) -> Language | None:
    """The language of shipped lines; None for other lines."""
    return next((each for each in LANGUAGES if each.lines == lines), None)


def near_languages(wrong: str) -> str:
    """A few languages to name in an error: `no (norwegian), de (german)`, the most similar first."""
    from transformers.models.whisper.tokenization_whisper import LANGUAGES as WHISPERS

    names = {name: code for code, name in WHISPERS.items()}
    near = [*difflib.get_close_matches(wrong.strip().lower(), names, n=2), *(each.name for each in LANGUAGES)]
    return ", ".join(f"{names[name]} ({name})" for name in dict.fromkeys(near))
