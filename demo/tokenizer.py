"""The text tokenizer: byte-level BPE in which each digit word is one token and any other text still encodes."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, Qwen2TokenizerFast

from demo.corpus import DIGITS

SPECIAL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>")
PROMPT_WORDS = ("assistant", "user")
"""One token each, because qwen-tts slices prompts by token counts."""


def write_tokenizer(folder: Path) -> PreTrainedTokenizerBase:
    """Writes vocab.json, merges.txt, tokenizer_config.json and preprocessor_config.json, and loads them back."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=512, initial_alphabet=alphabet, show_progress=False)
    sentences = [f"{first} {second}" for first in DIGITS for second in DIGITS]
    bpe.train_from_iterator(sentences + [word for word in PROMPT_WORDS for _ in range(50)], trainer)
    bpe.model.save(str(folder))
    added = {
        str(bpe.get_vocab_size() + offset): {
            "content": token,
            "lstrip": False,
            "normalized": False,
            "rstrip": False,
            "single_word": False,
            "special": True,
        }
        for offset, token in enumerate(SPECIAL_TOKENS)
    }
    tokenizer_config = {
        "added_tokens_decoder": added,
        "additional_special_tokens": list(SPECIAL_TOKENS[1:]),
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "unk_token": None,
        "tokenizer_class": "Qwen2Tokenizer",
        "model_max_length": 2048,
    }
    processor_config = {
        "padding_side": "left",
        "padding_value": 0.0,
        "processor_class": "Qwen3TTSProcessor",
        "return_attention_mask": True,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_config, indent=2) + "\n")
    (folder / "preprocessor_config.json").write_text(json.dumps(processor_config, indent=2) + "\n")
    return Qwen2TokenizerFast.from_pretrained(folder)
