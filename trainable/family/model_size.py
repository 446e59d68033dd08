"""What a forecast needs to know of a model. Needs no torch, and reads no weights."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelSize:
    """Sizes of a base model, and of seats of one shape on it.

    Positions are the text tokens and audio frames in the talker's input. The code predictor processes the codebooks of
    each frame besides.
    """

    file_bytes: float
    """Of the checkpoint on disk, or to be downloaded."""
    is_downloaded: bool
    parameters: float
    """Of the model without the codec."""
    codec_bytes: float
    seat_parameters: float
    """Trained by one seat."""
    checkpoint_parameters: float
    """In one checkpoint: those of a seat, and what is stored beside them untrained."""
    layers: int
    """Transformer layers that one training pass calls."""
    frame_layers: int
    """Layers that one spoken frame calls, with those of the code predictor counted once per codebook."""
    position_flops: float
    """Forward and backward."""
    frame_flops: float
    position_activations: float
    """Width × layers; the activations kept for the backward pass grow with it."""
    frame_activations: float
    """The same of the code predictor, per frame."""
