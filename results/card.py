"""The card of an exported adapter: what it is, what was heard, how to load it."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median

from huggingface_hub import ModelCardData

from results.exported import Exported
from results.ranking import Comparison
from spaces.final import Final


def write_card(folder: Path, exported: Exported, voice: str, versus: Comparison | None) -> None:
    """Writes README.md, with the front matter that the hub asks for. `voice` is the dataset's name."""
    base = base_name(exported.base_model)
    front = ModelCardData(
        base_model=base,
        library_name="peft",
        pipeline_tag="text-to-speech",
        tags=["lora", "text-to-speech", "sweetspot"],
    )
    sections = [
        f"---\n{front.to_yaml()}\n---",
        f"# {voice}: a LoRA adapter for {base}",
        f"Trial {exported.trial} of a Sweetspot search. Only use this voice in ways its speaker has agreed to.",
        "## What the probe heard",
        _verdict(exported, versus),
        "`sample.wav` says, from the adapter in this folder:",
        f"    {' '.join(exported.sample_text.split())}",
        "## How to load it",
        _loading(base if base == exported.base_model else f"path/to/{base}", _has_own_codec(exported.base_model)),
        "## What was trained",
        _losses(exported),
        "\n".join(f"- {name}: {value}" for name, value in exported.draw.model_dump(mode="json").items()),
        f"Seed {exported.seed}, language {exported.language}, dataset fingerprint `{exported.fingerprint[:16]}`. "
        "`sweetspot.json` holds all of it, with every measure of every line.",
    ]
    (folder / "README.md").write_text("\n\n".join(sections) + "\n", encoding="utf-8")


def base_name(base_model: str) -> str:
    """A hub id as it is; of a folder only its name, since nobody else has that path."""
    path = Path(base_model)
    return path.name if path.is_absolute() or path.is_dir() else base_model


def _verdict(exported: Exported, versus: Comparison | None) -> str:
    final = exported.final
    verdict = final.confirmed if final and final.confirmed else exported.outcome.verdict
    if verdict is None:
        return f"Nothing: the trial ended as {exported.outcome.ending} and was not probed."
    judged = "Accepted" if verdict.accepted else f"**Rejected: {'; '.join(verdict.reasons)}**"
    sentences = [
        f"{judged}; {verdict.failed_lines} of {verdict.judged_lines} lines failed, so {verdict.failure_rate} of any "
        f"lines would (95 % confidence); score {verdict.score:.3f}."
    ]
    if final and final.confirmed:
        sentences.append(f"These were lines that no trial was chosen by, {final.unseen} texts never spoken before.")
    if exported.strength != 1:
        sentences.append(
            f"The LoRA is written at {exported.strength:g} of the strength it was trained to, which was heard to be "
            "better; `text_projection` is as it was trained."
        )
    if versus:
        sentences.append(
            f"Against the base model's own clone, line by line: {versus} at 95 % confidence, {versus.judgement}."
        )
    sentences += [f"{note[0].upper()}{note[1:]}." for note in verdict.notes]
    if final and final.instructed:
        sentences.append(_instructed(final))
    if verdict.unknown:
        sentences.append(f"Nothing could judge whether lines are {', '.join(verdict.unknown)}.")
    return " ".join(sentences)


def _instructed(final: Final) -> str:
    rises = [pair.pitch_rise for pair in final.instructed if pair.pitch_rise is not None]
    pitch = f"{median(rises):+.1f} semitones in pitch, " if rises else ""
    return (
        f"Asked to be excited instead of calm, it changes by {pitch}"
        f"{median(pair.level_rise for pair in final.instructed):+.1f} dB in level and "
        f"{median(pair.speed_up for pair in final.instructed):.2f}× in tempo "
        f"(medians of {len(final.instructed)} lines)."
    )


def _losses(exported: Exported) -> str:
    point = exported.outcome.kept or exported.outcome.point
    if point is None:
        return ""
    descended = exported.draw.objective
    return (
        f"{descended} loss {point.loss:.3f} (descended) after {point.epoch:.2f} epochs; "
        f"guide loss {point.losses.guide:.3f}, aligned loss {point.losses.aligned:.3f}, in nats per label."
    )


def _has_own_codec(base_model: str) -> bool:
    """Whether the base speaks through the project's codec, as the demo's does; the library must be told of it first."""
    try:
        config = json.loads((Path(base_model) / "speech_tokenizer" / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return config.get("model_type") == "mel_codec"


def _loading(base: str, own_codec: bool) -> str:
    imports = "from trainable.qwen3_tts import mel_codec\n\nmel_codec.register()\n" if own_codec else "\n"
    return f"""```python
from peft import PeftModel
from qwen_tts import Qwen3TTSModel
{imports}model = Qwen3TTSModel.from_pretrained("{base}")
PeftModel.from_pretrained(model.model.talker, "DIR")  # text_projection is inside
waves, rate = model.generate_voice_clone(
    "Something to say.", ref_audio="ref.wav", x_vector_only_mode=True, non_streaming_mode=True
)
```

or, with Sweetspot: `python -m results.speak DIR "text" out.wav`"""
