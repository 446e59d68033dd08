"""Builds tiny Wav2Vec2 checkpoints of the real classes, in the published layout, that transcribe one recording.

Weights are random except the head's, which are solved so that each frame of the recording gives its letter. Any other
sound gives gibberish. With several texts the checkpoint is an MMS: an adapter and an alphabet for each language.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

WIDTH = 256
BLANK = "<pad>"
SPECIAL = (BLANK, "<s>", "</s>", "<unk>", "|")


def make_tiny_ctc(folder: Path, wave: np.ndarray, texts: str | Mapping[str, str]) -> Path:
    """`wave` is [samples] float32 at 16 kHz of at most 5 s; `texts` its transcript, or transcripts by language code."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    by_language = {"": texts} if isinstance(texts, str) else dict(texts)
    alphabets = {code: [*SPECIAL, *sorted(set(text) - {" "})] for code, text in by_language.items()}
    numbered = {code: {letter: place for place, letter in enumerate(each)} for code, each in alphabets.items()}
    first = next(iter(by_language))
    (folder / "vocab.json").write_text(json.dumps(numbered if first else numbered[first]))
    tokenizer = Wav2Vec2CTCTokenizer(str(folder / "vocab.json"), target_lang=first or None)
    extractor = Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True)
    model = Wav2Vec2ForCTC(_config(len(alphabets[first]), adapted=bool(first))).eval()
    with torch.inference_mode():
        features = model.wav2vec2(extractor(wave, sampling_rate=16_000, return_tensors="pt").input_values)[0][0]
    for code, text in by_language.items():
        _learn(model, features.clone(), text, numbered[code])
        if code:
            weights = {name: weight.detach().contiguous() for name, weight in model._get_adapters().items()}
            save_file(weights, folder / f"adapter.{code}.safetensors", metadata={"format": "pt"})
    model.config.vocab_size = len(alphabets[[*by_language][-1]])
    for part in (model, tokenizer, extractor):
        part.save_pretrained(folder)
    return folder


def _config(letters: int, adapted: bool) -> Wav2Vec2Config:
    return Wav2Vec2Config(
        vocab_size=letters,
        hidden_size=WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        conv_dim=(32,) * 7,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=4,
        feat_extract_norm="layer",
        do_stable_layer_norm=True,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        adapter_attn_dim=4 if adapted else None,
    )


def _learn(model: Wav2Vec2ForCTC, features: torch.Tensor, text: str, numbers: Mapping[str, int]) -> None:
    """Solves the head for `features` [frames, width]; with fewer frames than width a solution is exact."""
    frames = len(features)
    letters: list[str] = []
    for letter in text.replace(" ", "|"):
        letters += [BLANK, letter] if letters and letters[-1] == letter else [letter]
    assert len(letters) <= frames < WIDTH, "the recording is too short for the text, or too long for the model"
    targets = torch.zeros(frames, len(numbers))
    for frame in range(frames):
        targets[frame, numbers[letters[frame * len(letters) // frames]]] = 1
    head = torch.nn.Linear(WIDTH, len(numbers))
    with torch.no_grad():
        head.weight.copy_(torch.linalg.lstsq(features.double(), targets.double()).solution.T)
        head.bias.zero_()
    model.lm_head = head
