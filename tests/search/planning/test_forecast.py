"""The forecast of `--dry-run`."""

from __future__ import annotations

import dataclasses

import pytest
from typer.testing import CliRunner

from search.console import dry_run
from search.planning.cost_table import CPU, GPU_CLASSES, Range
from search.planning.execution_mode import ExecutionMode
from search.planning.forecast import SearchWork, forecast_disk, forecast_gpu, search_work, seat_bytes
from search.planning.local_gpus import parse_nvidia_smi
from spaces.qwen3_tts import QwenPackShape
from spaces.space import load_space
from tests.support.run_command import app
from tests.support.toy_search import toy_plan
from tests.support.voices import make_voice
from trainable.dataset.split import ClipEntry, DatasetSplit
from trainable.qwen3_tts.checkpoint.size import size_of

SPACE = load_space("voice")
SPACE = SPACE.model_copy(update={"probe": SPACE.probe.model_copy(update={"lines": "english", "recogniser": "none"})})
LARGE, SMALL = "Qwen/Qwen3-TTS-12Hz-1.7B-Base", "Qwen/Qwen3-TTS-12Hz-0.6B-Base"
SHAPE = QwenPackShape(rank=16, targets=(r"model\.layers\.\d+\..*_proj",), text_projection=True, batch=1)
SIZE = size_of(LARGE, QwenPackShape.from_space(SPACE))


def split_of(clips: int, seconds: float = 6.0) -> DatasetSplit:
    return DatasetSplit(entries=tuple(ClipEntry(text="x" * round(15 * seconds), seconds=seconds) for _ in range(clips)))


def work(clips: int = 40, seconds: float = 6.0, trials: int = 16, mode: ExecutionMode = ExecutionMode()) -> SearchWork:  # noqa: B008
    return search_work(SPACE, split_of(clips, seconds), mode, trials)


def test_the_published_models_have_the_counted_parameters() -> None:
    """LoRA of rank 16 on all seven linears of the talker: 17.4 and 10.1 million."""
    lora = dataclasses.replace(size_of(LARGE, SHAPE), parameters=0).seat_parameters - 8.39e6
    assert lora == pytest.approx(17.4e6, rel=0.01)
    assert size_of(SMALL, SHAPE).seat_parameters - 6.29e6 == pytest.approx(10.1e6, rel=0.01)
    doubled = size_of(LARGE, SHAPE.model_copy(update={"rank": 32})).seat_parameters - 8.39e6
    assert doubled == 2 * lora


def test_a_pass_takes_the_operations_that_were_counted() -> None:
    """At 300 positions of which 240 are frames: 3.07 TFLOP."""
    assert 300 * SIZE.position_flops + 240 * SIZE.frame_flops == pytest.approx(3.07e12, rel=0.03)


def test_the_demo_is_measured_in_its_folder() -> None:
    space = load_space("demo")
    size = size_of(space.model, QwenPackShape.from_space(space))
    assert size.is_downloaded and size.layers == 7 and 4 * size.parameters == pytest.approx(5.2e6, rel=0.1)
    # Its weights, gradients and moments, as a pack lays them out.
    assert 16 * size.seat_parameters == pytest.approx(9.927 * 2**20, rel=0.25)


def test_an_unknown_model_has_no_size(tmp_path) -> None:
    assert size_of("somebody/model", SHAPE) is None
    assert size_of(str(tmp_path), SHAPE) is None


@pytest.mark.parametrize("gpu", [*GPU_CLASSES, CPU], ids=lambda gpu: gpu.name)
def test_every_estimate_is_a_range(gpu) -> None:
    forecast = forecast_gpu(work(), SIZE, gpu)
    for low, high in (forecast.seats, forecast.seat_bytes, forecast.trial_seconds, forecast.search_seconds):
        assert 0 <= low <= high
    assert forecast.search_seconds.low < forecast.search_seconds.high


@pytest.mark.parametrize("gpu", GPU_CLASSES, ids=lambda gpu: gpu.name)
@pytest.mark.parametrize(
    ("less", "more"),
    [
        (work(clips=30), work(clips=60)),
        (work(clips=60), work(clips=5000)),
        (work(seconds=3.0), work(seconds=9.0)),
        (work(trials=6), work(trials=60)),
    ],
    ids=["clips", "many clips", "longer clips", "trials"],
)
def test_more_work_takes_longer_and_more_disk(gpu, less, more) -> None:
    short, long = forecast_gpu(less, SIZE, gpu), forecast_gpu(more, SIZE, gpu)
    assert all(a < b for a, b in zip(short.search_seconds, long.search_seconds, strict=True))
    assert all(a < b for a, b in zip(forecast_disk(less, SIZE).whole, forecast_disk(more, SIZE).whole, strict=True))


def test_more_memory_holds_more_seats() -> None:
    many = dataclasses.replace(work(), max_seats=100)
    seats = [forecast_gpu(many, SIZE, gpu).seats for gpu in GPU_CLASSES]
    for fewer, more in zip(seats, seats[1:], strict=False):
        assert fewer.low < more.low and fewer.high < more.high
    assert all(forecast_gpu(work(), SIZE, gpu).seats.high <= 6 for gpu in GPU_CLASSES)


def test_a_recogniser_takes_room_from_the_seats_of_a_gpu() -> None:
    def listening(recogniser: str) -> SearchWork:
        probe = SPACE.probe.model_copy(update={"recogniser": recogniser})
        space = SPACE.model_copy(update={"probe": probe})
        return dataclasses.replace(search_work(space, split_of(40), ExecutionMode(), 16), max_seats=100)

    deaf, whisper = listening("pocketsphinx"), listening("openai/whisper-large-v3")
    for gpu in GPU_CLASSES:
        assert forecast_gpu(whisper, SIZE, gpu).seats < forecast_gpu(deaf, SIZE, gpu).seats
        larger = dataclasses.replace(gpu, memory=gpu.memory + whisper.recogniser_bytes)
        assert forecast_gpu(whisper, SIZE, larger).seats == forecast_gpu(deaf, SIZE, gpu).seats
    assert forecast_gpu(whisper, SIZE, CPU).seats == forecast_gpu(deaf, SIZE, CPU).seats


def test_longer_clips_and_higher_ranks_take_larger_seats() -> None:
    def of(seconds: float, rank: int) -> Range:
        return seat_bytes(
            work(seconds=seconds), size_of(LARGE, SHAPE.model_copy(update={"rank": rank})), GPU_CLASSES[0]
        )

    assert of(6.0, 16).high < of(12.0, 16).low and of(6.0, 16) < of(6.0, 64)


def test_a_model_that_does_not_fit_is_reported() -> None:
    tight = dataclasses.replace(GPU_CLASSES[0], memory=4e9)
    assert not forecast_gpu(work(), SIZE, tight).fits
    assert dry_run._cells(forecast_gpu(work(), SIZE, tight))[2] == "does not fit"


def test_isolated_trials_have_no_neighbours() -> None:
    assert work(mode=ExecutionMode(isolate=True)).max_seats == 1
    assert work(mode=ExecutionMode(seats=3)).max_seats == 3


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("NVIDIA H200, 143771\n", [("NVIDIA H200", "80 GB")]),
        (
            "NVIDIA GeForce RTX 4090, 24564\nTesla T4, 15360",
            [("NVIDIA GeForce RTX 4090", "24 GB"), ("Tesla T4", "12 GB")],
        ),
        ("Quadro, with a comma, 8192", [("Quadro, with a comma", "12 GB")]),
        ("No devices were found", []),
        ("", []),
    ],
)
def test_gpus_are_read_from_nvidia_smi(answer, expected) -> None:
    like = {gpu.flops: gpu.name for gpu in GPU_CLASSES}
    assert [(gpu.name, like[gpu.flops]) for gpu in parse_nvidia_smi(answer)] == expected


def test_a_dry_run_starts_and_writes_nothing(tmp_path, monkeypatch) -> None:
    """It does not look for the model on the Hub either."""

    def refuse(*arguments, **more):
        raise AssertionError("a dry run downloads nothing and starts nothing")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    monkeypatch.setattr("ray.init", refuse)
    voice = make_voice(tmp_path / "voice")
    out = tmp_path / "run"
    answer = CliRunner().invoke(
        app,
        ["--data", str(voice), "--recogniser", "none", "--language", "en", "--out", str(out), "--dry-run"],
        env={"COLUMNS": "120"},
    )
    assert answer.exit_code == 0, answer.output
    for words in ("24 GB", "80 GB", "about 4.6 GB", "Disk:", "estimates", "Nothing was started"):
        assert words in answer.output
    assert not out.exists()


def test_a_dry_run_of_the_demo_and_of_an_unknown_model(tmp_path) -> None:
    answer = CliRunner().invoke(app, ["--dry-run", "--out", str(tmp_path / "run")], env={"RAY_ADDRESS": None})
    assert answer.exit_code == 0 and "CPU, one core" in answer.output and "Downloads: none" in answer.output
    voice = make_voice(tmp_path / "voice")
    answer = CliRunner().invoke(
        app, ["--dry-run", "--data", str(voice), "--recogniser", "none", "--language", "en", "--model", "some/model"]
    )
    assert answer.exit_code == 0 and "of unknown size" in answer.output


def test_a_family_without_a_size_module_has_no_disk_forecast(tmp_path) -> None:
    from search.checking.checks import check_plan, disk_needed

    plan = toy_plan(tmp_path)
    assert disk_needed(*check_plan(plan)) is None
