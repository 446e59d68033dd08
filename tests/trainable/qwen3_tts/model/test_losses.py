"""Both objectives against independent arithmetic, on the real classes."""

from __future__ import annotations

import pytest
import torch

from tests.support.qwen_fixtures import LANGUAGES, Tiny, prefill
from trainable.qwen3_tts.model.losses import clip_losses
from trainable.qwen3_tts.model.prompt import build_layout


def losses(tiny: Tiny, rows: list[int], language: str = "auto") -> dict[str, torch.Tensor]:
    data = tiny.data()
    layout = build_layout(tiny.tts.model.config, [data.clips[row] for row in rows], data.role_ids, language)
    with torch.no_grad():
        return clip_losses(tiny.tts.model.talker, layout, data.speakers[0])


def by_hand(tiny: Tiny, row: int, language: str) -> dict[str, float]:
    """The losses of one clip from the library's prompt, frame by frame from log-probabilities."""
    data, talker = tiny.data(), tiny.tts.model.talker
    clip = data.clips[row]
    books = [talker.get_input_embeddings(), *talker.code_predictor.get_input_embeddings()]
    pad = tiny.tts.model.config.tts_pad_token_id
    with torch.no_grad():
        filler = talker.text_projection(talker.get_text_embeddings()(torch.tensor([pad])))[0]
        frames = torch.stack([sum(books[k](code) for k, code in enumerate(frame)) + filler for frame in clip.codes])
        inputs = torch.cat([prefill(tiny, clip.text, language, data.speakers[0]), frames])
        mask = torch.ones(1, len(inputs), dtype=torch.long)
        hidden = talker.model(inputs_embeds=inputs[None], attention_mask=mask).last_hidden_state[0]
        count = len(clip.codes)
        states = hidden[-count - 1 :]
        log_p = talker.codec_head(states).log_softmax(-1)
        talker_terms = [-float(log_p[frame, clip.codes[frame, 0]]) for frame in range(count)]
        eos = -float(log_p[count, tiny.tts.model.config.talker_config.codec_eos_token_id])
        logits, library_sub = talker.forward_sub_talker_finetune(clip.codes, states[:count])
        sub_p = logits.log_softmax(-1)
        sub_terms = [-float(sub_p[f, k, clip.codes[f, k + 1]]) for f in range(count) for k in range(15)]
    talker_ce, sub = sum(talker_terms) / count, sum(sub_terms) / len(sub_terms)
    return {
        "talker": talker_ce,
        "eos": eos,
        "sub": sub,
        "sub_shifted": float(library_sub),
        "guide": talker_ce + 0.3 * float(library_sub),
        "aligned": (sum(talker_terms) + eos) / (count + 1) + 0.3 * sub,
    }


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("row", range(4))
def test_every_part_equals_independent_arithmetic(tiny: Tiny, row: int, language: str) -> None:
    ours = losses(tiny, [row], language)
    expected = by_hand(tiny, row, language)
    assert {name: float(ours[name][0]) for name in expected} == pytest.approx(expected, abs=2e-5)


def test_a_padded_batch_equals_its_single_clips(tiny: Tiny) -> None:
    batch = losses(tiny, [0, 1, 2, 3])
    for row in range(4):
        single = losses(tiny, [row])
        for name in single:
            torch.testing.assert_close(batch[name][row], single[name][0], atol=2e-5, rtol=0)


def test_the_shifted_loss_leaves_the_last_head_untrained(tiny: Tiny) -> None:
    """In the guide's loss the last head gets no gradient; in the aligned loss it does."""
    tts, data = tiny.fresh(), tiny.data()
    head = tts.model.talker.code_predictor.lm_head[14].weight.requires_grad_(True)
    layout = build_layout(tts.model.config, data.clips, data.role_ids, "auto")
    parts = clip_losses(tts.model.talker, layout, data.speakers[0])
    shifted = torch.autograd.grad(parts["guide"].sum(), head, retain_graph=True, allow_unused=True)[0]
    aligned = torch.autograd.grad(parts["aligned"].sum(), head)[0]
    assert shifted is None or not shifted.any()
    assert aligned.abs().max() > 0
