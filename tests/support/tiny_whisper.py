"""Builds a tiny Whisper checkpoint of the real classes, in the published layout, that always gives one transcript.

Weights are random except the decoder's: its layers add nothing, and the head, which is not tied to the embedding here,
prefers at each position the token that the given sentence has there. The audio has no effect; shapes, ids and file
names are real.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from transformers import (
    AddedToken,
    GenerationConfig,
    WhisperConfig,
    WhisperFeatureExtractor,
    WhisperForConditionalGeneration,
    WhisperProcessor,
    WhisperTokenizerFast,
)

LANGUAGES = ("en", "no", "de")
WIDTH, POSITIONS = 64, 48
PROMPT = 4
"""Tokens of the prompt: start, language, task, no timestamps. A first timestamp takes the place of the last."""
TIMESTAMPS = 1501
"""From 0.00 to 30.00 s in steps of 0.02 s."""


def make_tiny_whisper(
    folder: Path, sentence: str = " one two three", margin: float = 2.5, multilingual: bool = True, ends: bool = True
) -> Path:
    """`margin` is in proportion to the preferred token's logit; without `ends` it decodes up to the maximum length."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(folder)
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in tokenizer.all_special_tokens}
    end, start, silent = ids["<|endoftext|>"], ids["<|startoftranscript|>"], ids["<|notimestamps|>"]
    config = WhisperConfig(
        vocab_size=len(tokenizer),
        d_model=WIDTH,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_target_positions=POSITIONS,
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        begin_suppress_tokens=None,
        suppress_tokens=None,
        tie_word_embeddings=False,
    )
    model = WhisperForConditionalGeneration(config).eval()
    ids_of_sentence = tokenizer(sentence, add_special_tokens=False).input_ids
    prompt = PROMPT if multilingual else 2
    assert prompt + len(ids_of_sentence) < POSITIONS, "the sentence is too long for the tiny model"
    _teach(model, ids_of_sentence, end if ends else ids_of_sentence[-1], prompt, margin)
    model.generation_config = GenerationConfig(
        decoder_start_token_id=start,
        bos_token_id=end,
        eos_token_id=end,
        pad_token_id=end,
        max_length=POSITIONS,
        no_timestamps_token_id=silent,
        is_multilingual=multilingual,
        **(
            {
                "lang_to_id": {f"<|{code}|>": ids[f"<|{code}|>"] for code in LANGUAGES},
                "task_to_id": {task: ids[f"<|{task}|>"] for task in ("transcribe", "translate")},
            }
            if multilingual
            else {}
        ),
    )
    model.save_pretrained(folder)
    WhisperProcessor(WhisperFeatureExtractor(), tokenizer).save_pretrained(folder)
    return folder


def _teach(model: WhisperForConditionalGeneration, ids: list[int], then: int, prompt: int, margin: float) -> None:
    """The embedding of position p is one-hot at p, and the head's row of the token after it has its weight there."""
    decoder = model.model.decoder
    with torch.no_grad():
        for name, weight in decoder.layers.named_parameters():
            if "layer_norm" not in name:
                weight.zero_()
        decoder.embed_tokens.weight.zero_()
        decoder.embed_positions.weight.copy_(torch.eye(POSITIONS, WIDTH))
        model.proj_out.weight.zero_()
        for position in range(prompt - 1, POSITIONS):
            step = position - (prompt - 1)
            model.proj_out.weight[ids[step] if step < len(ids) else then, position] = margin


def _tokenizer(folder: Path) -> WhisperTokenizerFast:
    """A byte vocabulary and the special tokens of Whisper's prompt."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    rest = [byte for byte in range(256) if byte not in printable]
    pieces = [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(rest))]
    vocabulary = {piece: index for index, piece in enumerate([*pieces, "<|endoftext|>"])}
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = WhisperTokenizerFast(
        vocab_file=str(folder / "vocab.json"), merges_file=str(folder / "merges.txt"), model_max_length=POSITIONS
    )
    prompts = (
        "startoftranscript",
        *LANGUAGES,
        "translate",
        "transcribe",
        "startoflm",
        "startofprev",
        "nospeech",
        "notimestamps",
    )
    special = [AddedToken(f"<|{name}|>", special=True, normalized=False) for name in prompts]
    tokenizer.add_special_tokens({"additional_special_tokens": special})
    timestamps = (f"<|{step / 50:.2f}|>" for step in range(TIMESTAMPS))
    tokenizer.add_tokens([AddedToken(each, special=False, normalized=False) for each in timestamps])
    return tokenizer
