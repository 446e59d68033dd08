"""The model card of an export: what it is, what the probe heard, how to load it and how to train it again."""

import html
import re
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import ModelCardData

from results.analysis.ranking import BaseComparison
from results.export.adapter_manifest import AdapterManifest
from results.export.card_sentences import verdict_in_words
from results.export.recipe import RECIPE
from results.export.samples import AudioSample
from spaces.families import entry_of, family_entry
from trainable.family.protocol import load_family


def write_card(
    folder: Path,
    manifest: AdapterManifest,
    voice: str,
    versus: BaseComparison | None,
    samples: Sequence[AudioSample],
    replay: str,
) -> None:
    """Writes README.md with the front matter that the hub requires.

    `voice` is the name of the dataset, `replay` the command that trains the trial again. Texts of the dataset are
    escaped.
    """
    base = base_name(manifest.base_model)
    sections = [
        f"---\n{front_matter(manifest)}\n---",
        f"# {escape_markdown(voice)}: {manifest.export_layout.about.format(base=escape_markdown(base))}",
        *([] if manifest.accepted else [_warning(manifest)]),
        f"Trial {manifest.trial} of a Sweetspot search. Use this voice only in ways that its speaker has agreed to. By "
        "publishing it you vouch that the speaker has consented.",
        _licence(manifest),
        "## What the probe heard",
        verdict_in_words(manifest, versus),
        "`sample.wav` was spoken from the files in this folder:",
        f"    {' '.join(manifest.sample_text.split())}",
        *_listening(samples),
        "## How to load it",
        _loading_code(manifest, base, voice),
        "## What was trained",
        _losses(manifest),
        "\n".join(f"- {name}: {value}" for name, value in manifest.draw.model_dump(mode="json").items()),
        f"Seed {manifest.seed}, language {manifest.language}, dataset fingerprint `{manifest.fingerprint}`. "
        "`sweetspot.json` holds all of this, with the measures of every line and the SHA-256 of every file.",
        f"`{RECIPE}` holds this trial as a search of one trial. With the same data, base model and libraries, this "
        "command trains it again from a checkout of Sweetspot:",
        f"    {replay}",
    ]
    (folder / "README.md").write_text("\n\n".join(filter(None, sections)) + "\n", encoding="utf-8")


def _loading_code(manifest: AdapterManifest, base: str, voice: str) -> str:
    shown = base if base == manifest.base_model else f"path/to/{base}"
    code = load_family(manifest.family).loading_code(
        manifest.layout, manifest.base_model, shown, voice, manifest.language
    )
    return f'```python\n{code}\n```\n\nor, with Sweetspot: `python -m results.speak DIR "text" out.wav`'


def front_matter(manifest: AdapterManifest) -> str:
    """Front matter in YAML, for the hub."""
    layout = manifest.export_layout
    return ModelCardData(
        base_model=base_name(manifest.base_model),
        base_model_relation="finetune" if layout.is_whole else "adapter",
        library_name=layout.library,
        license=manifest.licence,
        pipeline_tag="text-to-speech",
        tags=[
            *family_entry(manifest.family).tags,
            "text-to-speech",
            "sweetspot",
            *([] if manifest.accepted else ["not-accepted"]),
        ],
    ).to_yaml()


def base_name(base_model: str) -> str:
    """A hub id unchanged; of a folder only its name, because the path is local."""
    path = Path(base_model)
    return path.name if path.is_absolute() or path.is_dir() else base_model


def escape_markdown(text: str) -> str:
    """Escapes a text, so that Markdown shows it literally and on one line."""
    shown = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+!|~])", r"\\\1", shown)


def _warning(manifest: AdapterManifest) -> str:
    state = "was rejected by the probe" if manifest.outcome.verdict else "was not probed"
    return f"> **Not accepted.** This trial {state} and was exported by explicit request. Listen before you use it."


def _licence(manifest: AdapterManifest) -> str:
    if manifest.licence == "unknown":
        return "Licence of the voice: unknown. The licence of the base model also applies."
    return f"Licence of the voice: {manifest.licence}. The licence of the base model also applies."


def _listening(samples: Sequence[AudioSample]) -> list[str]:
    if not samples:
        return []
    rows = [
        f"| {escape_markdown(sample.text)} | {_link(sample.audio, 'listen')} | {_link(sample.base, 'listen')} |"
        for sample in samples
    ]
    return ["Lines of the probe:", "\n".join(["| line | this voice | base model |", "| --- | --- | --- |", *rows])]


def _link(audio: str | None, name: str) -> str:
    return f"[{name}]({audio})" if audio else ""


def _losses(manifest: AdapterManifest) -> str:
    point = manifest.outcome.kept or manifest.outcome.point
    if point is None:
        return ""
    family = entry_of(manifest.draw)
    losses = ", ".join(f"{name} loss {point.losses[name]:.3f}" for name in family.objectives)
    return (
        f"{manifest.draw.objective} loss {point.loss:.3f} (the objective) after {point.epoch:.2f} epochs; {losses}, in "
        f"{family.loss_unit}."
    )
