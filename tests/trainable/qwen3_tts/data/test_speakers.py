"""Several speakers in one dataset: each clip is trained with its own speaker, and speech is in the first's voice."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from spaces.probe_settings import Sampling
from spaces.qwen3_tts import QwenLayout
from tests.support.pack_runs import SEED, draw, make_pack, shape_of
from tests.support.qwen_fixtures import LANGUAGES, Tiny
from trainable.family.export_request import ExportRequest
from trainable.family.protocol import Batch, SpeechPrompt
from trainable.qwen3_tts.data.prepared import PreparedData
from trainable.qwen3_tts.generation.speech import speak
from trainable.qwen3_tts.learner import QwenLearner
from trainable.qwen3_tts.model.lora import attach_lora
from trainable.qwen3_tts.model.losses import clip_losses
from trainable.qwen3_tts.model.prompt import build_layout, embed

SPEAKERS = (1, 0, 1, 2)


def data(tiny: Tiny) -> PreparedData:
    return tiny.data(speakers=SPEAKERS)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_row_has_its_own_speaker(tiny: Tiny, language: str) -> None:
    ours, talker = data(tiny), tiny.tts.model.talker
    layout = build_layout(tiny.tts.model.config, ours.clips, ours.role_ids, language)
    with torch.no_grad():
        with_speakers = embed(talker, layout, ours.speakers[list(SPEAKERS)])
        without = embed(talker, layout, torch.zeros_like(ours.speakers[0]))
    added = with_speakers - without
    torch.testing.assert_close(added[:, layout.speaker_position], ours.speakers[list(SPEAKERS)], atol=1e-5, rtol=0)
    added[:, layout.speaker_position] = 0
    assert not added.any()


def test_a_batch_equals_its_single_clips_each_with_its_speaker(tiny: Tiny) -> None:
    ours = data(tiny)
    made = QwenLearner(tiny.tts, ours, "auto", None)
    with torch.no_grad():
        batch = made.losses([0, 1, 2, 3], 1).parts
        for row, clip in enumerate(ours.clips):
            layout = build_layout(tiny.tts.model.config, [clip], ours.role_ids, "auto")
            single, other = (
                clip_losses(tiny.tts.model.talker, layout, ours.speakers[speaker])
                for speaker in (clip.speaker, (clip.speaker + 1) % 3)
            )
            for name in single:
                torch.testing.assert_close(batch[name][row], single[name][0], atol=2e-5, rtol=0)
                assert (batch[name][row] - other[name][0]).abs() > 4e-5


def test_a_pack_trains_every_clip_with_its_own_speaker(tiny: Tiny) -> None:
    chosen, ours = [draw(rank=2), draw(rank=4, targets="linear")], data(tiny)
    pack = make_pack(tiny, ours, shape_of(chosen, 2), 2)
    for seat, each in enumerate(chosen):
        pack.join(seat, each, SEED)
    rows = pack.losses({0: Batch((0, 1), 1), 1: Batch((3,), 1)})
    # Before its first step an adapter equals its base.
    base = QwenLearner(tiny.tts, ours, "auto", None)
    with torch.no_grad():
        expected = base.losses([0, 1, 3], 1).parts
    losses = torch.tensor([*rows[0], *rows[1]])
    torch.testing.assert_close(losses[:, 0], expected["guide"], atol=1e-5, rtol=0)
    torch.testing.assert_close(losses[:, 1], expected["aligned"], atol=1e-5, rtol=0)


def test_speech_and_export_are_in_the_first_speakers_voice(tiny: Tiny, tmp_path: Path) -> None:
    ours, tts = data(tiny), tiny.fresh()
    made = QwenLearner(tts, ours, "auto", attach_lora(tts.model.talker, draw(), SEED))
    pack = make_pack(tiny, ours, shape_of([draw()], 1), 1)
    pack.join(0, draw(), SEED)
    made.eval()
    prompt = SpeechPrompt("a line", seed=3, frame_cap=12)
    for speaker in range(3):
        [[expected]] = speak(tiny.tts, ours.speakers[speaker], "auto", [prompt], Sampling())
        for spoken in (made.speak([prompt], Sampling()), pack.speak([0], [prompt], Sampling())[0]):
            same = spoken[0].wave.shape == expected.wave.shape and abs(spoken[0].wave - expected.wave).max() < 1e-5
            assert same == (speaker == 0)
    made.export(ExportRequest(QwenLayout.PEFT, str(tiny.folder), str(tiny.folder), "voice"), tmp_path)
    assert torch.equal(load_file(tmp_path / "voice.safetensors")["speaker"], ours.speakers[0])
