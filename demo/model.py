"""A miniature `Qwen3TTSForConditionalGeneration`: the published architecture and layout, 2.6 million weights."""

from __future__ import annotations

import inspect
import json
import math
from pathlib import Path

import torch
from qwen_tts.core.models.configuration_qwen3_tts import Qwen3TTSConfig, Qwen3TTSSpeakerEncoderConfig
from qwen_tts.core.models.modeling_qwen3_tts import Qwen3TTSForConditionalGeneration
from safetensors.torch import save_file
from torch import nn
from transformers import PreTrainedTokenizerBase

HIDDEN = 128
HEADS = 4
CONTROL_IDS = 1024
"""`generate` suppresses the last 1024 ids of the talker's vocabulary. The control ids are there, after the codes."""
SPEAKER_NORM = 2.0
"""Of the speaker embeddings."""

GENERATION = {
    "do_sample": True,
    "temperature": 0.5,
    "top_k": 50,
    "top_p": 1.0,
    "repetition_penalty": 1.05,
    "subtalker_dosample": True,
    "subtalker_temperature": 0.5,
    "subtalker_top_k": 50,
    "subtalker_top_p": 1.0,
    "max_new_tokens": 256,
}


def build_config(tokenizer: PreTrainedTokenizerBase, codebook_size: int) -> Qwen3TTSConfig:
    """The miniature's configuration. Control ids have their published distance from the end of the codes."""
    text_id = tokenizer.convert_tokens_to_ids
    head_dim = HIDDEN // HEADS
    side = head_dim // 6
    code_predictor = {
        "vocab_size": codebook_size,
        "hidden_size": 96,
        "intermediate_size": 192,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 24,
        "num_code_groups": 16,
        "max_position_embeddings": 64,
    }
    talker = {
        "vocab_size": codebook_size + CONTROL_IDS,
        "hidden_size": HIDDEN,
        "intermediate_size": 3 * HIDDEN,
        "num_hidden_layers": 5,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS // 2,
        "head_dim": head_dim,
        "rope_scaling": {
            "rope_type": "default",
            "mrope_section": [head_dim // 2 - 2 * side, side, side],
            "interleaved": True,
        },
        "max_position_embeddings": 2048,
        "num_code_groups": 16,
        "text_hidden_size": HIDDEN,
        "text_vocab_size": len(tokenizer),
        "pad_token_id": codebook_size + 100,
        "codec_pad_id": codebook_size + 100,
        "codec_bos_id": codebook_size + 101,
        "codec_eos_token_id": codebook_size + 102,
        "codec_think_id": codebook_size + 106,
        "codec_nothink_id": codebook_size + 107,
        "codec_think_bos_id": codebook_size + 108,
        "codec_think_eos_id": codebook_size + 109,
        "codec_language_id": {"english": codebook_size + 2},
        "spk_id": {},
        "spk_is_dialect": {},
        "code_predictor_config": code_predictor,
    }
    speaker_encoder = {
        "enc_dim": HIDDEN,
        "enc_channels": [64, 64, 64, 64, 192],
        "enc_attention_channels": 32,
        "enc_res2net_scale": 4,
        "enc_se_channels": 32,
    }
    config = Qwen3TTSConfig(
        talker_config=talker,
        speaker_encoder_config=speaker_encoder,
        tokenizer_type="qwen3_tts_tokenizer_12hz",
        tts_model_size="miniature",
        tts_model_type="base",
        architectures=["Qwen3TTSForConditionalGeneration"],
        im_start_token_id=text_id("<|im_start|>"),
        im_end_token_id=text_id("<|im_end|>"),
        tts_pad_token_id=text_id("<tts_pad>"),
        tts_bos_token_id=text_id("<tts_text_bos>"),
        tts_eos_token_id=text_id("<tts_text_eod>"),
    )
    config._attn_implementation = "sdpa"
    return config


def build_model(config: Qwen3TTSConfig, mels: torch.Tensor, seed: int) -> Qwen3TTSForConditionalGeneration:
    """A model with random float32 weights. mels: [voices, frames, 128], whose speaker embeddings get norm 2 on average.

    The library's default initialisation is made for large widths. Here it gives embeddings of norm 1600, which drown
    the text that they are added to.
    """
    torch.manual_seed(seed)
    model = Qwen3TTSForConditionalGeneration(config).float()
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.7 / math.sqrt(module.in_features))
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=0.5 if "text" in name else 0.1)
        elif isinstance(module, nn.Conv1d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    with torch.no_grad():
        norm = model.speaker_encoder(mels).norm(dim=1).mean()
        model.speaker_encoder.fc.weight.mul_(SPEAKER_NORM / norm)
    return model


def save_model(model: Qwen3TTSForConditionalGeneration, folder: Path) -> None:
    """Writes config.json, generation_config.json and model.safetensors (bf16) the way `from_pretrained` reads them."""
    weights = {name: value.detach().to(torch.bfloat16).contiguous() for name, value in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = model.config.to_dict()
    # The speaker encoder's configuration writes keys that its own constructor does not accept.
    accepted = inspect.signature(Qwen3TTSSpeakerEncoderConfig.__init__).parameters
    encoder = config["speaker_encoder_config"]
    config["speaker_encoder_config"] = {key: value for key, value in encoder.items() if key in accepted}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    (folder / "generation_config.json").write_text(json.dumps(GENERATION, indent=2) + "\n")
