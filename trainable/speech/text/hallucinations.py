"""What Whisper says where there is nothing to hear, learned from the ends of videos."""

from __future__ import annotations

import re

from trainable.speech.text.error_rate import words

INVENTED = frozenset(
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
"""As `words` has them. People say some of it as well."""
CREDITS = re.compile(
    r"amara\.org|subtitles by|subtitled by|undertekster|teksting av|undertexter|untertitel|sous-titr|subtítulos|字幕",
    re.IGNORECASE,
)
"""The credits of subtitles, which nobody reads aloud."""


def is_credits(text: str) -> bool:
    """Whether it reads like the credits of subtitles."""
    return CREDITS.search(text) is not None


def is_invented(text: str) -> bool:
    """Whether all of it is a phrase that Whisper is known to make up. Somebody may have said it nevertheless."""
    return words(text) in INVENTED
