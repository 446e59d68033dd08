"""The last hearing of a finalist: weaker doses of it, sixty other lines, and instructions.

Weaker doses of an adapter, without training it again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from spaces.cli import OnProgress
from spaces.draw import Draw
from spaces.probe_settings import ProbeSettings
from spaces.records.confirmation import STRENGTHS, Confirmation, InstructedLine, best_strength
from spaces.records.verdict import Verdict
from trainable.family.protocol import Learner, SpeechPrompt, load_family
from trainable.probe.criteria.calibration import Calibration
from trainable.probe.measures.prosody import measure_delivery
from trainable.probe.session.listener import Listener
from trainable.probe.session.probe import ProbeScript, ProbeSubject, probe
from trainable.probe.texts.instructions import CALM, EXCITED, instructed_lines
from trainable.probe.texts.lines import confirmation_lines, lines_for, unseen_texts
from trainable.speech.audio import write_audio
from trainable.training.checkpoint import load_weights
from trainable.training.validation import end_probability

LORA_B = "lora_B"
"""A LoRA adds B·A·x; its B at half the size is half of the LoRA. `text_projection` is trained in place and stays."""


def has_lora(weights: Mapping[str, Tensor]) -> bool:
    """Whether there is a LoRA among a trial's weights."""
    return any(_is_scaled(name) for name in weights)


def scale_lora(weights: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
    """The same weights with the LoRA's output multiplied by `strength`; at 1 they are the weights themselves."""
    if strength == 1:
        return dict(weights)
    return {name: tensor * strength if _is_scaled(name) else tensor for name, tensor in weights.items()}


def _is_scaled(name: str) -> bool:
    return LORA_B in name.split(".")


CONFIRMATION_SEED, INSTRUCTED_SEED = 1_000, 2_000
"""Added to the search's seed: what nobody was chosen by is spoken from other random numbers."""
RECORDINGS = "finals"
"""Of the recordings, in the folder of a trial."""


@dataclass(frozen=True)
class ConfirmationSettings:
    """What all finalists of a search have in common."""

    family: str
    """Module of the model family."""
    model: str
    prepared: Path
    calibration: Path
    language: str
    seed: int
    probe: ProbeSettings


@dataclass(frozen=True)
class Finalist:
    """A trial, or the base model."""

    trial: str
    folder: Path
    heard: Verdict
    """At full strength, on the lines of every trial."""
    draw: Draw | None = None
    """None for the base model; likewise the next."""
    checkpoint: Path | None = None


def confirm(stage: ConfirmationSettings, finalist: Finalist, on_progress: OnProgress) -> Confirmation:
    """Listens to a finalist at strengths below 1 as to any trial, confirms the best strength on sixty other lines, and
    sets calm beside excited speech where the model takes instructions. A base model is confirmed whatever its verdict.

    `on_progress(what, done, of)`. Raises InputError as the lines and the recogniser do, and FileNotFoundError where the
    checkpoint is gone.
    """
    started = time.perf_counter()
    hearing = _Hearing.begin(stage, finalist)
    strengths = STRENGTHS if has_lora(hearing.weights) else ()
    of = len(strengths) + 1 + hearing.takes_instructions
    weaker = []
    for done, strength in enumerate(strengths):
        on_progress(f"{finalist.trial} at {strength:g} of its strength", done, of)
        weaker.append(hearing.on_the_lines_of_a_trial(strength))
    chosen = best_strength(finalist.heard, tuple(weaker)) if finalist.draw else finalist.heard
    confirmed, instructed = None, ()
    if chosen is not None:
        on_progress(f"{finalist.trial} on sixty other lines", len(strengths), of)
        confirmed = hearing.on_other_lines(chosen.strength)
        if hearing.takes_instructions:
            on_progress(f"{finalist.trial}, calm and excited", of - 1, of)
            instructed = hearing.instructed()
    return Confirmation(
        trial=finalist.trial,
        weaker=tuple(weaker),
        confirmed=confirmed,
        unseen=unseen_texts(hearing.others, hearing.lines),
        instructed=instructed,
        seconds=time.perf_counter() - started,
    )


class _Hearing:
    """One finalist's model, and who listens to it."""

    def __init__(
        self, stage: ConfirmationSettings, finalist: Finalist, learner: Learner, weights: Mapping[str, Tensor]
    ) -> None:
        self._stage, self._finalist, self._learner, self.weights = stage, finalist, learner, weights
        self._listener = Listener.open(learner, stage.probe, Calibration.read(stage.calibration), stage.seed)
        self.lines = lines_for(stage.probe.lines, learner.split)
        self.others = confirmation_lines(stage.probe.lines, learner.split)

    @property
    def takes_instructions(self) -> bool:
        return self._learner.takes_instructions

    @classmethod
    def begin(cls, stage: ConfirmationSettings, finalist: Finalist) -> _Hearing:
        family = load_family(stage.family)
        learner = family.build(stage.model, stage.prepared, stage.language, finalist.draw, stage.seed)
        learner.eval()
        return cls(stage, finalist, learner, load_weights(finalist.checkpoint) if finalist.checkpoint else {})

    def on_the_lines_of_a_trial(self, strength: float) -> Verdict:
        return self._hear(ProbeScript(self.lines, self._stage.seed), strength, f"{RECORDINGS}/strength_{strength:g}")

    def on_other_lines(self, strength: float) -> Verdict:
        """The weights stay at that strength."""
        script = ProbeScript(self.others, self._stage.seed + CONFIRMATION_SEED, confirms=True)
        return self._hear(script, strength, f"{RECORDINGS}/confirmation")

    def instructed(self) -> tuple[InstructedLine, ...]:
        """Each line under both instructions, from the same random numbers, so that they alone make the difference."""
        texts = instructed_lines(self._stage.probe.lines, self._learner.split)
        cues = [
            SpeechPrompt(text, self._stage.seed + INSTRUCTED_SEED + number, self._listener.frame_cap(text), instruction)
            for number, text in enumerate(texts)
            for instruction in (CALM, EXCITED)
        ]
        spoken = self._learner.speak(cues, self._stage.probe.sampling)
        delivered = []
        for number, utterance in enumerate(spoken):
            name = f"{RECORDINGS}/instructed/line_{number // 2:02d}_{'excited' if number % 2 else 'calm'}.wav"
            write_audio(self._finalist.folder / name, utterance.wave)
            delivered.append(measure_delivery(utterance.wave, name))
        pairs = zip(texts, delivered[::2], delivered[1::2], strict=True)
        return tuple(InstructedLine(text=text, calm=calm, excited=excited) for text, calm, excited in pairs)

    def _hear(self, script: ProbeScript, strength: float, recordings: str) -> Verdict:
        if self.weights:
            self._learner.load_tensors(scale_lora(self.weights, strength))
        name, sampling = self._finalist.trial, self._stage.probe.sampling
        ends = end_probability(self._learner)
        candidate = ProbeSubject(self._finalist.folder, recordings, ends, strength)
        verdicts = probe(
            lambda speakers, cues: {name: self._learner.speak(cues, sampling)},
            self._listener,
            script,
            {name: candidate},
            whole=self._finalist.draw is None,
        )
        return verdicts[name]
