"""Confirms a finalist: probes it at lower LoRA strengths, then on sixty other lines and with instructions."""

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
"""A LoRA adds B·A·x, so scaling B scales the LoRA. `text_projection` is not a LoRA and is not scaled."""
CONFIRMATION_SEED, INSTRUCTED_SEED = 1_000, 2_000
"""Added to the search's seed, so that these lines are sampled independently of those that selected the trial."""
RECORDINGS = "finals"
"""Folder of the recordings, in that of the trial."""


def has_lora(weights: Mapping[str, Tensor]) -> bool:
    """Whether there is a LoRA among a trial's weights."""
    return any(_is_lora_b(name) for name in weights)


def scale_lora(weights: Mapping[str, Tensor], strength: float) -> dict[str, Tensor]:
    """The same weights with the LoRA's output multiplied by `strength`; unchanged at 1."""
    if strength == 1:
        return dict(weights)
    return {name: tensor * strength if _is_lora_b(name) else tensor for name, tensor in weights.items()}


def _is_lora_b(name: str) -> bool:
    return LORA_B in name.split(".")


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
    verdict: Verdict
    """At full strength, on the lines of every trial."""
    draw: Draw | None = None
    """None for the base model, as is `checkpoint`."""
    checkpoint: Path | None = None


def confirm(settings: ConfirmationSettings, finalist: Finalist, on_progress: OnProgress) -> Confirmation:
    """Probes a finalist at strengths below 1 on the lines of every trial, then at the best strength on sixty others.

    Where the model takes instructions, calm and excited speech are compared too. The base model is probed on the other
    lines whatever its verdict. `on_progress(what, done, of)`. Raises InputError as the lines and the recogniser do, and
    FileNotFoundError where the checkpoint is gone.
    """
    started = time.perf_counter()
    session = _FinalistSession.open(settings, finalist)
    strengths = STRENGTHS if has_lora(session.weights) else ()
    of = len(strengths) + 1 + session.takes_instructions
    weaker = []
    for done, strength in enumerate(strengths):
        on_progress(f"{finalist.trial} at strength {strength:g}", done, of)
        weaker.append(session.probe_trial_lines(strength))
    chosen = best_strength(finalist.verdict, tuple(weaker)) if finalist.draw else finalist.verdict
    confirmed, instructed = None, ()
    if chosen is not None:
        on_progress(f"{finalist.trial} on sixty other lines", len(strengths), of)
        confirmed = session.probe_other_lines(chosen.strength)
        if session.takes_instructions:
            on_progress(f"{finalist.trial}, calm and excited", of - 1, of)
            instructed = session.speak_instructed()
    return Confirmation(
        trial=finalist.trial,
        weaker=tuple(weaker),
        confirmed=confirmed,
        unseen=unseen_texts(session.other_lines, session.trial_lines),
        instructed=instructed,
        seconds=time.perf_counter() - started,
    )


class _FinalistSession:
    """A finalist's model and the listener that judges it."""

    def __init__(
        self, settings: ConfirmationSettings, finalist: Finalist, learner: Learner, weights: Mapping[str, Tensor]
    ) -> None:
        self._settings, self._finalist, self._learner, self.weights = settings, finalist, learner, weights
        self._listener = Listener.open(learner, settings.probe, Calibration.read(settings.calibration), settings.seed)
        self.trial_lines = lines_for(settings.probe.lines, learner.split)
        self.other_lines = confirmation_lines(settings.probe.lines, learner.split)

    @property
    def takes_instructions(self) -> bool:
        return self._learner.takes_instructions

    @classmethod
    def open(cls, settings: ConfirmationSettings, finalist: Finalist) -> _FinalistSession:
        family = load_family(settings.family)
        learner = family.build(settings.model, settings.prepared, settings.language, finalist.draw, settings.seed)
        learner.eval()
        return cls(settings, finalist, learner, load_weights(finalist.checkpoint) if finalist.checkpoint else {})

    def probe_trial_lines(self, strength: float) -> Verdict:
        script = ProbeScript(self.trial_lines, self._settings.seed)
        return self._probe(script, strength, f"{RECORDINGS}/strength_{strength:g}")

    def probe_other_lines(self, strength: float) -> Verdict:
        """Leaves the model at that strength."""
        script = ProbeScript(self.other_lines, self._settings.seed + CONFIRMATION_SEED, confirms=True)
        return self._probe(script, strength, f"{RECORDINGS}/confirmation")

    def speak_instructed(self) -> tuple[InstructedLine, ...]:
        """Speaks each line under both instructions with the same seed, so that they alone make the difference."""
        texts = instructed_lines(self._settings.probe.lines, self._learner.split)
        seed = self._settings.seed + INSTRUCTED_SEED
        prompts = [
            SpeechPrompt(text, seed + number, self._listener.frame_cap(text), instruction)
            for number, text in enumerate(texts)
            for instruction in (CALM, EXCITED)
        ]
        utterances = self._learner.speak(prompts, self._settings.probe.sampling)
        deliveries = []
        for number, utterance in enumerate(utterances):
            name = f"{RECORDINGS}/instructed/line_{number // 2:02d}_{'excited' if number % 2 else 'calm'}.wav"
            write_audio(self._finalist.folder / name, utterance.wave)
            deliveries.append(measure_delivery(utterance.wave, name))
        pairs = zip(texts, deliveries[::2], deliveries[1::2], strict=True)
        return tuple(InstructedLine(text=text, calm=calm, excited=excited) for text, calm, excited in pairs)

    def _probe(self, script: ProbeScript, strength: float, recordings: str) -> Verdict:
        if self.weights:
            self._learner.load_tensors(scale_lora(self.weights, strength))
        trial, sampling = self._finalist.trial, self._settings.probe.sampling
        subject = ProbeSubject(self._finalist.folder, recordings, end_probability(self._learner), strength)
        verdicts = probe(
            lambda speakers, prompts: {trial: self._learner.speak(prompts, sampling)},
            self._listener,
            script,
            {trial: subject},
            whole=self._finalist.draw is None,
        )
        return verdicts[trial]
