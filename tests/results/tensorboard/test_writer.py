import html
import io
import math
import re

import numpy as np
import pytest
import soundfile
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugin_util import markdown_to_safe_html
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.hparams import metadata

from results.run.ledger import BaseProbed, Ledger, TrialDrawn, read_ledger
from results.run.run_folder import RunFolder
from results.tensorboard.scalars import metric_names
from results.tensorboard.text import escape_markdown
from results.tensorboard.writer import TensorBoardWriter
from spaces.band import Band
from spaces.families import FAMILIES
from spaces.records.trial import Ending
from tests.support import heard_run, made_runs
from trainable.probe.criteria.criteria_table import Flag

CURVE = [made_runs.point(step, loss=5.0 - step / 10) for step in range(8)]
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
PROGRESS = {f"result/{name}" for name in ("loss", "guide", "aligned", "epochs", "seconds", "gpu_seconds")}


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


def test_the_held_out_loss_is_written_where_it_was_measured(run):
    curve = [made_runs.point(step, validation=3.0 - step if step in (0, 2) else None) for step in range(4)]
    made_runs.write_curve(run, "t1", curve)
    TensorBoardWriter(run).end_trial("t1", made_runs.draw(), made_runs.outcome("t1", stopped=curve[2]))
    assert steps(run, "t1", "validation/aligned") == [0, 2]
    assert [event.value for event in events(run, "t1").Scalars("validation/aligned")] == [3.0, 1.0]
    assert [event.value for event in events(run, "t1").Scalars("result/validation")] == [1.0]
    assert not (run.tensorboard / "t1/events.out.tfevents.0.drawn").exists()


def test_a_growing_curve_is_written_at_its_own_steps(run):
    board = TensorBoardWriter(run)
    for known in (0, 1, 1, 4, 8):
        made_runs.write_curve(run, "t1", CURVE[:known])
        board.update_trial("t1")
        assert steps(run, "t1") == list(range(known)) if known else True
    read = events(run, "t1")
    assert set(read.Tags()["scalars"]) == SCALARS | PROGRESS
    assert [event.step for event in read.Scalars("result/epochs")] == [0, 3, 7]
    assert [event.value for event in read.Scalars("curve")] == pytest.approx([point.loss for point in CURVE])
    assert read.Scalars("loss/guide")[0].value == pytest.approx(4.0)
    # 10 seconds of audio in 2 seconds.
    assert [event.value for event in read.Scalars("speed/audio_seconds_per_second")] == pytest.approx([5.0] * 7)


@pytest.mark.parametrize("cut", [0, 5])
def test_a_restarted_driver_writes_no_duplicates(run, cut):
    made_runs.write_curve(run, "t1", CURVE[:5])
    TensorBoardWriter(run).update_trial("t1")
    for file in (run.tensorboard / "t1").iterdir():
        file.write_bytes(file.read_bytes()[: -cut or None])
    made_runs.write_curve(run, "t1", CURVE)
    TensorBoardWriter(run).update_trial("t1")
    # TensorBoard orders files of the same second by a number that it compares as text.
    assert sorted(steps(run, "t1")) == list(range(8))


def test_a_trial_that_resumed_from_its_checkpoint_has_no_duplicates(run):
    board = TensorBoardWriter(run)
    for known in (6, 3, 8):
        made_runs.write_curve(run, "t1", CURVE[:known])
        board.update_trial("t1")
    assert steps(run, "t1") == list(range(8))


def verdict_word(outcome) -> str:
    return {True: "accepted", False: "rejected"}[outcome.accepted] if outcome.verdict else "not probed"


REJECTED = made_runs.verdict([0.25, 0.25], ("2 of 2 lines are garbled",), Flag.GARBLED)
ALL = {"score": 0.5, "loss": 2.0, "guide": 4.0, "aligned": 2.0, "accepted": 1.0, "epochs": 2.0, "seconds": 60.0}
ALL |= {"gpu_seconds": 0.0}


@pytest.mark.parametrize(
    ("outcome", "metrics", "said"),
    [
        (made_runs.outcome("t1", verdict=made_runs.verdict([0.5])), ALL, ["in_band", "accepted", "line 0"]),
        (
            made_runs.outcome("t1", verdict=REJECTED),
            {**ALL, "score": 0.25, "accepted": 0.0},
            ["rejected", "2 of 2 lines are garbled", "garbled; heard"],
        ),
        (
            made_runs.outcome("t1", Ending.HOPELESS, reason="too slow"),
            {**{name: value for name, value in ALL.items() if name != "score"}, "accepted": 0.0},
            ["hopeless", "too slow"],
        ),
        (
            made_runs.outcome("t1", Ending.FAILED, reason="out of memory").model_copy(update={"point": None}),
            # The metrics are those of the last point of the curve.
            {"accepted": 0.0, "seconds": 60.0, "gpu_seconds": 0.0, "loss": 4.3, "guide": 4.0, "aligned": 4.3}
            | {"epochs": 7 / 12},
            ["failed", "out of memory"],
        ),
    ],
)
def test_an_ended_trial_has_its_draw_its_result_and_its_verdict(run, outcome, metrics, said):
    made_runs.write_curve(run, "t1", CURVE)
    TensorBoardWriter(run).end_trial("t1", outcome.draw, outcome)
    read = events(run, "t1")
    results = {tag: read.Scalars(tag)[-1].value for tag in read.Tags()["scalars"] if tag.startswith("result/")}
    assert results == pytest.approx({f"result/{name}": value for name, value in metrics.items()})
    assert steps(run, "t1") == list(range(8))
    assert all(words in text(run, "t1") for words in said)

    plugin = read.PluginTagToContent("hparams")
    session = metadata.parse_session_start_info_plugin_data(plugin["_hparams_/session_start_info"])
    assert session.hparams["rank"].number_value == 8
    assert session.hparams["objective"].string_value == "aligned"
    assert session.hparams["ending"].string_value == outcome.ending
    assert session.hparams["verdict"].string_value.startswith(verdict_word(outcome))
    experiment = metadata.parse_experiment_plugin_data(plugin["_hparams_/experiment"])
    assert {info.name.tag for info in experiment.metric_infos} == {
        f"result/{name}" for name in metric_names(FAMILIES["qwen3_tts"])
    }


def test_an_end_reported_twice_is_written_once(run):
    outcome = made_runs.outcome("t1", verdict=made_runs.verdict([0.5]))
    for _ in range(2):
        TensorBoardWriter(run).end_trial("t1", outcome.draw, outcome)
    assert len(events(run, "t1").Scalars("result/score")) == 1
    text(run, "t1")


def test_the_base_model_is_a_run_beside_the_trials(run):
    TensorBoardWriter(run).add_base(made_runs.base([0.5, 0.7]))
    assert events(run, "base").Scalars("result/score")[0].value == pytest.approx(0.6)
    assert "accepted" in text(run, "base")


def test_a_loss_that_is_not_finite_is_written_as_such(run):
    made_runs.write_curve(run, "t1", [CURVE[0], made_runs.point(1, math.nan, math.inf)])
    TensorBoardWriter(run).update_trial("t1")
    assert math.isnan(events(run, "t1").Scalars("curve")[1].value)


def session(run, trial):
    """The hyperparameters as TensorBoard reads them, and whether the session has ended."""
    plugin = events(run, trial).PluginTagToContent("hparams")
    start = metadata.parse_session_start_info_plugin_data(plugin["_hparams_/session_start_info"])
    return dict(start.hparams), "_hparams_/session_end_info" in plugin


def test_a_running_trial_has_its_draw_and_its_progress(run):
    Ledger(run.ledger).append(TrialDrawn(trial="t1", draw=made_runs.draw()))
    made_runs.write_curve(run, "t1", CURVE[:3])
    TensorBoardWriter(run).update_trial("t1")
    values, is_over = session(run, "t1")
    assert (values["rank"].number_value, "ending" in values, is_over) == (8, False, False)
    assert events(run, "t1").Scalars("result/loss")[-1].value == pytest.approx(CURVE[2].loss)


def test_an_announced_trial_is_not_looked_up_in_the_ledger(run):
    made_runs.write_curve(run, "t1", CURVE[:3])
    board = TensorBoardWriter(run)
    board.begin_trial("t1", made_runs.draw(rank=16), Band(low=0.5, high=0.7))
    board.update_trial("t1")
    assert session(run, "t1")[0]["rank"].number_value == 16
    assert events(run, "t1").Scalars("band/high")[-1].value == pytest.approx(0.7)


@pytest.mark.parametrize("ending", [Ending.IN_BAND, Ending.CANCELLED, Ending.FAILED])
def test_a_trial_that_was_killed_and_resumed_is_one_session_with_its_end(run, ending):
    Ledger(run.ledger).append(TrialDrawn(trial="t1", draw=made_runs.draw()))
    for known in (3, 6):
        made_runs.write_curve(run, "t1", CURVE[:known])
        # The driver was killed and left its files open.
        TensorBoardWriter(run).update_trial("t1")
    made_runs.write_curve(run, "t1", CURVE)
    outcome = made_runs.outcome("t1", ending, stopped=CURVE[-1])
    TensorBoardWriter(run).end_trial("t1", outcome.draw, outcome)
    values, is_over = session(run, "t1")
    assert (values["ending"].string_value, is_over) == (ending, True)
    assert steps(run, "t1") == list(range(8))
    ahead = steps(run, "t1", "result/loss")
    assert ahead == sorted(set(ahead)) and ahead[-1] == 8


def test_files_of_a_killed_writer_are_removed(run):
    half = run.path / ".tensorboard.abc"
    half.mkdir(parents=True)
    (half / "events.out.tfevents.1").write_bytes(b"half")
    TensorBoardWriter(run).add_base(made_runs.base([0.5]))
    assert not half.exists() and (run.tensorboard / "base").is_dir()


def test_every_curve_is_shown_with_its_own_band(run):
    Ledger(run.ledger).append(made_runs.started())
    Ledger(run.ledger).append(BaseProbed(outcome=made_runs.base([0.5])))
    bands = {"t1": Band(low=1.0, high=2.0, aim=(1.5, 2.0)), "t2": None}
    for trial, band in bands.items():
        Ledger(run.ledger).append(TrialDrawn(trial=trial, draw=made_runs.draw(), band=band))
        made_runs.write_curve(run, trial, CURVE)
        TensorBoardWriter(run).update_trial(trial)
    space = read_ledger(run.ledger).band(made_runs.draw().objective)
    for trial, (low, high) in {"t1": (1.0, 2.0), "t2": (space.low, space.high)}.items():
        read = events(run, trial)
        assert [event.value for event in read.Scalars("band/low")] == pytest.approx([low] * len(CURVE))
        assert [event.value for event in read.Scalars("band/high")] == pytest.approx([high] * len(CURVE))
        assert [event.value for event in read.Scalars("base/loss")] == pytest.approx([4.2] * len(CURVE))
        assert steps(run, trial, "band/low") == steps(run, trial)
    TensorBoardWriter(run).add_base(made_runs.base([0.5]))
    tags = {
        "loss/aligned": 4.2,
        "loss/guide": 6.1,
        "parts/eos": 0.25,
        "validation/aligned": 4.4,
        "evaluation/aligned": 4.15,
    }
    assert {tag: events(run, "base").Scalars(tag)[0].value for tag in tags} == pytest.approx(tags)
    content = events(run, "base").Tensors("custom_scalars__config__")[0].tensor_proto.string_val[0]
    layout = layout_pb2.Layout.FromString(content)
    margin = layout.category[0].chart[0].margin.series[0]
    assert (margin.value, margin.lower, margin.upper) == ("curve", "band/low", "band/high")
    drawn = {tag for chart in layout.category[0].chart for tag in chart.multiline.tag}
    assert drawn <= set(events(run, "t1").Tags()["scalars"]) | {"validation/guide", "validation/aligned"}


@pytest.fixture
def heard(tmp_path, monkeypatch):
    monkeypatch.setenv("SWEETSPOT_CACHE", str(tmp_path / "cache"))
    return heard_run.write_heard_run(tmp_path)


def test_recordings_of_a_trial_are_shown_beside_the_base_model_and_the_speaker(heard):
    history, board = read_ledger(heard.ledger), TensorBoardWriter(heard)
    board.add_base(history.base)
    for trial in ("t1", "t3"):
        board.end_trial(trial, history.drawn[trial], history.outcomes[trial])
    names = ["the_first_of_several_quiet_sentences", "another_line_a_little_longer_than_the_last_one", "why_not"]
    spoken = {f"probe/{name}/spoken" for name in (*names, f"{names[0]}_2")}
    base = events(heard, "base")
    own = {"probe/reference", f"probe/{names[0]}/ground_truth", f"probe/{names[1]}/ground_truth"}
    assert set(base.Tags()["audio"]) == spoken | own
    for trial in ("t1", "t3"):
        read = events(heard, trial)
        assert set(read.Tags()["audio"]) == spoken
        assert set(read.Tags()["images"]) == {f"probe_spectrum/{name}" for name in (*names, f"{names[0]}_2")}
    (audio,) = events(heard, "t3").Audio(f"probe/{names[0]}/spoken")
    wave, rate = soundfile.read(io.BytesIO(audio.encoded_audio_string))
    original, _ = soundfile.read(heard.trial("t3") / "probe/line_00.wav")
    assert rate == 24_000 and np.allclose(wave, original, atol=2e-4)
    assert "several green sentences" in text(heard, "t3")


def test_a_finalist_has_its_confirmation_once(heard):
    history, board = read_ledger(heard.ledger), TensorBoardWriter(heard)
    for _ in range(2):
        for final in history.confirmations.values():
            board.add_confirmation(final)
    for trial, score, strength in (("t1", 0.6, 0.5), ("t2", 0.8, 1.0), ("base", 0.5, 1.0)):
        read = events(heard, trial)
        assert [event.value for event in read.Scalars("final/score")] == [pytest.approx(score)]
        assert [event.value for event in read.Scalars("final/strength")] == [strength]
        names = ("somewhere_else_entirely", "a_line_for_finalists")
        assert set(read.Tags()["audio"]) == {f"final/{name}/spoken" for name in names}
    words = events(heard, "t1").Tensors("final/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "at strength 0.5: accepted" in words


HOSTILE = [
    "<script>alert(1)</script>",
    "[a](javascript:alert(1))",
    "**bold** _it_ `code`",
    "# head",
    "$\\frac$",
    "שלום 🙂",
]


@pytest.mark.parametrize("said", HOSTILE)
def test_spoken_texts_are_shown_literally_and_have_a_spectrogram(heard, said):
    lines = (heard_run.spoken(said, 0, heard=said), *heard_run.lines(0.5)[1:])
    outcome = made_runs.outcome("t9", verdict=heard_run.verdict(lines, (said,)), reason=said)
    heard_run.record(heard.trial("t9"), outcome.verdict)
    TensorBoardWriter(heard).end_trial("t9", outcome.draw, outcome)
    shown = markdown_to_safe_html(text(heard, "t9"))
    assert html.unescape(re.sub(r"</?(p|li|ul|strong)>", "", shown)).count(said) == 4
    assert len(events(heard, "t9").Tags()["images"]) == 4


@pytest.mark.parametrize("said", [*HOSTILE, "plain words, as they are."])
def test_escaped_text_is_shown_literally(said):
    assert html.unescape(markdown_to_safe_html(escape_markdown(said))) == f"<p>{said}</p>"
