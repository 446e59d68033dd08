"""Measures how well a recogniser understands the demo voices: `python -m demo.measure`.

It prints the first table of demo/README.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import jiwer
import numpy as np
import torch
import typer
from qwen_tts import Qwen3TTSModel
from rich.console import Console
from rich.table import Table

from demo.corpus import SAMPLE_RATE, EspeakVoice, synthesise
from demo.voice_dataset import REFERENCE_TEXT
from demo.voices import NEW_VOICE, PRETRAINING_VOICES
from trainable.probe.texts.lines import load_lines
from trainable.qwen3_tts.checkpoint.load import load_base
from trainable.speech.asr.pocket_sphinx import PocketSphinx

CHECKPOINT = Path(__file__).parent / "checkpoint"
EVERY = 6
"""Every so many pre-training voices, one is measured."""
MAX_NEW_TOKENS = 128


def words_heard(recogniser: PocketSphinx, texts: Sequence[str], waves: Sequence[np.ndarray]) -> float:
    """The share of words recognised correctly over all texts; a text's word error rate counts as 1 at most."""
    errors = [min(1.0, jiwer.wer(text, words)) for text, words in zip(texts, recogniser.transcribe(waves), strict=True)]
    return 1.0 - float(np.average(errors, weights=[len(text.split()) for text in texts]))


def speak(tts: Qwen3TTSModel, texts: Sequence[str], reference: np.ndarray, x_vector: bool) -> list[np.ndarray]:
    """Speaks the texts in the voice of `reference` ([samples] float32, 24 kHz) with its own sampling, seed 0."""
    audio = (reference, SAMPLE_RATE)
    prompt = tts.create_voice_clone_prompt(audio, ref_text=REFERENCE_TEXT, x_vector_only_mode=x_vector)
    torch.manual_seed(0)
    waves, _ = tts.generate_voice_clone(
        text=list(texts),
        language=["auto"] * len(texts),
        voice_clone_prompt=prompt * len(texts),
        non_streaming_mode=True,
        max_new_tokens=MAX_NEW_TOKENS,
    )
    return waves


def row(tts: Qwen3TTSModel, recogniser: PocketSphinx, voice: EspeakVoice, texts: Sequence[str]) -> list[str]:
    """One voice's row: words recognised in the original, after the codec, and in both ways of cloning."""
    originals = [synthesise(text, voice) for text in texts]
    tokenizer = tts.model.speech_tokenizer
    decoded = [tokenizer.decode(tokenizer.encode(wave, sr=SAMPLE_RATE))[0][0] for wave in originals]
    reference = synthesise(REFERENCE_TEXT, voice)
    spoken = [speak(tts, texts, reference, x_vector) for x_vector in (True, False)]
    shares = [words_heard(recogniser, texts, waves) for waves in (originals, decoded, *spoken)]
    ratio = median(len(wave) / len(original) for wave, original in zip(spoken[0], originals, strict=True))
    ended = [len(wave) < (MAX_NEW_TOKENS - 1) * tokenizer.get_decode_upsample_rate() for wave in spoken[0]]
    name = f"{voice.variant}, pitch {voice.pitch}, {voice.speed} wpm"
    return [name, *(f"{share:.2f}" for share in shares), f"{np.mean(ended):.2f}", f"{ratio:.2f}"]


def main() -> None:
    """Measures the new voice and every sixth pre-training voice on the probe's lines."""
    torch.set_num_threads(1)
    texts = [line.text for line in load_lines("digits")]
    tts, recogniser = load_base(str(CHECKPOINT)), PocketSphinx(texts)
    table = Table("voice", "original", "codec", "x-vector", "ICL", "ended", "duration ratio")
    for voice in (NEW_VOICE, *PRETRAINING_VOICES[1::EVERY]):
        table.add_row(*row(tts, recogniser, voice, texts))
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
