"""A family without LoRA, codes and band, from the training loop to the table and TensorBoard."""

from __future__ import annotations

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from results import compare
from results.run.ledger import BaseProbed, Ledger, TrialDrawn, TrialEnded, read_ledger
from results.run.run_folder import RunFolder
from results.tensorboard.writer import TensorBoardWriter
from spaces.records.trial import Ending
from tests.support import made_runs
from tests.support.toy_run import TOY, command
from tests.support.toy_search import toy_space
from tests.support.toy_voice import ToyVoice
from trainable.training.run_trial import run_trial


def test_a_trial_without_a_band_is_trained_probed_compared_and_shown(voice: ToyVoice, tmp_path) -> None:
    run = RunFolder(tmp_path)
    spec = voice.spec("t1", band=None, epochs=4).model_copy(update={"folder": str(run.trial("t1"))})
    outcome = run_trial(spec, lambda progress: None)
    assert outcome.ending is Ending.COMPLETED and outcome.verdict is not None
    assert outcome.kept == outcome.point and outcome.point.epoch == 4.0

    space = toy_space("model").model_dump(mode="json")
    space["objective"]["distance"]["band"] = None
    ledger = Ledger(run.ledger)
    for entry in (
        made_runs.started(TOY).model_copy(update={"space": space}),
        BaseProbed(outcome=voice.base),
        TrialDrawn(trial="t1", draw=spec.draw),
        TrialEnded(outcome=outcome),
    ):
        ledger.append(entry)
    history = read_ledger(run.ledger)
    assert history.problems == () and history.band_of("t1") is None
    assert history.outcomes["t1"] == outcome and history.drawn["t1"] == spec.draw

    code, table = command(compare.compare, run.path)
    assert code == 0 and "completed" in table and "vector lr" in table and "0.33" in table

    board = TensorBoardWriter(run)
    board.add_base(voice.base)
    board.end_trial("t1", spec.draw, outcome)
    events = EventAccumulator(str(run.tensorboard / "t1")).Reload()
    tags = set(events.Tags()["scalars"])
    assert {"loss/distance", "loss/doubled", "rate/vector", "result/distance", "curve"} <= tags
    assert not {tag for tag in tags if tag.startswith(("band/", "parts/"))}
