"""From measures to flags, as tables."""

from __future__ import annotations

import pytest

from tests.support.line_measures import LONG, line_measures
from tests.support.voices import murmur
from trainable.probe.criteria.criteria_table import Flag
from trainable.probe.criteria.criterion import SpokenClip, VoiceMeasures
from trainable.probe.criteria.measure import flags_of, measure_line

LONGER = LONG + " of which nothing is left out"
"""Sixteen words, of which four are less than a third."""
OWN = VoiceMeasures(
    values={
        "character_error": (0.1,) * 8,
        "flatness_db": (-31.0, -30.0, -29.0, -30.0),
        "inner_pause_seconds": (0.2, 0.5, 1.8),
        "pitch_range_semitones": (5.0, 6.0, 7.0),
        "energy_range_db": (14.0, 15.0, 16.0),
    }
)


def own_with(**changes: tuple[float, ...]) -> VoiceMeasures:
    return VoiceMeasures(values={**OWN.values, **changes})


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, ()),
        ({"ended": 0.0}, (Flag.NO_EOS,)),
        ({"speech_share": 0.24}, (Flag.SILENT,)),
        ({"speech_share": 0.26}, ()),
        ({"clipped_share": 0.002}, (Flag.CLIPPED,)),
        ({"seconds": 1.6}, (Flag.TEMPO,)),
        ({"seconds": 5.5}, (Flag.TEMPO,)),
        ({"seconds": 1.7}, ()),
        ({"text": "oh", "expected_seconds": 0.4, "seconds": 2.9}, ()),
        ({"text": "oh", "expected_seconds": 0.4, "seconds": 3.1}, (Flag.TEMPO,)),
        ({"heard": LONG, "character_error": 0.36}, (Flag.GARBLED,)),
        ({"heard": LONG, "character_error": 0.34}, ()),
        ({"flatness_db": -24.0}, (Flag.NOISY,)),
        ({"flatness_db": -27.5}, ()),
        ({"repeated_share": 0.1}, (Flag.LOOPED,)),
        ({"repeated_share": 0.1, "text": "seven one two seven one two and some more words here"}, ()),
        (
            {
                "repeated_share": 0.1,
                "text": "she turned to the left and then to the right until she saw the church behind the trees",
            },
            (Flag.LOOPED,),
        ),
        ({"heard": "good morning to all of you", "text": "Good day."}, (Flag.GARBLED,)),
        ({"heard": "good morning to you", "text": "Good day."}, ()),
        ({"text": "oh", "expected_seconds": 0.4, "seconds": 0.09}, (Flag.TEMPO,)),
        ({"text": "oh", "expected_seconds": 0.4, "seconds": 0.11}, ()),
        ({"stutter": 0.73}, (Flag.LOOPED,)),
        ({"stutter": 0.71}, ()),
        ({"stutter": 0.9, "text": "seven seven one two and some more words here"}, ()),
        ({"heard": LONG + " to have a tempo"}, (Flag.LOOPED,)),
        ({"heard": LONGER + " would early quickly many", "text": LONGER}, (Flag.LOOPED,)),
        ({"heard": LONGER + " would early quickly", "text": LONGER}, ()),
        ({"heard": "a sentence that is have a tempo"}, (Flag.GARBLED,)),
        ({"heard": "a sentence that is to have a tempo"}, ()),
        ({"heard": LONG.replace("long", "song")}, ()),
        ({"heard": "", "character_error": 1.0}, (Flag.SILENT, Flag.GARBLED)),
        ({"heard": "", "character_error": 1.0, "text": "one two"}, ()),
        ({"inner_pause_seconds": 1.7}, ()),
        ({"inner_pause_seconds": 1.9}, (Flag.TEMPO,)),
        ({"tail_seconds": 1.6}, (Flag.TEMPO,)),
        ({"pitch_range_semitones": 1.0, "energy_range_db": 3.0}, (Flag.FLAT,)),
        ({"pitch_range_semitones": 1.0}, (Flag.FLAT,)),
        ({"energy_range_db": 1.0}, ()),
        ({"pitch_range_semitones": None, "energy_range_db": None}, ()),
        ({"character_error": None}, ()),
        ({"heard": "three", "character_error": 1.0, "text": "one two"}, ()),
        ({"ended": 0.0, "clipped_share": 1.0}, (Flag.NO_EOS, Flag.CLIPPED)),
    ],
)
def test_flags(changes: dict, flags: tuple[Flag, ...]) -> None:
    assert flags_of(line_measures(**{**changes}), OWN) == flags


@pytest.mark.parametrize(("error", "garbled"), [(0.45, False), (0.55, True)])
def test_a_voice_that_is_hard_to_understand_is_allowed_more(error: float, garbled: bool) -> None:
    line = line_measures(heard=LONG, character_error=error)
    own = own_with(character_error=(0.3,) * 8)
    assert (Flag.GARBLED in flags_of(line, own)) is garbled


@pytest.mark.parametrize(("share", "garbled"), [(0.0, True), (0.2, False)])
def test_a_voice_whose_words_are_missed_is_allowed_more(share: float, garbled: bool) -> None:
    line = line_measures(heard="a sentence that is have a tempo")
    own = own_with(omitted_share=(share,) * 20)
    assert (Flag.GARBLED in flags_of(line, own)) is garbled


@pytest.mark.parametrize(
    ("ratio", "own", "flagged"),
    [
        (0.6, (), False),
        (0.6, (0.9, 1.1) * 10, True),
        (0.6, (0.9, 1.1) * 9, False),
        (0.6, (0.7, 1.1) * 10, False),
        (0.72, (1.0,) * 20, False),
        (1.5, (0.9, 1.1) * 10, True),
        (1.5, (0.9, 1.3) * 10, False),
        (1.9, (0.9, 3.0) * 10, True),
        (1.38, (1.0,) * 20, False),
    ],
)
def test_the_tempo_of_a_line_is_compared_with_that_of_the_voice(ratio: float, own: tuple, flagged: bool) -> None:
    line = line_measures(seconds=3.0 * ratio)
    assert (Flag.TEMPO in flags_of(line, own_with(tempo=own))) is flagged


def test_without_clips_of_its_own_a_voice_is_neither_noisy_nor_flat() -> None:
    line = line_measures(flatness_db=-1.0, pitch_range_semitones=0.0, energy_range_db=0.0)
    assert flags_of(line, VoiceMeasures()) == ()


@pytest.mark.parametrize("sample", [float("nan"), float("inf")])
def test_samples_that_are_not_finite_count_as_silence(sample: float) -> None:
    wave = murmur(3.0)
    wave[1000] = sample
    measured = measure_line(SpokenClip(wave, LONG, 3.0, eos=True))
    assert Flag.SILENT in flags_of(measured, VoiceMeasures())
    assert flags_of(measure_line(SpokenClip(murmur(3.0), LONG, 3.0, eos=True)), VoiceMeasures()) == ()
