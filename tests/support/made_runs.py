"""Run folders as a search leaves them, for tests of code that reads a ledger."""

from __future__ import annotations

import math
from pathlib import Path

from results.run.ledger import BaseProbed, Ledger, SearchEnded, SearchStarted, TrialDrawn, TrialEnded
from results.run.run_folder import RunFolder
from spaces.band import Band
from spaces.draw import Draw
from spaces.probe_settings import ProbeSettings
from spaces.qwen3_tts import QwenDraw
from spaces.records.losses import BaseLosses, Losses
from spaces.records.trial import Ending, Outcome, Point
from spaces.records.trial_spec import TrialSpec
from spaces.records.verdict import SpokenLine, Verdict
from spaces.space import load_space
from tests.support.line_measures import HEALTHY
from trainable.files.trial_folder import TrialFolder
from trainable.probe.criteria.criteria_table import Flag


def draw(**changes) -> Draw:
    fields = {
        "objective": "aligned",
        "rank": 8,
        "alpha_ratio": 2,
        "lora_lr": 1e-3,
        "text_projection_lr": 1e-4,
        "epochs": 8,
        "targets": "linear",
    }
    return QwenDraw(**{**fields, **changes})


def point(step: int, loss: float = 2.0, guide: float = 4.0, validation: float | None = None) -> Point:
    """`validation` is the aligned loss of the held-out clips."""
    losses = Losses(guide=guide, aligned=loss, talker=1.5, eos=0.25, sub=1.0, sub_shifted=3.0)
    return Point(
        step=step,
        clips=4 * step,
        epoch=step / 12,
        loss=loss,
        losses=losses,
        validation=None if validation is None else Losses({**losses.root, "aligned": validation}),
        grad_norm=0.5,
        lora_lr=1e-3,
        text_projection_lr=1e-4,
        seconds=2.0 * step,
        audio_seconds=10.0 * step,
    )


def line(text: str, score: float, flags: tuple[Flag, ...] = ()) -> SpokenLine:
    return SpokenLine(
        text=text,
        heard=text,
        audio=f"probe/{text}.wav",
        flags=flags,
        failed=any(flag.rejects for flag in flags),
        eos=Flag.NO_EOS not in flags,
        frames=20,
        frame_cap=60,
        seconds=1.6,
        expected_seconds=1.5,
        measures={**HEALTHY, "character_error": 0.1},
        spectral_distance=2.0,
        similarity=0.8,
        score=score,
    )


def verdict(scores: list[float], reasons: tuple[str, ...] = (), flag: Flag | None = None) -> Verdict:
    """Accepted without reasons, otherwise rejected with `flag` on every line."""
    flags = (flag,) if flag else ()
    lines = tuple(line(f"line {number}", score, flags) for number, score in enumerate(scores))
    return Verdict(
        accepted=not reasons,
        reasons=reasons,
        flags={flag: len(lines)} if flag else {},
        unknown=(),
        failed_lines=len(lines) if flag else 0,
        lines=lines,
        planned_lines=len(lines),
        voice_similarity=0.9,
        score=sum(scores) / len(scores),
    )


def outcome(
    trial: str,
    ending: Ending = Ending.IN_BAND,
    verdict: Verdict | None = None,
    drawn: Draw | None = None,
    stopped: Point | None = None,
    checkpoint: str | None = None,
    reason: str = "its reason",
) -> Outcome:
    stopped = stopped or point(24)
    return Outcome(
        trial=trial,
        ending=ending,
        reason=reason,
        draw=drawn or draw(),
        point=stopped,
        kept=stopped if verdict else None,
        checkpoint=checkpoint,
        verdict=verdict,
        train_seconds=48.0,
        probe_seconds=12.0,
    )


def spec(run: RunFolder, trial: str = "t000", **changes) -> TrialSpec:
    """Of a trial in this run that no loop can train."""
    fields = {
        "trial": trial,
        "folder": str(run.trial(trial)),
        "family": "none",
        "model": "none",
        "prepared": "none",
        "calibration": "none",
        "language": "auto",
        "seed": 1,
        "draw": draw(),
        "band": Band(low=1.5, high=3.0),
        "probe": ProbeSettings(lines="digits", recogniser="none"),
    }
    return TrialSpec(**{**fields, **changes})


BASE_LOSSES = BaseLosses(
    clips=12,
    training=point(0, 4.2, 6.1).losses,
    deviation=Losses(dict.fromkeys(point(0).losses.root, 0.5)),
    evaluation=point(0, 4.15, 6.1).losses,
    held_out=point(0, 4.4, 6.3).losses,
)


def base(scores: list[float], losses: BaseLosses | None = BASE_LOSSES) -> Outcome:
    """`losses` are those of Qwen3-TTS, or None."""
    return Outcome(
        trial="base",
        ending=None,
        reason="the base model's own clone",
        draw=None,
        point=None,
        kept=None,
        checkpoint=None,
        verdict=verdict(scores),
        train_seconds=0.0,
        probe_seconds=9.0,
        base_losses=losses,
    )


def base_losses(deviation: float = 0.3, **training: float) -> BaseLosses:
    spread = Losses(dict.fromkeys(training, deviation))
    return BaseLosses(clips=48, training=Losses(training), deviation=spread, evaluation=Losses(training))


def started(family: str = "trainable.qwen3_tts.family", model: str = "model", space: str = "demo") -> SearchStarted:
    return SearchStarted(
        space=load_space(space).model_dump(mode="json"),
        family=family,
        data=("/voices/voice",),
        auto_reference=False,
        fingerprint="f" * 64,
        model=model,
        seed=1,
        versions={"torch": "2.11.0"},
    )


def write_curve(run: RunFolder, trial: str, points: list[Point]) -> None:
    path = TrialFolder(run.trial(trial)).curve
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(item.model_dump_json() + "\n" for item in points))


def descent(start: float, end: float, steps: int) -> list[Point]:
    """A curve that falls from `start` to `end`, fast at first."""
    return [point(step, end + (start - end) * math.exp(-4 * step / steps)) for step in range(steps + 1)]


def write_run(path: Path) -> RunFolder:
    """The base, two accepted trials (one of them overshot), four with other endings, and one that still runs."""
    run = RunFolder(path)
    ledger = Ledger(run.ledger)
    ledger.append(started())
    ledger.append(BaseProbed(outcome=base([0.60, 0.62, 0.58, 0.60])))
    garbled = verdict([0.2, 0.1], ("2 of 2 lines are garbled",), Flag.GARBLED)
    outcomes = [
        outcome("t1", verdict=verdict([0.70, 0.71, 0.69, 0.70])),
        outcome("t2", Ending.HOPELESS, reason="would need 40 epochs"),
        outcome("t3", Ending.OVERSHOT, verdict=verdict([0.80, 0.82, 0.79, 0.79]), drawn=draw(rank=16)),
        outcome("t4", verdict=garbled, drawn=draw(lora_lr=2e-2)),
        outcome("t5", Ending.DIVERGED, stopped=point(3, float("nan"), float("nan")), reason="the loss is nan"),
        outcome("t6", Ending.EXHAUSTED, stopped=point(96, 3.4), reason="8 epochs ran, the loss is 3.4"),
    ]
    ends = {"t1": 2.5, "t2": 4.6, "t3": 1.2, "t4": 2.0, "t6": 3.4}
    for item in outcomes:
        ledger.append(TrialDrawn(trial=item.trial, draw=item.draw))
        if item.trial in ends:
            write_curve(run, item.trial, descent(6.0, ends[item.trial], 24))
        ledger.append(TrialEnded(outcome=item))
    ledger.append(TrialDrawn(trial="t7", draw=draw(rank=4)))
    write_curve(run, "t7", descent(6.0, 4.0, 12))
    return run


def finish(run: RunFolder) -> None:
    Ledger(run.ledger).append(TrialEnded(outcome=outcome("t7", Ending.CANCELLED, reason="the search ended")))
    Ledger(run.ledger).append(SearchEnded(reason="6 trials"))
