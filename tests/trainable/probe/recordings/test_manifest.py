"""Many recordings by one manifest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.probe_command import TEXT, WAVE, manifest, no_constant, probe, recording


def test_a_manifest_is_judged_line_by_line(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    recording(tmp_path / "one.wav", WAVE)
    recording(tmp_path / "below/two.wav", WAVE * 0)
    good = {"audio": "one.wav", "text": TEXT, "language": "en"}
    path = manifest(tmp_path, good, "", {"audio": "below/two.wav", "text": TEXT})
    result = probe("--manifest", path, "--recogniser", "pocketsphinx", "--json")
    judged = [json.loads(line, parse_constant=no_constant) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [(each["audio"], each["accepted"]) for each in judged] == [("one.wav", True), ("below/two.wav", False)]
    assert probe("--manifest", manifest(tmp_path, good)).exit_code == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"audio": "../one.wav", "text": "one"}, "many.jsonl:2: ../one.wav lies outside"),
        ({"audio": "/etc/hosts", "text": "one"}, "many.jsonl:2: /etc/hosts lies outside"),
        ({"audio": "gone.wav", "text": "one"}, "gone.wav: no such audio file"),
        ({"audio": "", "text": "one"}, "nothing is no file name"),
        ({"audio": "one.wav", "text": "one", "reference": "gone.wav"}, "gone.wav: no such audio file"),
        ({"audio": "one.wav", "text": "one", "reference": "../one.wav"}, "../one.wav lies outside"),
        ({"audio": "one.wav", "text": "one", "reference": 1}, "many.jsonl:2: expected {"),
        ({"audio": "one.wav", "text": "  "}, "many.jsonl:2: expected the text"),
        ({"audio": "one.wav", "text": 1}, "many.jsonl:2: expected {"),
        ({"audio": "one.wav"}, "many.jsonl:2: expected {"),
        ({"audio": "one.wav", "text": "one", "lang": "en"}, "many.jsonl:2: expected {"),
        ("[1]", "many.jsonl:2: expected {"),
        ("{", "many.jsonl:2: expected {"),
        ('{"audio": "one.wav", "text": "\\ud800 one"}', "many.jsonl:2: "),
    ],
)
def test_a_wrong_line_of_a_manifest_is_named_before_anything_is_judged(
    line: object, message: str, tmp_path: Path
) -> None:
    recording(tmp_path / "one.wav", WAVE)
    result = probe("--manifest", manifest(tmp_path, {"audio": "one.wav", "text": TEXT}, line))
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
