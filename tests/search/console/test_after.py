"""The summary of a search, and its exit code."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console

from results.analysis.advice import ADVICE, LOSS_ROSE
from results.run.ledger import History, read_ledger
from results.run.run_folder import RunFolder
from search.console.after import SearchEnd, print_summary
from search.planning.plan import Plan, demo_source
from spaces.records.trial import Ending
from tests.support.made_runs import base, draw, outcome, point, started, verdict, write_curve, write_run
from tests.support.toy_search import toy_plan
from trainable.probe.criteria.criteria_table import Flag

GARBLED = verdict([0.2, 0.1], ("2 of 2 lines are garbled",), Flag.GARBLED)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return toy_plan(tmp_path)


def summary_of(end: SearchEnd) -> str:
    output = io.StringIO()
    print_summary(end, Path("search.png"), Path("report/index.html"), Console(file=output, width=80))
    return output.getvalue()


def history(*outcomes) -> History:
    named = {each.trial: each for each in outcomes}
    return History(started(), base([0.5, 0.5]), {name: draw() for name in named}, named)


def test_the_summary_says_what_was_found_and_what_to_type_next(plan, tmp_path):
    run = write_run(tmp_path / "crafted")
    demo = dataclasses.replace(plan, sources=(demo_source(),), run=run)
    end = SearchEnd(demo, read_ledger(run.ledger), "all 7 trials were drawn", False, None)
    summary = summary_of(end)
    assert end.exit_code == 0
    for words in (
        "Best: t3, score 0.800",
        "better than the base model's own cloning",
        "t4  in_band, rejected, score 0.150 (garbled ×2): 2 of 2 lines are garbled",
        "t5  diverged: the loss is nan",
        "t7  not finished",
        f"Adapter: {run.best}",
        "sample.wav",
        "Picture: search.png",
        f"tensorboard --logdir {run.tensorboard}",
        f'python -m results.speak {run.best} "one two three" out.wav',
        "python search/run.py --data my_voice/",
    ):
        assert words in summary


@pytest.mark.parametrize("accepted", [True, False])
def test_where_nothing_listened_the_summary_says_so(plan, accepted):
    deaf = verdict([0.9, 0.9], () if accepted else ("silent",)).model_copy(update={"unknown": (Flag.GARBLED,)})
    heard = history(outcome("t1", verdict=deaf))
    heard = dataclasses.replace(heard, base=heard.base.model_copy(update={"verdict": deaf}))
    summary = summary_of(SearchEnd(plan, heard, "1 trial", False, None))
    assert "Not judged: whether speech is garbled (nothing listened to the words); listen for it yourself." in summary


def test_a_failed_export_is_reported_with_its_command(plan):
    end = SearchEnd(
        plan, history(outcome("t1", verdict=verdict([0.9, 0.9]))), "1 accepted", False, "MemoryError: too big"
    )
    assert end.exit_code == 1
    assert "was not exported: MemoryError: too big" in summary_of(end)
    assert f"python -m results.export {plan.run.path}" in summary_of(end)


def test_an_interrupted_search_says_how_to_resume_it(plan):
    end = SearchEnd(plan, history(outcome("t1", verdict=verdict([0.9, 0.9]))), "interrupted", True, None)
    assert end.exit_code == 130
    assert f"python search/run.py --out {plan.run.path} --resume" in summary_of(end)


@pytest.mark.parametrize(
    ("heard", "problem"),
    [(verdict([0.9, 0.9]), None), (verdict([0.9, 0.9]), "MemoryError: too big"), (GARBLED, None)],
    ids=["one accepted", "one accepted and not exported", "none accepted"],
)
def test_a_search_that_no_node_came_for_says_how_to_resume_it(plan, heard, problem):
    before = history(outcome("t1", verdict=heard))
    stranded = dataclasses.replace(before, drawn={**before.drawn, "t2": draw(), "t3": draw()})
    end = SearchEnd(plan, stranded, "a node with 1 GPU has not come within 30 minutes", False, problem)
    summary = summary_of(end)
    for trial in ("t2", "t3"):
        assert f"{trial}  not finished, continues with --resume" in summary
    assert "failed" not in summary.split("Search ended")[0]
    assert f"Resume:  python search/run.py --out {plan.run.path} --resume" in summary


@pytest.mark.parametrize(
    ("ended", "advice"),
    [
        (outcome("t1", verdict=GARBLED), ADVICE[Flag.GARBLED]),
        (outcome("t1", Ending.EXHAUSTED), ADVICE[Ending.EXHAUSTED]),
        (outcome("t1", Ending.DIVERGED, stopped=point(3, float("nan"))), ADVICE[Ending.DIVERGED]),
        (outcome("t1", Ending.FAILED, reason="MemoryError"), ADVICE[Ending.FAILED]),
    ],
)
def test_nothing_accepted_says_why_and_what_to_change(plan, ended, advice):
    end = SearchEnd(plan, history(ended), "all 1 trials were drawn", False, None)
    summary = summary_of(end)
    assert end.exit_code == 3
    assert "No adapter was accepted" in summary and advice in summary and "Nearest: t1" in summary


def test_a_loss_that_rose_needs_a_lower_rate_not_a_higher_one(plan):
    write_curve(RunFolder(plan.run.path), "t1", [point(0, 4.0), point(24, 5.0)])
    end = SearchEnd(plan, history(outcome("t1", Ending.HOPELESS, stopped=point(24, 5.0))), "all drawn", False, None)
    assert ADVICE[LOSS_ROSE] in summary_of(end)
    assert ADVICE[Ending.HOPELESS] not in summary_of(end)
