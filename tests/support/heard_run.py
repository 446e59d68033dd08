"""A run with recordings and finalists for tests of the listening page and TensorBoard."""

from __future__ import annotations

from pathlib import Path

from results.run.ledger import BaseProbed, FinalistHeard, Ledger, SearchEnded, SearchStarted, TrialDrawn, TrialEnded
from results.run.run_folder import RunFolder
from spaces.records.confirmation import Confirmation, Delivery, InstructedLine
from spaces.records.trial import BASE, Outcome
from spaces.records.verdict import SpokenLine, Verdict
from tests.support import made_runs
from tests.support.voices import TEXTS, make_voice, murmur
from trainable.probe.criteria.criteria_table import Flag
from trainable.speech.audio import write_audio

LINES = (TEXTS[0], TEXTS[1], TEXTS[0], "why not?")
"""One text occurs twice; the first two are transcripts of clips of the voice."""
OTHERS = ("somewhere else entirely", "a line for finalists")


def spoken(
    text: str, number: int, folder: str = "probe", score: float = 0.5, heard: str | None = None, flags=()
) -> SpokenLine:
    return made_runs.line(text, score, flags).model_copy(
        update={"heard": text if heard is None else heard, "audio": f"{folder}/line_{number:02d}.wav"}
    )


def verdict(lines: tuple[SpokenLine, ...], reasons: tuple[str, ...] = (), strength: float = 1.0) -> Verdict:
    failed = sum(line.failed for line in lines)
    flags = {flag: sum(flag in line.flags for line in lines) for line in lines for flag in line.flags}
    return made_runs.verdict([0.5], reasons).model_copy(
        update={
            "lines": lines,
            "flags": flags,
            "failed_lines": failed,
            "planned_lines": len(lines),
            "strength": strength,
            "score": sum(line.score for line in lines) / len(lines),
        }
    )


def record(folder: Path, heard: Verdict) -> None:
    """Writes a recording for every line."""
    for number, line in enumerate(heard.lines):
        write_audio(folder / line.audio, murmur(0.6 + 0.2 * number, 150 + 20 * number))


def lines(score: float, folder: str = "probe", texts: tuple[str, ...] = LINES) -> tuple[SpokenLine, ...]:
    return tuple(spoken(text, number, folder, score) for number, text in enumerate(texts))


def final(trial: str, score: float, folder: Path, strength: float = 1.0) -> Confirmation:
    """A confirmation with its recordings, and one line spoken calm and excited."""
    weaker = (verdict(lines(score, "finals/strength_0.5"), strength=0.5),) if trial != BASE else ()
    confirmed = verdict(lines(score, "finals/confirmation", OTHERS), strength=strength)
    for each in (*weaker, confirmed):
        record(folder, each)
    deliveries = []
    for name, pitch in (("calm", 100.0), ("excited", 200.0)):
        write_audio(folder / f"finals/instructed/line_00_{name}.wav", murmur(0.5, pitch))
        address = f"finals/instructed/line_00_{name}.wav"
        deliveries.append(Delivery(audio=address, pitch=pitch, level=-20.0, seconds=0.5))
    pair = InstructedLine(text="say it", calm=deliveries[0], excited=deliveries[1])
    return Confirmation(trial=trial, weaker=weaker, confirmed=confirmed, unseen=2, instructed=(pair,), seconds=5.0)


def end(run: RunFolder, outcome: Outcome) -> None:
    Ledger(run.ledger).append(TrialDrawn(trial=outcome.trial, draw=outcome.draw))
    Ledger(run.ledger).append(TrialEnded(outcome=outcome))
    made_runs.write_curve(run, outcome.trial, made_runs.descent(6.0, 2.0, 24))
    if outcome.verdict:
        record(run.trial(outcome.trial), outcome.verdict)


def write_heard_run(path: Path, finals: bool = True) -> RunFolder:
    """A run with the base model, t1 and t2 (accepted), t3 (rejected, one line misrecognised) and t4 (running)."""
    run = RunFolder(path / "run")
    ledger = Ledger(run.ledger)
    source = make_voice(path / "voice")
    ledger.append(SearchStarted(**{**made_runs.started().model_dump(), "data": (str(source),)}))
    base = made_runs.base([0.5]).model_copy(update={"verdict": verdict(lines(0.5))})
    ledger.append(BaseProbed(outcome=base))
    record(run.base, base.verdict)
    end(run, made_runs.outcome("t1", verdict=verdict(lines(0.7)), checkpoint="checkpoints/step"))
    end(
        run,
        made_runs.outcome(
            "t2", verdict=verdict(lines(0.6)), drawn=made_runs.draw(rank=16), checkpoint="checkpoints/step"
        ),
    )
    wrong = (spoken(LINES[0], 0, score=0.1, heard="the first of several green sentences", flags=(Flag.GARBLED,)),)
    rejected = verdict((*wrong, *lines(0.3)[1:]), ("1 of 4 lines failed (garbled in 1)",))
    end(
        run,
        made_runs.outcome("t3", verdict=rejected, drawn=made_runs.draw(lora_lr=2e-2), checkpoint="checkpoints/step"),
    )
    ledger.append(TrialDrawn(trial="t4", draw=made_runs.draw(rank=4)))
    made_runs.write_curve(run, "t4", made_runs.descent(6.0, 4.0, 6))
    if finals:
        for trial, score, strength in ((BASE, 0.5, 1.0), ("t1", 0.6, 0.5), ("t2", 0.8, 1.0)):
            folder = run.base if trial == BASE else run.trial(trial)
            ledger.append(FinalistHeard(final=final(trial, score, folder, strength)))
        ledger.append(SearchEnded(reason="all 4 trials were drawn"))
    return run
