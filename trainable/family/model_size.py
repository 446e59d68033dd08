"""What a forecast has to know of a model. No torch, and no weight is read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelSize:
    """A base model, and seats of one shape on it. Positions are tokens of text and frames of audio in the talker's
    input; every frame takes its codebooks besides."""

    file_bytes: float
    """Of the checkpoint on disk, or to be downloaded."""
    is_here: bool
    parameters: float
    """Of the model, the codec left out."""
    codec_bytes: float
    seat_numbers: float
    """Trained by one seat."""
    adapter_numbers: float
    """In one checkpoint: the same, and what is kept beside it though nobody trains it."""
    layers: int
    """Transformer layers that one training pass calls."""
    frame_layers: int
    """That one spoken frame calls: those of the code predictor many times."""
    position_flops: float
    """Forward and backward."""
    frame_flops: float
    position_units: float
    """Width × layers: activations that are kept for the backward pass grow with it."""
    frame_units: float
