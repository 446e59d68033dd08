"""A tiny random Qwen3-TTS Base checkpoint of the real classes, in the published layout.

`1.7b`: text and talker have the same width and the code predictor is narrower. `0.6b`: the text is wider than the
talker and the code predictor is as wide as the talker. The weights are random; shapes, ids and file names are as
published.
"""

from __future__ import annotations

import inspect
import json
from dataclasses import dataclass
from pathlib import Path

import torch
from qwen_tts.core.models.configuration_qwen3_tts import Qwen3TTSConfig, Qwen3TTSSpeakerEncoderConfig
from qwen_tts.core.models.modeling_qwen3_tts import Qwen3TTSForConditionalGeneration
from qwen_tts.core.tokenizer_12hz.configuration_qwen3_tts_tokenizer_v2 import Qwen3TTSTokenizerV2Config
from qwen_tts.core.tokenizer_12hz.modeling_qwen3_tts_tokenizer_v2 import EuclideanCodebook, Qwen3TTSTokenizerV2Model
from transformers import AddedToken, EncodecFeatureExtractor, Qwen2TokenizerFast
from transformers.models.mimi.modeling_mimi import MimiEuclideanCodebook

CODES = 64
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>")
WIDTHS = {"1.7b": {"text": 64, "predictor": 32}, "0.6b": {"text": 96, "predictor": 64}}


@dataclass(frozen=True)
class Depth:
    """Layers and width of the talker and layers of the code predictor."""

    layers: int = 2
    width: int = 64
    predictor_layers: int = 1


SHALLOW = Depth()


def make_tiny_qwen(folder: Path, size: str = "1.7b", depth: Depth = SHALLOW) -> Path:
    torch.manual_seed(0)
    tokenizer = _tokenizer(folder)
    model = Qwen3TTSForConditionalGeneration(_config(tokenizer, depth, **WIDTHS[size])).float().eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, weight[0].numel() ** -0.5 if "embedding" not in name else 0.3)
    model.save_pretrained(folder)
    _make_config_loadable(folder / "config.json")
    tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        json.dumps({"processor_class": "Qwen3TTSProcessor", "padding_side": "left", "return_attention_mask": True})
    )
    (folder / "generation_config.json").write_text(json.dumps({"do_sample": True, "max_new_tokens": 64}))
    _codec(folder / "speech_tokenizer")
    return folder


def _tokenizer(folder: Path) -> Qwen2TokenizerFast:
    """Bytes, and the two role names as one token each, because the library slices prompts by token counts."""
    folder.mkdir(parents=True, exist_ok=True)
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    pieces = [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(rest))]
    merges = []
    for word in ("assistant", "user"):
        for end in range(1, len(word)):
            merges.append(f"{word[:end]} {word[end]}")
            pieces.append(word[: end + 1])
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    tokenizer = Qwen2TokenizerFast(
        vocab_file=str(folder / "vocab.json"),
        merges_file=str(folder / "merges.txt"),
        unk_token=None,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    special = [AddedToken(token, special=True, normalized=False) for token in SPECIAL]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    return tokenizer


def _config(tokenizer: Qwen2TokenizerFast, depth: Depth, text: int, predictor: int) -> Qwen3TTSConfig:
    def real(code: int) -> int:
        return code - 2048 + CODES

    def token(name: str) -> int:
        return tokenizer.convert_tokens_to_ids(name)

    talker = {
        "vocab_size": CODES + 1024,
        "hidden_size": depth.width,
        "intermediate_size": 2 * depth.width,
        "num_hidden_layers": depth.layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 32,
        "rope_scaling": {"interleaved": True, "mrope_section": [6, 5, 5], "rope_type": "default", "type": "default"},
        "max_position_embeddings": 2048,
        "num_code_groups": 16,
        "text_hidden_size": text,
        "text_vocab_size": len(tokenizer),
        "pad_token_id": real(2148),
        "codec_pad_id": real(2148),
        "codec_bos_id": real(2149),
        "codec_eos_token_id": real(2150),
        "codec_think_id": real(2154),
        "codec_nothink_id": real(2155),
        "codec_think_bos_id": real(2156),
        "codec_think_eos_id": real(2157),
        "codec_language_id": {"english": real(2050), "german": real(2053)},
        "spk_id": {},
        "spk_is_dialect": {},
        "code_predictor_config": {
            "vocab_size": CODES,
            "hidden_size": predictor,
            "intermediate_size": 64,
            "num_hidden_layers": depth.predictor_layers,
            "num_attention_heads": 2,
            "num_key_value_heads": 1,
            "head_dim": 16,
            "num_code_groups": 16,
        },
    }
    voice = {
        "mel_dim": 128,
        "enc_dim": depth.width,
        "enc_channels": [32, 32, 32, 32, 96],
        "enc_attention_channels": 16,
        "enc_res2net_scale": 4,
        "enc_se_channels": 16,
        "sample_rate": 24000,
    }
    return Qwen3TTSConfig(
        talker_config=talker,
        speaker_encoder_config=voice,
        tokenizer_type="qwen3_tts_tokenizer_12hz",
        tts_model_size="1b7",
        tts_model_type="base",
        im_start_token_id=token("<|im_start|>"),
        im_end_token_id=token("<|im_end|>"),
        tts_pad_token_id=token("<tts_pad>"),
        tts_bos_token_id=token("<tts_text_bos>"),
        tts_eos_token_id=token("<tts_text_eod>"),
    )


def _make_config_loadable(path: Path) -> None:
    """Removes keys that the library writes but the speaker encoder's constructor does not accept."""
    known = set(inspect.signature(Qwen3TTSSpeakerEncoderConfig.__init__).parameters)
    config = json.loads(path.read_text())
    section = config["speaker_encoder_config"]
    config["speaker_encoder_config"] = {key: value for key, value in section.items() if key in known}
    path.write_text(json.dumps(config))


def _codec(folder: Path) -> None:
    encoder = {
        "hidden_size": 16,
        "num_filters": 4,
        "num_residual_layers": 1,
        "upsampling_ratios": [8, 6, 5, 4],
        "codebook_size": CODES,
        "codebook_dim": 8,
        "vector_quantization_hidden_dimension": 8,
        "num_quantizers": 16,
        "num_semantic_quantizers": 1,
        "upsample_groups": 16,
        "num_hidden_layers": 1,
        "intermediate_size": 32,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "frame_rate": 12.5,
        "sampling_rate": 24000,
        "use_cache": False,
    }
    decoder = {
        "codebook_size": CODES,
        "codebook_dim": 16,
        "hidden_size": 16,
        "latent_dim": 16,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_quantizers": 16,
        "upsample_rates": [8, 5, 4, 3],
        "upsampling_ratios": [2, 2],
        "decoder_dim": 32,
    }
    config = Qwen3TTSTokenizerV2Config(
        encoder_config=encoder,
        decoder_config=decoder,
        encoder_valid_num_quantizers=16,
        input_sample_rate=24000,
        output_sample_rate=24000,
        decode_upsample_rate=1920,
        encode_downsample_rate=1920,
        architectures=["Qwen3TTSTokenizerV2Model"],
    )
    model = Qwen3TTSTokenizerV2Model(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.normal_(0, weight[0].numel() ** -0.5)
        for module in model.modules():
            if isinstance(module, MimiEuclideanCodebook):
                module.embed_sum.normal_(0, 0.5)
                module._embed = None
            elif isinstance(module, EuclideanCodebook):
                module.embedding_sum.data.normal_(0, 1.0)
    model.save_pretrained(folder)
    EncodecFeatureExtractor(feature_size=1, sampling_rate=24000, return_attention_mask=True).save_pretrained(folder)
