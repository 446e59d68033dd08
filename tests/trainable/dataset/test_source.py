"""Parsing of `--data`."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spaces.errors import InputError
from trainable.dataset.source import Source


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/voices/anna", Source(path=Path("/voices/anna"))),
        ("/voices/a,b", Source(path=Path("/voices/a,b"))),
        ("/voices/weight=1/a", Source(path=Path("/voices/weight=1/a"))),
        ("/voices/x,text=b/c", Source(path=Path("/voices/x,text=b/c"))),
        ("/voices/x/../anna", Source(path=Path("/voices/anna"))),
        ("/a,weight=0.5,hours=2", Source(path=Path("/a"), weight=0.5, hours=2.0)),
        ("/a,text=the words,audio=b", Source(path=Path("/a"), text="the words", audio="b")),
        ("/a.jsonl,speaker=who", Source(path=Path("/a.jsonl"), speaker="who")),
        ("hf:you/voice", Source(hub=True, id="you/voice")),
        ("hf:you/voice:nb", Source(hub=True, id="you/voice", config="nb")),
        ("hf:you/voice:test", Source(hub=True, id="you/voice", split="test")),
        ("hf:you/voice::own", Source(hub=True, id="you/voice", split="own")),
        ("hf:you/voice:nb:test,weight=2", Source(hub=True, id="you/voice", config="nb", split="test", weight=2.0)),
        ("hf:/rows:default", Source(hub=True, path=Path("/rows"), config="default")),
    ],
)
def test_data_is_parsed_and_survives_being_written(text: str, expected: Source) -> None:
    assert Source.parse(text) == expected
    assert Source.parse(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected PATH or hf:ID"),
        (",weight=2", "expected PATH or hf:ID"),
        ("a,wieght=2", "did you mean weight="),
        ("a,colour=red", "expected weight="),
        ("a,weight=0", "above 0, got 0"),
        ("a,weight=nan", "above 0, got nan"),
        ("a,weight=1e999", "above 0, got 1e999"),
        ("a,hours=-1", "above 0, got -1"),
        ("a,hours=two", "above 0, got two"),
        ("a,weight=2,weight=2", "given twice"),
        ("a,text=", "is empty"),
        ("a,weight=2/", "looks like an option"),
        ("a\0b", "characters"),
        ("a\udcffb", "characters"),
        ("hf:", "hf:OWNER/NAME"),
        ("hf:a/b/c", "hf:OWNER/NAME"),
        ("hf:a/b:c:d:e", "3 parts"),
        ("hf:a/b:train[:10%]", ",hours="),
        ("https://huggingface.co/datasets/a/b", "hf:OWNER/NAME"),
    ],
)
def test_invalid_data_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Source.parse(text)


PIECES = st.sampled_from(["hf:", "a", "b c", "/", ":", ",", "..", ".", "~", "weight=", "text=", "hours=", "2", "0.1"])


@given(st.one_of(st.text(), st.lists(PIECES, max_size=10).map("".join)))
def test_any_text_is_refused_or_survives_being_written(text: str) -> None:
    try:
        source = Source.parse(text)
    except InputError:
        return
    assert Source.parse(str(source)) == source
    assert Source.model_validate_json(source.model_dump_json()) == source
    assert source.name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("/v/anna", "anna"),
        ("/v/anna/train.jsonl", "anna"),
        ("hf:you/voice:nb", "voice"),
        ("hf:/rows", "rows"),
        ("/", "data"),
    ],
)
def test_a_source_has_a_short_name(text: str, name: str) -> None:
    assert Source.parse(text).name == name


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Source.parse("~/voice").path == tmp_path / "voice"
