"""The training layout equals generation by the library, position by position and logit by logit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from spaces.errors import InputError
from tests.support.qwen_fixtures import LANGUAGES, Tiny
from trainable.qwen3_tts.data.prepared import PreparedClip, prompt_ids
from trainable.qwen3_tts.model.prompt import build_layout, embed

LINES = ("hello there", "a rather longer line of text than the first")


def generate(tiny: Tiny, language: str, speaker: torch.Tensor, lines: tuple[str, ...], steps: int):
    """The library's own batch generation. Returns codes per line and its logits, [lines, steps, vocabulary]."""
    model, logits = tiny.tts.model, []
    hook = model.talker.codec_head.register_forward_hook(lambda _m, _i, out: logits.append(out[:, -1].float()))
    prompt = {
        "ref_code": [None] * len(lines),
        "ref_spk_embedding": [speaker] * len(lines),
        "x_vector_only_mode": [True] * len(lines),
        "icl_mode": [False] * len(lines),
    }
    torch.manual_seed(3)
    try:
        with torch.no_grad(), sampled_sequences(model.talker) as sequences:
            codes, _ = model.generate(
                input_ids=[prompt_ids(tiny.tts.processor, line)[None] for line in lines],
                voice_clone_prompt=prompt,
                languages=[language] * len(lines),
                non_streaming_mode=True,
                max_new_tokens=steps,
                subtalker_dosample=False,
            )
    finally:
        hook.remove()
    return codes, torch.stack(logits, dim=1), sequences[0]


@contextmanager
def sampled_sequences(talker) -> Iterator[list[torch.Tensor]]:
    """Collects what `talker.generate` samples, [rows, steps] int64 each.

    The library returns codes only: a single row's EOS is not among them, and a row without one is as long as a row
    whose EOS came on the very last step.
    """
    sequences: list[torch.Tensor] = []
    generate = talker.generate

    def recording(*args, **kwargs):
        result = generate(*args, **kwargs)
        sequences.append(result.sequences)
        return result

    talker.generate = recording
    try:
        yield sequences
    finally:
        del talker.generate


@pytest.mark.parametrize("language", LANGUAGES)
def test_teacher_forced_logits_equal_generation(tiny: Tiny, language: str) -> None:
    speaker = tiny.data().speakers[0]
    codes, generated, _ = generate(tiny, language, speaker, LINES, steps=24)
    ids = [prompt_ids(tiny.tts.processor, line) for line in LINES]
    clips = [PreparedClip(line, 1.0, row[3:-5], own) for line, row, own in zip(LINES, ids, codes, strict=True)]
    layout = build_layout(tiny.tts.model.config, clips, ids[0][:3], language)
    talker = tiny.tts.model.talker
    with torch.no_grad():
        hidden = talker.model(inputs_embeds=embed(talker, layout, speaker), use_cache=False).last_hidden_state
        forced = talker.codec_head(hidden)
    assert min(map(len, codes)) >= 2
    for row, clip in enumerate(clips):
        at = layout.frame_position[layout.frame_clip == row] - 1
        torch.testing.assert_close(forced[row, at], generated[row, : len(clip.codes)], atol=1e-4, rtol=0)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_sub_talker_sees_the_same_as_in_generation(tiny: Tiny, language: str) -> None:
    """Generated greedily, each code of books 1–15 is the most likely one given the state before its frame."""
    speaker = tiny.data().speakers[0]
    codes, _, _ = generate(tiny, language, speaker, LINES[:1], steps=16)
    clip = PreparedClip(LINES[0], 1.0, prompt_ids(tiny.tts.processor, LINES[0])[3:-5], codes[0])
    layout = build_layout(tiny.tts.model.config, [clip], prompt_ids(tiny.tts.processor, "x")[:3], language)
    talker = tiny.tts.model.talker
    with torch.no_grad():
        hidden = talker.model(inputs_embeds=embed(talker, layout, speaker), use_cache=False).last_hidden_state
        logits, _ = talker.forward_sub_talker_finetune(layout.codes, hidden[0, layout.frame_position - 1])
    assert torch.equal(logits.argmax(-1), layout.codes[:, 1:])


def test_eos_is_read_from_the_sampled_sequence(tiny: Tiny) -> None:
    """The library's codes hold no EOS for a lone row: only the sequence tells an end from a cut."""
    speaker = tiny.data().speakers[0]
    eos = tiny.tts.model.config.talker_config.codec_eos_token_id
    codes, logits, sequence = generate(tiny, "auto", speaker, LINES[:1], steps=200)
    ended = bool((sequence == eos).any())
    assert not (codes[0][:, 0] == eos).any()
    assert len(codes[0]) == (sequence[0] != eos).sum() if ended else len(codes[0]) == 199


def test_unknown_language_is_refused_with_the_known_ones(tiny: Tiny) -> None:
    data = tiny.data()
    with pytest.raises(InputError, match="english"):
        build_layout(tiny.tts.model.config, data.clips, data.role_ids, "klingon")
