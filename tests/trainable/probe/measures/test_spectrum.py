"""Average spectra and their distance."""

from __future__ import annotations

import numpy as np

from tests.support.voices import tone
from trainable.probe.measures.spectrum import average_spectrum, spectral_distance
from trainable.speech.audio import SAMPLE_RATE


def test_a_spectrum_does_not_depend_on_loudness() -> None:
    low, high = average_spectrum(tone(1.0, 200)), average_spectrum(tone(1.0, 2000))
    assert spectral_distance(low, average_spectrum(0.01 * tone(2.0, 200))) < 0.5
    assert spectral_distance(low, high) > 5
    for nothing in (0, 100, SAMPLE_RATE):
        assert not average_spectrum(np.zeros(nothing, dtype=np.float32)).any()
