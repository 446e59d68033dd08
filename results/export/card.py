"""The card of an exported adapter: what it is, what was heard, how to load it, how to train it again."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import ModelCardData

from results.analysis.ranking import BaseComparison
from results.export.adapter_manifest import AdapterManifest
from results.export.card_sentences import verdict_in_words
from results.export.loading_code import loading_code
from results.export.recipe import RECIPE
from results.export.samples import AudioSample
from trainable.family.export_request import ExportLayout

KINDS = {
    ExportLayout.PEFT: "a LoRA adapter for {base}",
    ExportLayout.ALEXANDRIA: "a LoRA adapter for {base}, in Alexandria's layout",
    ExportLayout.KATHRINE: "a LoRA adapter for {base}, with `text_projection.bin`",
    ExportLayout.MERGED: "a LoRA merged into {base}",
    ExportLayout.CUSTOM_VOICE: "{base} with this voice by name",
}


def write_card(
    folder: Path,
    exported: AdapterManifest,
    voice: str,
    versus: BaseComparison | None,
    samples: Sequence[AudioSample],
    replay: str,
) -> None:
    """Writes README.md, with the front matter that the hub asks for.

    `voice` is the dataset's name, `replay` the command that trains the trial again. Texts of a dataset are shown
    literally.
    """
    base = base_name(exported.base_model)
    sections = [
        f"---\n{front_matter(exported)}\n---",
        f"# {literal(voice)}: {KINDS[exported.layout].format(base=literal(base))}",
        *([] if exported.accepted else [_warning(exported)]),
        f"Trial {exported.trial} of a Sweetspot search. Only use this voice in ways its speaker has agreed to: whoever "
        "publishes it vouches that the speaker consented to that.",
        _licence(exported),
        "## What the probe heard",
        verdict_in_words(exported, versus),
        "`sample.wav` says, from the files in this folder:",
        f"    {' '.join(exported.sample_text.split())}",
        *_listening(samples),
        "## How to load it",
        loading_code(exported, base, voice),
        "## What was trained",
        _losses(exported),
        "\n".join(f"- {name}: {value}" for name, value in exported.draw.model_dump(mode="json").items()),
        f"Seed {exported.seed}, language {exported.language}, dataset fingerprint `{exported.fingerprint}`. "
        "`sweetspot.json` holds all of it, with every measure of every line and the SHA-256 of every file.",
        f"`{RECIPE}` is this trial as a search of one. With the same data, base model and libraries this trains it "
        "again, from a checkout of Sweetspot:",
        f"    {replay}",
    ]
    (folder / "README.md").write_text("\n\n".join(filter(None, sections)) + "\n", encoding="utf-8")


def front_matter(exported: AdapterManifest) -> str:
    """YAML."""
    whole = exported.layout.is_whole
    return ModelCardData(
        base_model=base_name(exported.base_model),
        base_model_relation="finetune" if whole else "adapter",
        library_name=None if whole else "peft",
        license=exported.licence,
        pipeline_tag="text-to-speech",
        tags=["lora", "text-to-speech", "sweetspot", *([] if exported.accepted else ["not-accepted"])],
    ).to_yaml()


def base_name(base_model: str) -> str:
    """A hub id as it is; of a folder only its name, since nobody else has that path."""
    path = Path(base_model)
    return path.name if path.is_absolute() or path.is_dir() else base_model


def literal(text: str) -> str:
    """A text as Markdown that shows it character by character, on one line, whatever it holds."""
    shown = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+!|~])", r"\\\1", shown)


def _warning(exported: AdapterManifest) -> str:
    heard = "was rejected by the probe" if exported.outcome.verdict else "was not probed"
    return f"> **Not accepted.** This trial {heard} and was exported because somebody asked for it. Listen before use."


def _licence(exported: AdapterManifest) -> str:
    if exported.licence == "unknown":
        return "Licence of the voice: unknown, nobody has said it. The base model's own licence holds besides."
    return f"Licence of the voice: {exported.licence}. The base model's own licence holds besides."


def _listening(samples: Sequence[AudioSample]) -> list[str]:
    if not samples:
        return []
    rows = [
        f"| {literal(sample.text)} | {_link(sample.audio, 'listen')} | {_link(sample.base, 'base model')} |"
        for sample in samples
    ]
    return ["Lines of the probe:", "\n".join(["| line | this voice | untrained |", "| --- | --- | --- |", *rows])]


def _link(audio: str | None, name: str) -> str:
    return f"[{name}]({audio})" if audio else ""


def _losses(exported: AdapterManifest) -> str:
    point = exported.outcome.kept or exported.outcome.point
    if point is None:
        return ""
    descended = exported.draw.objective
    return (
        f"{descended} loss {point.loss:.3f} (descended) after {point.epoch:.2f} epochs; "
        f"guide loss {point.losses.guide:.3f}, aligned loss {point.losses.aligned:.3f}, in nats per label."
    )
