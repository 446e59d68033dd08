"""From measures to flags, as tables."""

from __future__ import annotations

import pytest

from spaces.records.verdict import Flag
from tests.support.voices import murmur
from trainable.probe.criteria.flags import flags_of
from trainable.probe.measures.line import LineMeasures, VoiceMeasures, measure_line
from trainable.probe.measures.pauses import Pauses

LONG = "a sentence that is long enough to have a tempo"
LONGER = LONG + " of which nothing is left out"
"""Sixteen words, of which four are less than a third."""
HEALTHY = {
    "heard": None,
    "eos": True,
    "seconds": 3.0,
    "expected_seconds": 3.0,
    "text": LONG,
    "speech_share": 0.8,
    "clipped_share": 0.0,
    "character_error": 0.1,
    "flatness": -30.0,
    "repeated_share": 0.0,
    "pauses": Pauses(longest_inner=0.3, tail=0.1),
    "pitch_range": 6.0,
    "energy_range": 15.0,
}
OWN = VoiceMeasures(
    character_errors=(0.1,) * 8,
    flatness=(-31.0, -30.0, -29.0, -30.0),
    inner_pauses=(0.2, 0.5, 1.8),
    pitch_ranges=(5.0, 6.0, 7.0),
    energy_ranges=(14.0, 15.0, 16.0),
)


@pytest.mark.parametrize(
    ("changes", "flags"),
    [
        ({}, ()),
        ({"eos": False}, (Flag.NO_EOS,)),
        ({"speech_share": 0.24}, (Flag.SILENT,)),
        ({"speech_share": 0.26}, ()),
        ({"clipped_share": 0.002}, (Flag.CLIPPED,)),
        ({"seconds": 1.6}, (Flag.TEMPO,)),
        ({"seconds": 5.5}, (Flag.TEMPO,)),
        ({"seconds": 1.7}, ()),
        ({"text": "oh", "expected_seconds": 0.4, "seconds": 2.9}, ()),
        ({"text": "oh", "expected_seconds": 0.4, "seconds": 3.1}, (Flag.TEMPO,)),
        ({"character_error": 0.36}, (Flag.GARBLED,)),
        ({"character_error": 0.34}, ()),
        ({"flatness": -24.0}, (Flag.NOISY,)),
        ({"flatness": -27.5}, ()),
        ({"repeated_share": 0.1}, (Flag.LOOPED,)),
        ({"repeated_share": 0.1, "text": "seven seven one two and some more words here"}, ()),
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
        ({"pauses": Pauses(longest_inner=1.7, tail=0.1)}, ()),
        ({"pauses": Pauses(longest_inner=1.9, tail=0.1)}, (Flag.TEMPO,)),
        ({"pauses": Pauses(longest_inner=0.3, tail=1.6)}, (Flag.TEMPO,)),
        ({"pitch_range": 1.0, "energy_range": 3.0}, (Flag.FLAT,)),
        ({"pitch_range": 1.0}, (Flag.FLAT,)),
        ({"energy_range": 1.0}, ()),
        ({"pitch_range": None, "energy_range": None}, ()),
        ({"character_error": None}, ()),
        ({"character_error": 1.0, "text": "one two"}, ()),
        ({"eos": False, "clipped_share": 1.0}, (Flag.NO_EOS, Flag.CLIPPED)),
    ],
)
def test_flags(changes: dict, flags: tuple[Flag, ...]) -> None:
    assert flags_of(LineMeasures(**{"text": LONG, **HEALTHY, **changes}), OWN) == flags


@pytest.mark.parametrize(("error", "garbled"), [(0.45, False), (0.55, True)])
def test_a_voice_that_is_hard_to_understand_is_allowed_more(error: float, garbled: bool) -> None:
    line = LineMeasures(**{"text": LONG, **HEALTHY, "character_error": error})
    own = OWN.model_copy(update={"character_errors": (0.3,) * 8})
    assert (Flag.GARBLED in flags_of(line, own)) is garbled


@pytest.mark.parametrize(("share", "garbled"), [(0.0, True), (0.2, False)])
def test_a_voice_whose_words_are_missed_is_allowed_more(share: float, garbled: bool) -> None:
    line = LineMeasures(**{"text": LONG, **HEALTHY, "heard": "a sentence that is have a tempo"})
    own = OWN.model_copy(update={"omitted_shares": (share,) * 20})
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
    line = LineMeasures(**{"text": LONG, **HEALTHY, "seconds": 3.0 * ratio})
    assert (Flag.TEMPO in flags_of(line, OWN.model_copy(update={"tempos": own}))) is flagged


def test_without_clips_of_its_own_a_voice_is_neither_noisy_nor_flat() -> None:
    line = LineMeasures(**{"text": LONG, **HEALTHY, "flatness": -1.0, "pitch_range": 0.0, "energy_range": 0.0})
    assert flags_of(line, VoiceMeasures()) == ()


@pytest.mark.parametrize("sample", [float("nan"), float("inf")])
def test_samples_that_are_not_finite_count_as_silence(sample: float) -> None:
    wave = murmur(3.0)
    wave[1000] = sample
    measured = measure_line(wave, LONG, None, eos=True, expected_seconds=3.0)
    assert Flag.SILENT in flags_of(measured, VoiceMeasures())
    assert flags_of(measure_line(murmur(3.0), LONG, None, eos=True, expected_seconds=3.0), VoiceMeasures()) == ()
