"""Share of speech and clipping."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.voices import tone
from trainable.probe.measures.level import clipped_share, speech_share
from trainable.speech.audio import SAMPLE_RATE


def test_levels() -> None:
    half = np.concatenate([tone(1.0), np.zeros(SAMPLE_RATE, dtype=np.float32)])
    assert speech_share(half) == pytest.approx(0.5)
    assert speech_share(np.zeros(10, dtype=np.float32)) == 0
    assert speech_share(0.015 * tone(1.0)) < 0.01 < 0.99 < speech_share(0.03 * tone(1.0))
    half[9] = np.nan
    assert speech_share(half) == 0
    assert clipped_share(np.array([0.2, -1.0, 0.99, 0.98], dtype=np.float32)) == 0.5
    assert clipped_share(np.zeros(0, dtype=np.float32)) == 0
