"""Checks of codes, of a tokenizer on the transcripts, and of the reference's voice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from transformers import PreTrainedTokenizerFast

from trainable.dataset.checks.codes import check_codes
from trainable.dataset.checks.model import check_reference_voice, check_tokenizer
from trainable.dataset.finding import Severity

CHANCE = np.random.default_rng(0)


def spoken(frames: int = 40) -> np.ndarray:
    return CHANCE.integers(0, 2048, (frames, 16))


def few(values: int) -> np.ndarray:
    """200 frames whose codebook 0 takes so many values equally often."""
    codes = spoken(200)
    codes[:, 0] = np.arange(200) % values
    return codes


def checks(*codes: np.ndarray, **known) -> list[str]:
    return [finding.check for finding in check_codes([f"{place}.wav" for place in range(len(codes))], codes, **known)]


ONE = spoken()
PADDED = np.where(np.arange(40)[:, None] < 39, spoken(), -1)
STUCK = np.concatenate([np.repeat(spoken(1), 37, axis=0), spoken(3)])
HALF_STUCK = np.concatenate([np.repeat(spoken(1), 36, axis=0), spoken(4)])


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([spoken(), spoken()], []),
        ([ONE, spoken(), ONE], ["identical-codes"]),
        ([spoken(1)] * 3, ["identical-codes", "single-frame"]),
        ([spoken(1), spoken(1)], ["single-frame"]),
        ([spoken(1), spoken()], []),
        ([PADDED, spoken()], ["code-range"]),
        ([spoken()[:, :15]], ["code-shape"]),
        ([spoken().T], ["code-shape"]),
        ([spoken()[:0]], ["code-shape"]),
        ([spoken().astype(float)], ["code-shape"]),
        ([np.zeros((2, 3, 16), dtype=int)], ["code-shape"]),
        ([STUCK, spoken()], ["stuck-codes"]),
        ([HALF_STUCK, spoken()], []),
        ([few(3)], ["code-entropy"]),
        ([few(4)], []),
        ([few(3)[:100]], []),
        ([], []),
    ],
)
def test_codes_that_cannot_be_speech_are_found(codes: list[np.ndarray], expected: list[str]) -> None:
    assert checks(*codes) == expected


def test_clips_with_identical_codes_are_an_error_that_names_them() -> None:
    other = spoken()
    names = ["a.wav", "b.wav", "c.wav", "d.wav", "e.wav"]
    first, second = check_codes(names, [ONE, other, ONE, spoken(), other])
    assert (first.severity, first.clips) == (Severity.ERROR, ("a.wav", "c.wav"))
    assert second.clips == ("b.wav", "e.wav") and "b.wav, e.wav" in second.message


def test_copies_of_one_recording_may_have_equal_codes() -> None:
    assert checks(ONE, ONE, recordings=["x", "x"]) == []
    assert checks(ONE, ONE, spoken(), recordings=["x", "y", "z"]) == ["identical-codes"]


def test_codes_are_not_kept_in_memory() -> None:
    alive = 0

    class Counted(np.ndarray):
        def __array_finalize__(self, obj: object) -> None:
            nonlocal alive
            alive += 1

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    most = 0

    def stream() -> Iterator[np.ndarray]:
        nonlocal most
        for _ in range(50):
            yield spoken().view(Counted)
            most = max(most, alive)

    assert check_codes([str(place) for place in range(50)], stream()) == []
    assert most < 10


@pytest.mark.parametrize("count", [1, 3])
def test_names_and_codes_must_have_equal_length(count: int) -> None:
    with pytest.raises(ValueError):
        check_codes(["a.wav", "b.wav"], [spoken() for _ in range(count)])


@given(
    st.lists(arrays.arrays(np.int64, arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=17)), max_size=4)
)
def test_any_array_of_codes_can_be_checked(codes: list[np.ndarray]) -> None:
    shapes = sum(each.ndim != 2 or each.shape[-1] != 16 or not len(each) for each in codes)
    assert ("code-shape" in checks(*codes)) == (shapes > 0)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes, and merges that make one token of `ø`, and of `aé`, but not of `é` alone."""
    vocabulary = {symbol: place for place, symbol in enumerate(sorted(ByteLevel.alphabet()))}
    # Byte-level names: ø is the bytes named Ã and ¸, é those named Ã and ©.
    merges = [("Ã", "¸"), ("a", "Ã"), ("aÃ", "©")]
    for left, right in merges:
        vocabulary[left + right] = len(vocabulary)
    model = Tokenizer(BPE(vocabulary, merges))
    model.pre_tokenizer, model.decoder = ByteLevel(add_prefix_space=False), ByteDecoder()
    return PreTrainedTokenizerFast(tokenizer_object=model)


@pytest.mark.parametrize(
    ("texts", "split"),
    [
        (["plain words", "and more"], {}),
        (["grønn"], {}),
        (["ƙasa", "ƙofa da ɗaki", "daki"], {"ƙ": 2, "ɗ": 1}),
        (["caé"], {}),
        (["caé", "é"], {"é": 1}),
        (["天"], {"天": 1}),
        (["a😀b"], {"😀": 1}),
        ([], {}),
    ],
)
def test_characters_that_are_split_into_bytes_are_listed(
    tokenizer: PreTrainedTokenizerFast, texts: list[str], split: dict[str, int]
) -> None:
    findings = check_tokenizer(texts, tokenizer)
    assert len(findings) == bool(split)
    for finding in findings:
        touched = sum(any(character in text for character in split) for text in texts if text != "caé")
        assert finding.severity is Severity.WARNING
        assert finding.message.startswith(f"{touched} of {len(texts)} transcripts")
        assert all(f"{character} ({count})" in finding.message for character, count in split.items())


def voice(count: int, towards: int, spread: float = 0.3) -> np.ndarray:
    """[count, 32], around one axis."""
    rows = spread * CHANCE.standard_normal((count, 32)) / np.sqrt(32)
    rows[:, towards] += 1.0
    return rows * CHANCE.uniform(0.5, 20, (count, 1))


@pytest.mark.parametrize(
    ("reference", "clips", "outlier"),
    [
        (voice(1, 0)[0], voice(30, 0), False),
        (voice(1, 1)[0], voice(30, 0), True),
        (voice(1, 1)[0], voice(2, 0), False),
        (voice(1, 1)[0], voice(3, 0), True),
        (voice(1, 0)[0], voice(30, 0, spread=3.0), False),
        (np.zeros(32), voice(30, 0), True),
    ],
)
def test_a_reference_of_another_voice_is_a_warning(reference: np.ndarray, clips: np.ndarray, outlier: bool) -> None:
    findings = check_reference_voice(reference, clips)
    assert [finding.check for finding in findings] == ["reference-voice"] * outlier


def test_the_clip_nearest_to_the_voice_is_proposed() -> None:
    clips = voice(9, 0)
    clips[4] = clips.mean(axis=0)
    (finding,) = check_reference_voice(voice(1, 1)[0], clips, names=[f"{place}.wav" for place in range(9)])
    assert "4.wav is nearest" in finding.message and finding.severity is Severity.WARNING
