"""Training of the real classes, compared with a plain loop and with an interrupted and resumed run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor

from spaces.band import Band
from spaces.probe_settings import ProbeSettings
from spaces.qwen3_tts import QwenDraw, QwenPackShape
from spaces.records.trial import Outcome, Point
from spaces.records.trial_spec import TrialSpec
from tests.support.qwen_fixtures import Tiny, draw, prefill
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Pack
from trainable.files.trial_folder import TrialFolder
from trainable.qwen3_tts.learner import QwenLearner
from trainable.qwen3_tts.model.lora import attach_lora
from trainable.qwen3_tts.packed.pack import QwenPack
from trainable.training.bench import Bench
from trainable.training.epoch_order import epoch_clips
from trainable.training.events import Event, Finished, Progress
from trainable.training.single_seat import SingleSeatPack

UNREACHABLE = Band(low=1e-3, high=2e-3)


def job(tiny: Tiny, folder: Path, chosen: QwenDraw) -> TrialSpec:
    return TrialSpec(
        trial=folder.name,
        folder=str(folder),
        family="unused",
        model=str(tiny.folder),
        prepared="unused",
        calibration="unused",
        language="auto",
        seed=5,
        draw=chosen,
        band=UNREACHABLE,
        probe=ProbeSettings(lines="unused", recogniser="none"),
    )


def pack(tiny: Tiny, chosen: QwenDraw) -> QwenPack:
    return QwenPack(tiny.fresh(), tiny.data(), "auto", QwenPackShape.from_draw(chosen), 1, ProcessGroup())


def single_seat(tiny: Tiny, chosen: QwenDraw) -> SingleSeatPack:
    tts = tiny.fresh()
    peft = attach_lora(tts.model.talker, chosen, seed=5)
    return SingleSeatPack(QwenLearner(tts, tiny.data(), "auto", peft, chosen, seed=5), chosen, ProcessGroup())


SEATS = [pytest.param(pack, id="pack"), pytest.param(single_seat, id="peft")]
"""Both implementations of a seat: the pack, and PEFT for draws that cannot be packed."""


@dataclass
class FinishedRun:
    """The outcome of a trial, and its weights after every report."""

    outcome: Outcome
    history: list[dict[str, Tensor]]

    @property
    def weights(self) -> dict[str, Tensor]:
        return self.history[-1]


def run(pack: Pack, order: TrialSpec, on_report: Callable[[Point], None] = lambda point: None) -> FinishedRun:
    outcomes: list[Outcome] = []
    history: list[dict[str, Tensor]] = []

    def on_event(event: Event) -> None:
        match event:
            case Finished():
                outcomes.append(event.outcome)
            case Progress():
                history.append(dict(pack.state(0).weights))
                on_report(event.point)

    bench = Bench(pack, ProcessGroup(), on_event, raise_errors=True)
    bench.seat(order)
    while not outcomes:
        bench.advance()
    return FinishedRun(outcomes[0], history)


@pytest.mark.parametrize("make", SEATS)
def test_the_guide_recipe_equals_a_plain_loop(tiny: Tiny, tmp_path: Path, make) -> None:
    """With text_projection frozen and no dropout, a plain loop has the same weights after each step."""
    chosen = draw()
    ours = run(make(tiny, chosen), job(tiny, tmp_path / "t000", chosen)).history
    start = ours[0]

    data, tts = tiny.data(), tiny.fresh()
    prompts = [prefill(Tiny(tiny.folder, tts), clip.text, "auto", data.speakers[0]) for clip in data.clips]
    talker = tts.model.talker
    peft = get_peft_model(
        talker,
        LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"]),
    )
    lora = {name.replace(".default", ""): value for name, value in peft.named_parameters() if value.requires_grad}
    with torch.no_grad():
        for name, value in lora.items():
            value.copy_(start[name])
    optimizer = torch.optim.AdamW(lora.values(), lr=1e-3, weight_decay=0.01)
    filler = talker.text_projection(talker.get_text_embeddings()(torch.tensor([tts.model.config.tts_pad_token_id])))
    books = [talker.get_input_embeddings(), *talker.code_predictor.get_input_embeddings()]
    talker.train()
    plain = [{name: value.detach().clone() for name, value in lora.items()}]
    for epoch in range(2):
        for number, row in enumerate(epoch_clips(data.split, chosen, 5, epoch), start=1):
            codes = data.clips[row].codes
            frames = sum(books[k](codes[:, k]) for k in range(16)) + filler
            inputs = torch.cat([prompts[row], frames])[None]
            hidden = talker.model(inputs_embeds=inputs).last_hidden_state[0]
            states = hidden[len(prompts[row]) - 1 : -1]
            loss = torch.nn.functional.cross_entropy(talker.codec_head(states), codes[:, 0])
            loss = loss + 0.3 * talker.forward_sub_talker_finetune(codes, states)[1]
            (loss / 2).backward()
            if number % 2 == 0:
                torch.nn.utils.clip_grad_norm_(list(lora.values()), 1.0)
                optimizer.step()
                optimizer.zero_grad()
                plain.append({name: value.detach().clone() for name, value in lora.items()})

    assert len(ours) == len(plain) == 5
    for mine, theirs in zip(ours, plain, strict=True):
        for name, value in theirs.items():
            torch.testing.assert_close(mine[name], value, atol=5e-5, rtol=1e-4)
    moved = max((plain[-1][name] - start[name]).abs().max() for name in plain[-1])
    assert moved > 1e-3
    assert any("code_predictor" in name for name in plain[-1])


@pytest.mark.parametrize("make", SEATS)
@pytest.mark.parametrize(
    "changes",
    [
        {"dropout": 0.2},
        {"dropout": 0.1, "sub_frames": 0.3, "sub_weight": 1.0},
        {"objective": "aligned", "targets": "linear", "text_projection_lr": 5e-4, "warmup": 3},
    ],
)
def test_an_interrupted_run_ends_bit_equal(tiny: Tiny, tmp_path: Path, changes: dict, make) -> None:
    chosen = draw(epochs=3, **changes)
    whole = run(make(tiny, chosen), job(tiny, tmp_path / "whole", chosen))

    class Interrupted(Exception):
        pass

    def interrupt(point: Point) -> None:
        if point.step == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        run(make(tiny, chosen), job(tiny, tmp_path / "cut", chosen), interrupt)
    resumed = run(make(tiny, chosen), job(tiny, tmp_path / "cut", chosen))

    assert resumed.outcome.ending == whole.outcome.ending
    for name, value in whole.weights.items():
        assert torch.equal(value, resumed.weights[name]), name
    curves = [TrialFolder(tmp_path / name).read_points() for name in ("whole", "cut")]
    timeless = [
        [point.model_copy(update={"seconds": 0.0, "gpu_seconds": 0.0}) for point in points] for points in curves
    ]
    assert timeless[0] == timeless[1]
    steps = [point.step for point in timeless[0]]
    assert steps == list(range(len(steps))) and steps[-1] > 3


@pytest.mark.parametrize("make", SEATS)
def test_text_projection_is_trained_unless_its_rate_is_zero(tiny: Tiny, tmp_path: Path, make) -> None:
    for rate in (0.0, 1e-3):
        chosen = draw(text_projection_lr=rate)
        ended = run(make(tiny, chosen), job(tiny, tmp_path / str(rate), chosen))
        projection = [name for name in ended.weights if "text_projection" in name]
        assert len(projection) == 4
        for name in projection:
            assert torch.equal(ended.history[0][name], ended.weights[name]) == (rate == 0.0)


@pytest.mark.parametrize("make", SEATS)
def test_accumulation_equals_one_larger_batch(tiny: Tiny, tmp_path: Path, make) -> None:
    results = []
    for batch, accumulation in ((4, 1), (2, 2), (1, 4)):
        chosen = draw(batch=batch, accumulation=accumulation, epochs=3)
        results.append(run(make(tiny, chosen), job(tiny, tmp_path / f"{batch}", chosen)).weights)
    for other in results[1:]:
        for name, value in results[0].items():
            torch.testing.assert_close(other[name], value, atol=2e-5, rtol=1e-3)
