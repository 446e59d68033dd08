"""A tiny random Whisper checkpoint of the real classes, in the published layout, that says what it is told to.

Weights are random but for the decoder's: its layers add nothing, and the head, which is no copy of the embedding here,
prefers at each position the token that a given sentence has there. What it hears makes no difference to it; shapes, ids
and file names are real.
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
"""Start, language, task, no timestamps."""


def make_tiny_whisper(
    folder: Path, sentence: str = " one two three", sureness: float = 1.0, multilingual: bool = True, ends: bool = True
) -> Path:
    """`sureness` scales the preferred token's margin; without an end it talks until there is no room."""
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
    said = tokenizer(sentence, add_special_tokens=False).input_ids
    prompt = PROMPT if multilingual else 2
    assert prompt + len(said) < POSITIONS, "the sentence is too long for the tiny model"
    _teach(model, said, end if ends else said[-1], prompt, sureness)
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


def _teach(model: WhisperForConditionalGeneration, said: list[int], then: int, prompt: int, sureness: float) -> None:
    """Position p is one-hot, and the head's row of the token that follows it has that place turned on."""
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
            model.proj_out.weight[said[step] if step < len(said) else then, position] = sureness


def _tokenizer(folder: Path) -> WhisperTokenizerFast:
    """Bytes, and what Whisper's prompt is made of."""
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
    return tokenizer
