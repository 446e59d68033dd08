"""A checkpoint of transformers with an x-vector head (WavLM, UniSpeech-SAT, Wav2Vec2 …), by hub id or folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spaces.errors import InputError
from trainable.speech.audio import SAMPLE_RATE, resample

if TYPE_CHECKING:
    from transformers import PreTrainedModel, SequenceFeatureExtractor

RATE = 16_000
"""Hz that these models hear at."""
SHORTEST_SAMPLES = RATE // 2
"""Shorter waves are repeated: the head spans 15 frames of 20 ms."""
TRAINING_ONLY = ("objective.", "classifier.")
"""Weights that no embedding depends on."""


class XVectorEncoder:
    """See `voice_encoder.VoiceEncoder`."""

    def __init__(self, model: PreTrainedModel, extractor: SequenceFeatureExtractor) -> None:
        self._model, self._extractor = model, extractor

    def embed(self, wave: np.ndarray) -> np.ndarray:
        import torch

        heard = resample(wave.astype(np.float32), SAMPLE_RATE, RATE)
        heard = np.tile(heard, -(-SHORTEST_SAMPLES // max(1, heard.size)))
        features = self._extractor(heard, sampling_rate=RATE, return_tensors="pt")
        values = features[self._model.main_input_name].to(self._model.device, self._model.dtype)
        with torch.inference_mode():
            return self._model(values).embeddings[0].float().cpu().numpy()


def open_xvector(name: str) -> XVectorEncoder:
    """Loads it, onto a GPU where there is one. `name` is a folder or a hub id.

    Raises InputError for what cannot be had or read, and where a weight that embeddings depend on is missing:
    transformers would make one up.
    """
    import torch
    from transformers import AutoFeatureExtractor, AutoModelForAudioXVector
    from transformers.utils import logging

    logging.set_verbosity_error()
    try:
        # Unless it is told not to, the library asks whoever sits there whether to run what a checkpoint brings.
        model, told = AutoModelForAudioXVector.from_pretrained(
            name, dtype=torch.float32, output_loading_info=True, trust_remote_code=False
        )
        extractor = AutoFeatureExtractor.from_pretrained(name, trust_remote_code=False)
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(f"{name}: cannot be loaded ({reason}); download the checkpoint again") from None
    missing = sorted(each for each in told["missing_keys"] if not each.startswith(TRAINING_ONLY))
    if missing:
        raise InputError(
            f"{name}: {len(missing)} weights are missing, {missing[0]} among them; use a checkpoint that was trained "
            "to verify speakers, such as microsoft/wavlm-base-plus-sv"
        )
    if extractor.sampling_rate != RATE:
        raise InputError(f"{name}: expected a model that hears {RATE} Hz, got {extractor.sampling_rate}; use another")
    return XVectorEncoder(model.eval().to("cuda" if torch.cuda.is_available() else "cpu"), extractor)
