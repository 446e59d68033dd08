"""Runs of the toy family with real checkpoints, for tests that export adapters."""

from pathlib import Path

import torch
import typer
from typer.testing import CliRunner

from results.run.ledger import BaseProbed, Ledger, SearchStarted, TrialDrawn, TrialEnded
from results.run.run_folder import RunFolder
from spaces.data_settings import DataSettings
from spaces.probe_settings import ProbeSettings
from spaces.records.losses import Losses
from spaces.records.trial import Ending, Outcome
from tests.support import made_runs, toy_family
from tests.support.toy_search import toy_space
from tests.support.voices import make_voice
from trainable.dataset.encoding_plan import plan_encoding
from trainable.dataset.loading.load import load_dataset
from trainable.dataset.source import Source
from trainable.family.protocol import SeatState
from trainable.probe.criteria.calibration import Calibration, calibrate
from trainable.probe.criteria.criteria_table import Flag
from trainable.training.checkpoint import CheckpointState, write_checkpoint

TOY = "tests.support.toy_family"


DRAW = toy_family.ToyDraw(objective="distance", vector_lr=1e-3, epochs=8)
POINT = made_runs.point(24).model_copy(
    update={"losses": Losses({"distance": 2.0, "doubled": 4.0}), "lrs": {"vector": 1e-3}}
)


def outcome(trial: str, *arguments, **more) -> Outcome:
    """See `made_runs.outcome`; of the toy family."""
    return made_runs.outcome(trial, *arguments, **{"drawn": DRAW, "stopped": POINT, **more})


def keep_checkpoint(run: RunFolder, model: Path, trial: str, weight: float) -> str:
    """Writes a checkpoint whose weights are all `weight`; from 10 on the toy voice does not end its lines."""
    learner = toy_family.build(str(model), run.prepared, "auto", DRAW, 1)
    weights = {name: torch.full_like(tensor, weight).detach() for name, tensor in learner.tensors().items()}
    state = CheckpointState(draw=DRAW, seed=1, point=POINT, window=(), ending=Ending.IN_BAND)
    kept = write_checkpoint(run.trial(trial) / "checkpoints", state, SeatState(weights, {}, state.point.step))
    return str(kept.folder.relative_to(run.trial(trial)))


def end(run: RunFolder, outcome: Outcome) -> None:
    Ledger(run.ledger).append(TrialDrawn(trial=outcome.trial, draw=outcome.draw))
    Ledger(run.ledger).append(TrialEnded(outcome=outcome))


def make_empty(folder: Path) -> RunFolder:
    """A run of the toy family with its base probed and no trial."""
    run = RunFolder(folder / "run")
    model = toy_family.make_toy_model(folder / "toy model")
    source, cache = Source.parse(str(make_voice(folder / "voice"))), folder / "cache"
    plan = plan_encoding(load_dataset([source], False, cache), DataSettings(), seed=1)
    toy_family.prepare(plan, str(model), run.prepared, cache, lambda done, of: None)
    _calibration(model, run.prepared).write(run.calibration)
    started = made_runs.started(TOY, str(model))
    space = {**toy_space(str(model)).model_dump(mode="json"), "probe": started.space["probe"]}
    changes = {"data": (str(folder / "voice"),), "space": space}
    Ledger(run.ledger).append(SearchStarted(**{**started.model_dump(), **changes}))
    Ledger(run.ledger).append(BaseProbed(outcome=made_runs.base([0.5, 0.5], None)))
    return run


def _calibration(model: Path, prepared: Path) -> Calibration:
    """The same for each of these runs, and so measured once."""
    if not _calibrations:
        learner = toy_family.build(str(model), prepared, "auto", None, 1)
        settings = ProbeSettings(lines="english", recogniser="none")
        _calibrations.append(calibrate(learner, settings, learner.ground_truth)[0])
    return _calibrations[0]


_calibrations: list[Calibration] = []


def make_run(empty: RunFolder, folder: Path) -> RunFolder:
    """t1 accepted, t2 accepted and better, t3 rejected, t4 without a checkpoint, t5 running."""
    verdicts = {
        "t1": made_runs.verdict([0.7, 0.7]),
        "t2": made_runs.verdict([0.8, 0.9]),
        "t3": made_runs.verdict([0.1, 0.1], ("2 of 2 lines failed",), Flag.NO_EOS),
    }
    for number, (trial, verdict) in enumerate(verdicts.items(), start=1):
        checkpoint = keep_checkpoint(empty, folder / "toy model", trial, 0.1 * number)
        end(empty, outcome(trial, verdict=verdict, checkpoint=checkpoint))
    end(empty, outcome("t4", Ending.HOPELESS, reason="too slow"))
    Ledger(empty.ledger).append(TrialDrawn(trial="t5", draw=DRAW))
    return empty


def command(module, *arguments) -> tuple[int, str]:
    """Runs a command; returns its exit code and output."""
    app = typer.Typer()
    app.command()(module)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output
