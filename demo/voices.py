"""The voices of pre-training, and the one that is kept for tuning.

They are the espeak-ng variants of which pocketsphinx recognises most words, in originals and after the codec. Variants
that repeat another one (caleb, klatt and klatt6 are adam) are left out.
"""

from demo.corpus import EspeakVoice

_PITCHES = {
    "f1": (35, 48, 60),
    "f4": (25, 35, 45),
    "f5": (35, 48, 60),
    "m2": (30, 45, 60),
    "m5": (30, 45, 60),
    "m6": (30, 45, 60),
    "adam": (30, 45, 60),
    "benjamin": (30, 45, 60),
    "edward2": (30, 45, 60),
    "klatt2": (30, 45, 60),
    "klatt3": (30, 45, 60),
    "klatt4": (30, 45, 60),
    "klatt5": (30, 45, 60),
    "Diogo": (30, 45, 60),
    "Henrique": (30, 45, 60),
    "michel": (30, 45, 60),
}
_SPEEDS = (155, 165, 175)

PRETRAINING_VOICES = tuple(
    EspeakVoice(variant, pitch, _SPEEDS[(row + column) % len(_SPEEDS)])
    for row, (variant, pitches) in enumerate(_PITCHES.items())
    for column, pitch in enumerate(pitches)
)

NEW_VOICE = EspeakVoice("edward", 50, 160)
"""No other variant sounds the same. It occurs neither in pre-training nor among the recordings that the codec is fitted
to; the most similar voices there are klatt5, klatt4 and edward2."""
