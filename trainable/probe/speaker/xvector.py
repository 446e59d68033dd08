"""Speaker encoder from a transformers checkpoint with an x-vector head (WavLM, UniSpeech-SAT, Wav2Vec2 …)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spaces.errors import InputError
from trainable.speech.asr.model_config import loading_failed
from trainable.speech.audio import SAMPLE_RATE, resample

if TYPE_CHECKING:
    from transformers import PreTrainedModel, SequenceFeatureExtractor

RATE = 16_000
"""Hz; the input rate of these models."""
MIN_SAMPLES = RATE // 2
"""Shorter waves are repeated, since the head spans 15 frames of 20 ms."""
TRAINING_ONLY = ("objective.", "classifier.")
"""Prefixes of weights that embeddings do not depend on."""


class XVectorEncoder:
    """See `encoder.SpeakerEncoder`."""

    def __init__(self, model: PreTrainedModel, extractor: SequenceFeatureExtractor) -> None:
        self._model, self._extractor = model, extractor

    def embed(self, wave: np.ndarray) -> np.ndarray:
        import torch

        resampled = resample(wave.astype(np.float32), SAMPLE_RATE, RATE)
        repeated = np.tile(resampled, -(-MIN_SAMPLES // max(1, resampled.size)))
        features = self._extractor(repeated, sampling_rate=RATE, return_tensors="pt")
        values = features[self._model.main_input_name].to(self._model.device, self._model.dtype)
        with torch.inference_mode():
            return self._model(values).embeddings[0].float().cpu().numpy()


def open_xvector(name: str) -> XVectorEncoder:
    """Loads the model, onto a GPU if there is one. `name` is a folder or a hub id.

    Raises InputError for weights that cannot be found or read, and for a missing weight that embeddings depend on,
    which transformers would initialise at random.
    """
    import torch
    from transformers import AutoFeatureExtractor, AutoModelForAudioXVector
    from transformers.utils import logging

    logging.set_verbosity_error()
    try:
        # By default the library prompts on the terminal whether to run code that a checkpoint brings.
        model, info = AutoModelForAudioXVector.from_pretrained(
            name, dtype=torch.float32, output_loading_info=True, trust_remote_code=False
        )
        extractor = AutoFeatureExtractor.from_pretrained(name, trust_remote_code=False)
    except Exception as error:
        raise loading_failed(name, error) from None
    missing = sorted(each for each in info["missing_keys"] if not each.startswith(TRAINING_ONLY))
    if missing:
        raise InputError(
            f"{name}: {len(missing)} weights are missing, {missing[0]} among them; use a checkpoint trained for "
            "speaker verification, such as microsoft/wavlm-base-plus-sv"
        )
    if extractor.sampling_rate != RATE:
        raise InputError(f"{name}: expected an input rate of {RATE} Hz, got {extractor.sampling_rate}; use another")
    return XVectorEncoder(model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), extractor)
