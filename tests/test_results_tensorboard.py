import math

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams import metadata

from results.run_folder import RunFolder
from results.tensorboard import METRICS, TensorBoard
from spaces.ending import Ending
from spaces.verdict import Flag
from tests import crafted

CURVE = [crafted.point(step, loss=5.0 - step / 10) for step in range(8)]
SCALARS = {
    "loss/guide",
    "loss/aligned",
    "parts/talker",
    "parts/eos",
    "parts/sub",
    "parts/sub_shifted",
    "rate/lora",
    "rate/text_projection",
    "gradient/norm",
    "speed/audio_seconds_per_second",
    "curve",
}


@pytest.fixture
def run(tmp_path):
    return RunFolder(tmp_path)


def events(run, trial) -> EventAccumulator:
    return EventAccumulator(str(run.tensorboard / trial)).Reload()


def steps(run, trial, tag="curve") -> list[int]:
    return [event.step for event in events(run, trial).Scalars(tag)]


def text(run, trial) -> str:
    (event,) = events(run, trial).Tensors("result/text_summary")
    return event.tensor_proto.string_val[0].decode()


def test_the_held_out_loss_stands_where_it_was_measured(run):
    curve = [crafted.point(step, validation=3.0 - step if step in (0, 2) else None) for step in range(4)]
    crafted.write_curve(run, "t1", curve)
    TensorBoard(run).end("t1", crafted.draw(), crafted.outcome("t1", stopped=curve[2]))
    assert steps(run, "t1", "validation/aligned") == [0, 2]
    assert [event.value for event in events(run, "t1").Scalars("validation/aligned")] == [3.0, 1.0]
    assert [event.value for event in events(run, "t1").Scalars("result/validation")] == [1.0]


def test_a_growing_curve_is_written_at_its_own_steps(run):
    board = TensorBoard(run)
    for known in (0, 1, 1, 4, 8):
        crafted.write_curve(run, "t1", CURVE[:known])
        board.update("t1")
        assert steps(run, "t1") == list(range(known)) if known else True
    read = events(run, "t1")
    assert set(read.Tags()["scalars"]) == SCALARS
    assert [event.value for event in read.Scalars("curve")] == pytest.approx([point.loss for point in CURVE])
    assert read.Scalars("loss/guide")[0].value == pytest.approx(4.0)
    # 10 seconds of audio in 2 seconds.
    assert [event.value for event in read.Scalars("speed/audio_seconds_per_second")] == pytest.approx([5.0] * 7)


@pytest.mark.parametrize("cut", [0, 5])
def test_a_restarted_driver_doubles_nothing(run, cut):
    crafted.write_curve(run, "t1", CURVE[:5])
    TensorBoard(run).update("t1")
    for file in (run.tensorboard / "t1").iterdir():
        file.write_bytes(file.read_bytes()[: -cut or None])
    crafted.write_curve(run, "t1", CURVE)
    TensorBoard(run).update("t1")
    assert steps(run, "t1") == list(range(8))


def test_a_trial_that_went_back_to_its_checkpoint_doubles_nothing(run):
    board = TensorBoard(run)
    for known in (6, 3, 8):
        crafted.write_curve(run, "t1", CURVE[:known])
        board.update("t1")
    assert steps(run, "t1") == list(range(8))


REJECTED = crafted.verdict([0.25, 0.25], ("2 of 2 lines are garbled",), Flag.GARBLED)
ALL = {"score": 0.5, "loss": 2.0, "guide": 4.0, "aligned": 2.0, "accepted": 1.0, "epochs": 2.0, "seconds": 60.0}


@pytest.mark.parametrize(
    ("outcome", "metrics", "said"),
    [
        (crafted.outcome("t1", heard=crafted.verdict([0.5])), ALL, ["in_band", "accepted", "line 0"]),
        (
            crafted.outcome("t1", heard=REJECTED),
            {**ALL, "score": 0.25, "accepted": 0.0},
            ["rejected", "2 of 2 lines are garbled", "garbled; heard"],
        ),
        (
            crafted.outcome("t1", Ending.HOPELESS, reason="too slow"),
            {**{name: value for name, value in ALL.items() if name != "score"}, "accepted": 0.0},
            ["hopeless", "too slow"],
        ),
        (
            crafted.outcome("t1", Ending.FAILED, reason="out of memory").model_copy(update={"point": None}),
            {"accepted": 0.0, "seconds": 60.0},
            ["failed", "out of memory"],
        ),
    ],
)
def test_an_ended_trial_has_its_draw_its_result_and_its_verdict(run, outcome, metrics, said):
    crafted.write_curve(run, "t1", CURVE)
    TensorBoard(run).end("t1", outcome.draw, outcome)
    read = events(run, "t1")
    results = {tag: read.Scalars(tag)[-1].value for tag in read.Tags()["scalars"] if tag.startswith("result/")}
    assert results == pytest.approx({f"result/{name}": value for name, value in metrics.items()})
    assert steps(run, "t1") == list(range(8))
    assert all(words in text(run, "t1") for words in said)

    plugin = read.PluginTagToContent("hparams")
    session = metadata.parse_session_start_info_plugin_data(plugin["_hparams_/session_start_info"])
    assert session.hparams["rank"].number_value == 8
    assert session.hparams["objective"].string_value == "aligned"
    experiment = metadata.parse_experiment_plugin_data(plugin["_hparams_/experiment"])
    assert {info.name.tag for info in experiment.metric_infos} == {f"result/{name}" for name in METRICS}


def test_an_end_told_twice_is_written_once(run):
    outcome = crafted.outcome("t1", heard=crafted.verdict([0.5]))
    for _ in range(2):
        TensorBoard(run).end("t1", outcome.draw, outcome)
    assert len(events(run, "t1").Scalars("result/score")) == 1
    text(run, "t1")


def test_the_base_is_a_run_beside_the_trials(run):
    TensorBoard(run).base(crafted.base([0.5, 0.7]))
    assert events(run, "base").Scalars("result/score")[0].value == pytest.approx(0.6)
    assert "accepted" in text(run, "base")


def test_a_loss_that_is_not_finite_is_shown_as_such(run):
    crafted.write_curve(run, "t1", [CURVE[0], crafted.point(1, math.nan, math.inf)])
    TensorBoard(run).update("t1")
    assert math.isnan(events(run, "t1").Scalars("curve")[1].value)
