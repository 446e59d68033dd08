"""Makes demo/checkpoint and demo/voice with espeak-ng alone: `python -m demo.make_voice`."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from safetensors.torch import save_file
from transformers import EncodecFeatureExtractor

from demo.batches import BatchMaker
from demo.corpus import SAMPLE_RATE, synthesise, texts
from demo.encode import WORDS, Corpus, encode_corpus, load_corpus, save_corpus
from demo.fit_codec import fit_codec
from demo.model import build_config, build_model, save_model
from demo.pretrain import PretrainingProgress, pretrain
from demo.tokenizer import write_tokenizer
from demo.voice_dataset import write_voice
from demo.voices import PRETRAINING_VOICES
from trainable.files.atomic import atomic_folder
from trainable.qwen3_tts.mel_codec import MelCodecConfig, MelCodecModel

HERE = Path(__file__).parent
CODEC_RECORDINGS_PER_VOICE = 16
BATCH_SIZE = 16


def progress_bar() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )


def make_codec(folder: Path, seed: int) -> MelCodecModel:
    """Fits the codec to all pre-training voices and writes it, rounded to float16, in the published layout."""
    rng = random.Random(seed)
    strings = texts(rng, WORDS, held_out=False)
    voices = [voice for voice in PRETRAINING_VOICES for _ in range(CODEC_RECORDINGS_PER_VOICE)]
    rng.shuffle(voices)
    codec = fit_codec(MelCodecConfig(), [synthesise(next(strings), voice) for voice in voices], seed)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half().contiguous() for name, value in codec.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    config = codec.config.to_dict() | {"architectures": ["MelCodecModel"], "dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    EncodecFeatureExtractor(feature_size=1, sampling_rate=SAMPLE_RATE, padding_value=0.0).save_pretrained(folder)
    return load_codec(folder)


def load_codec(folder: Path) -> MelCodecModel:
    """Loads the codec from a checkpoint, so that the corpus is encoded with the very weights that are shipped."""
    return MelCodecModel.from_pretrained(folder, dtype=torch.float32)


def corpus_of(work: Path, codec: MelCodecModel, per_voice: int, seed: int) -> Corpus:
    """Makes the pre-training corpus, or reads it from `work` if an earlier run left it there."""
    path = work / f"corpus-{per_voice}.safetensors"
    if not path.exists():
        with progress_bar() as bar:
            task = bar.add_task("reading aloud", total=per_voice * len(PRETRAINING_VOICES))
            save_corpus(encode_corpus(codec, PRETRAINING_VOICES, per_voice, seed, lambda: bar.advance(task)), path)
    return load_corpus(path)


def main(
    steps: Annotated[int, typer.Option(help="optimiser steps of pre-training")] = 7_000,
    per_voice: Annotated[int, typer.Option(help="utterances that each voice reads")] = 400,
    rate: Annotated[float, typer.Option(help="peak learning rate")] = 2.5e-3,
    seed: Annotated[int, typer.Option(help="seed of texts, weights and noise")] = 0,
    work: Annotated[Path, typer.Option(help="folder for intermediate results")] = Path("build/demo-voice"),
    out: Annotated[Path, typer.Option(help="the folder that receives checkpoint/ and voice/")] = HERE,
) -> None:
    """Fit the codec, pre-train the talker on one thread, and write the checkpoint and the voice dataset."""
    torch.set_num_threads(1)
    work = work / f"seed-{seed}"
    work.mkdir(parents=True, exist_ok=True)
    staged = work / "checkpoint"
    codec_folder = staged / "speech_tokenizer"
    done = (codec_folder / "preprocessor_config.json").exists()
    codec = load_codec(codec_folder) if done else make_codec(codec_folder, seed)
    corpus = corpus_of(work, codec, per_voice, seed)
    tokenizer = write_tokenizer(staged)
    config = build_config(tokenizer, codec.config.codebook_size)
    model = build_model(config, corpus.references[:, 0], seed)
    with progress_bar() as bar:
        task = bar.add_task("pre-training", total=steps)

        def report(now: PretrainingProgress) -> None:
            bar.update(task, completed=now.step)
            line = f"step {now.step}  talker {now.talker:.3f}  sub {now.sub:.3f}  cpu {now.cpu_seconds:.0f} s"
            bar.console.print(line)

        pretrain(
            model, BatchMaker(config, tokenizer, corpus, BATCH_SIZE), steps, rate, seed, work / "pretraining.pt", report
        )
    save_model(model, staged)
    write_voice(work / "voice")
    for name in ("checkpoint", "voice"):
        replace_folder(work / name, out / name)


def replace_folder(source: Path, target: Path) -> None:
    """Puts a copy of `source` in the place of `target`."""
    with atomic_folder(target) as part:
        shutil.copytree(source, part, dirs_exist_ok=True)


if __name__ == "__main__":
    typer.run(main)
