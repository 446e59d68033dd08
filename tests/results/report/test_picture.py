import itertools
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from results.report.picture import _spread, draw_search
from results.run.ledger import Ledger, TrialDrawn, TrialEnded
from results.run.run_folder import RunFolder
from spaces.band import Band
from spaces.errors import InputError
from spaces.records.trial import Ending
from tests.support import made_runs


def size(path) -> tuple[int, int]:
    return struct.unpack(">II", path.read_bytes()[16:24])


def only_drawn(folder):
    run = RunFolder(folder)
    Ledger(run.ledger).append(made_runs.started())
    return run


def with_held_out_clips(folder):
    run = only_drawn(folder)
    made_runs.write_curve(run, "t1", [made_runs.point(step, 3.0 - step, validation=3.5 - step) for step in range(3)])
    Ledger(run.ledger).append(TrialEnded(outcome=made_runs.outcome("t1")))
    return run


def with_a_band_that_moves(folder):
    run, space = RunFolder(folder), made_runs.started().space
    space["objective"]["aligned"]["band"] = {"auto_within": [1.0, 3.0]}
    ledger = Ledger(run.ledger)
    ledger.append(made_runs.started().model_copy(update={"space": space}))
    ledger.append(TrialDrawn(trial="t1", draw=made_runs.draw(), band=Band(low=1.234567, high=2, aim=(1.5, 2))))
    made_runs.write_curve(run, "t1", made_runs.descent(3.5, 1.5, 20))
    return run


def only_diverged(folder):
    run = only_drawn(folder)
    made_runs.write_curve(run, "t1", [made_runs.point(0, float("nan"))])
    Ledger(run.ledger).append(TrialEnded(outcome=made_runs.outcome("t1", Ending.DIVERGED)))
    return run


@pytest.mark.parametrize(
    "make", [made_runs.write_run, only_drawn, only_diverged, with_held_out_clips, with_a_band_that_moves]
)
def test_a_run_is_drawn_in_every_state(tmp_path, make):
    run = make(tmp_path)
    assert draw_search(run) == run.picture
    assert size(run.picture) == (1600, 900)
    assert [path.name for path in tmp_path.glob("*.part")] == []


def test_without_a_ledger_there_is_no_picture(tmp_path):
    with pytest.raises(InputError, match="no ledger"):
        draw_search(RunFolder(tmp_path))


@given(st.lists(st.floats(0, 10), max_size=12).map(sorted), st.floats(0.01, 2))
def test_labels_keep_their_distance_and_move_as_little_as_possible(wanted, gap):
    heights = _spread(wanted, gap)
    assert all(after - before >= gap - 1e-9 for before, after in itertools.pairwise(heights))
    if all(after - before >= gap for before, after in itertools.pairwise(wanted)):
        assert heights == pytest.approx(wanted)
    assert sum(heights) == pytest.approx(sum(wanted))
