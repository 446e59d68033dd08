"""Time to speak the probe's lines: the library's generation against ours, for one adapter and for many.

    python -m benchmarks.speech [--model demo/checkpoint] [--repeats 3]

Both speak the same lines with the same prompts and the same sampling on one thread. They draw different random numbers,
so time is given per frame of speech. The codec, the same for both, is left out. The best repeat counts.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import torch
import typer
from qwen_tts import Qwen3TTSModel
from rich.console import Console
from rich.table import Table
from torch import Tensor

from benchmarks.machine import describe_machine
from spaces.probe_settings import Sampling
from trainable.family.protocol import SpeechPrompt
from trainable.probe.texts.lines import load_lines
from trainable.qwen3_tts.checkpoint.load import load_base
from trainable.qwen3_tts.data.prepared import prompt_ids
from trainable.qwen3_tts.generation.decode import decode
from trainable.qwen3_tts.generation.sampling import uniform_numbers
from trainable.qwen3_tts.generation.speech import embed_prompts

ROOT = Path(__file__).parent.parent
FRAME_CAP = 60
LINES = (4, 16, 80)
"""The screen, the rest of a probe, and the rest of five probes at once."""


def bench(
    model: Annotated[Path, typer.Option(help="folder of a checkpoint")] = ROOT / "demo" / "checkpoint",
    lines: Annotated[str, typer.Option(help="the probe's lines: a name or a file")] = "digits",
    repeats: Annotated[int, typer.Option(min=1)] = 3,
) -> None:
    """Print the table."""
    torch.set_num_threads(1)
    tts, sampling = load_base(str(model)), Sampling(temperature=0.5, subtalker_temperature=0.5)
    speaker = torch.randn(tts.model.config.talker_config.hidden_size, generator=torch.Generator().manual_seed(0))
    probe_texts = [line.text for line in load_lines(lines)]
    table = Table("lines", "library, ms per frame", "ours", "times", title=f"speaking, {model.name}")
    for count in LINES:
        texts = [probe_texts[number % len(probe_texts)] for number in range(count)]
        library = min(_timed(lambda texts=texts: _library(tts, speaker, texts, sampling)) for _ in range(repeats))
        ours = min(_timed(lambda texts=texts: _ours(tts, speaker, texts, sampling)) for _ in range(repeats))
        table.add_row(str(count), f"{1e3 * library:.1f}", f"{1e3 * ours:.1f}", f"{library / ours:.1f}")
    Console().print(table, describe_machine(), sep="\n")


def _timed(work: Callable[[], list[Tensor]]) -> float:
    """Seconds per frame of the longest line, the number of iterations of the loop."""
    started = time.perf_counter()
    codes = work()
    return (time.perf_counter() - started) / max(map(len, codes))


def _ours(tts: Qwen3TTSModel, speaker: Tensor, lines: list[str], sampling: Sampling) -> list[Tensor]:
    caps, prompts = [FRAME_CAP] * len(lines), [SpeechPrompt(line, 0, FRAME_CAP) for line in lines]
    with torch.inference_mode():
        uniform = uniform_numbers(range(len(lines)), FRAME_CAP + 1, tts.model.device)
        spoken = decode(tts.model.talker, embed_prompts(tts, speaker, "auto", prompts), uniform, caps, sampling)
    return [row.codes for row in spoken]


def _library(tts: Qwen3TTSModel, speaker: Tensor, lines: list[str], sampling: Sampling) -> list[Tensor]:
    prompt = {
        "ref_code": [None] * len(lines),
        "ref_spk_embedding": [speaker] * len(lines),
        "x_vector_only_mode": [True] * len(lines),
        "icl_mode": [False] * len(lines),
    }
    with torch.inference_mode():
        codes, _ = tts.model.generate(
            input_ids=[prompt_ids(tts.processor, line)[None].to(tts.model.device) for line in lines],
            voice_clone_prompt=prompt,
            languages=["auto"] * len(lines),
            non_streaming_mode=True,
            max_new_tokens=FRAME_CAP + 1,
            temperature=sampling.temperature,
            top_k=sampling.top_k,
            top_p=1.0,
            subtalker_temperature=sampling.subtalker_temperature,
            subtalker_top_k=sampling.subtalker_top_k,
            subtalker_top_p=1.0,
            repetition_penalty=sampling.repetition_penalty,
        )
    return codes


if __name__ == "__main__":
    typer.run(bench)
