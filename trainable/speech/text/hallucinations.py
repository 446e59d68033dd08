"""What Whisper hallucinates: phrases that it learned from the ends of videos, credits, and repetitions."""

import re
import zlib

from trainable.speech.text.error_rate import normalise

HALLUCINATED_PHRASES = frozenset(
    {
        "thank you",
        "thanks",
        "thank you very much",
        "thank you for watching",
        "thanks for watching",
        "thank you so much for watching",
        "please subscribe",
        "you",
        "bye",
        "bye bye",
        "so",
        "takk for at du så på",
        "takk for at du så med",
        "vielen dank",
        "vielen dank fürs zuschauen",
        "merci d'avoir regardé cette vidéo",
        "gracias por ver el video",
        "ご視聴ありがとうございました",
        "продолжение следует",
        "спасибо за просмотр",
    }
)
"""Normalised by `normalise`. People do say some of these."""
SUBTITLE_CREDITS = re.compile(
    r"amara\.org|subtitles by|subtitled by|undertekster|teksting av|undertexter|untertitel|sous-titr|subtítulos|字幕",
    re.IGNORECASE,
)
"""Credits of subtitles, which are never spoken."""
MAX_COMPRESSION = 2.4
"""Compression ratio of zlib above which Whisper's decoder takes a text for repetitive (Radford et al., 2022)."""


def is_subtitle_credits(text: str) -> bool:
    """Whether a transcript holds credits of subtitles."""
    return SUBTITLE_CREDITS.search(text) is not None


def is_hallucinated(text: str) -> bool:
    """Whether the whole transcript is a phrase that Whisper hallucinates, though a speaker may have said it."""
    return normalise(text) in HALLUCINATED_PHRASES


def is_repetitive(text: str) -> bool:
    """Whether a text repeats itself so often that it compresses too well."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) > MAX_COMPRESSION
