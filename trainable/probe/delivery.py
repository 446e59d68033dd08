"""How a line was delivered: its pitch, its level, its length."""

from __future__ import annotations

import numpy as np

from spaces.final import Delivery
from trainable.audio import SAMPLE_RATE
from trainable.probe.activity import active_frames, frame_levels, sound
from trainable.probe.prosody import LEAST_VOICED, pitch_track

NO_LEVEL = -120.0
"""dBFS where nothing is spoken: the least that a frame's level can be."""


def delivery(wave: np.ndarray, audio: str) -> Delivery:
    """wave: [samples] float32 at 24 kHz; `audio` is what its recording is called."""
    track = pitch_track(wave)
    voiced = track[np.isfinite(track)]
    heard = sound(wave)
    levels = frame_levels(heard)[active_frames(heard)]
    return Delivery(
        audio=audio,
        pitch=float(np.median(voiced)) if voiced.size >= LEAST_VOICED else None,
        level=float(np.median(levels)) if levels.size else NO_LEVEL,
        seconds=wave.size / SAMPLE_RATE,
    )
