"""How many lines each subject speaks, with which seeds, and what the verdict keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from spaces.data_settings import DataSettings
from spaces.probe_settings import ProbeSettings
from spaces.records.verdict import LineKind, ProbeLine, Verdict
from tests.support import toy_family
from tests.support.voices import make_voice, murmur
from trainable.dataset.encoding_plan import plan_encoding
from trainable.dataset.loading.load import load_dataset
from trainable.dataset.source import Source
from trainable.family.protocol import SpeechPrompt, Utterance
from trainable.probe.criteria.calibration import Calibration, calibrate
from trainable.probe.criteria.criteria_table import Flag
from trainable.probe.criteria.criterion import VoiceMeasures
from trainable.probe.criteria.judge import BaseResult
from trainable.probe.session.listener import Listener
from trainable.probe.session.probe import ProbeScript, ProbeSubject, probe

SETTINGS = ProbeSettings(lines="english", recogniser="none")
SEED = 7


@pytest.fixture(scope="module")
def listener(tmp_path_factory) -> Listener:
    root = tmp_path_factory.mktemp("listener")
    dataset = load_dataset([Source.parse(str(make_voice(root / "voice")))], False, root / "cache")
    model = toy_family.make_toy_model(root / "model")
    plan = plan_encoding(dataset, DataSettings(), seed=1)
    toy_family.prepare(plan, str(model), root / "prepared", root / "cache", lambda done, of: None)
    learner = toy_family.build(str(model), root / "prepared", "auto", None, 1)
    known, _ = calibrate(learner, SETTINGS, learner.ground_truth)
    # The similarity of a murmur depends on its length, which is not tested here.
    known = known.model_copy(update={"similarity_least": -1.0, "base_heard": BaseResult(0.5, 0, 0, 20)})
    return Listener.open(learner, SETTINGS, known, SEED)


class Speakers:
    """Each speaks every line at its expected length, but for those that it never ends."""

    def __init__(self, listener: Listener, **never_ended: Sequence[int]) -> None:
        self._tempo, self._never = listener.calibration.tempo, never_ended
        self.asked: list[tuple[tuple[str, ...], tuple[SpeechPrompt, ...]]] = []

    def speak(self, names: Sequence[str], prompts: Sequence[SpeechPrompt]) -> dict[str, list[Utterance]]:
        self.asked.append((tuple(names), tuple(prompts)))
        return {
            name: [self._say(prompt, prompt.seed - SEED in self._never[name]) for prompt in prompts] for name in names
        }

    def _say(self, prompt: SpeechPrompt, endless: bool) -> Utterance:
        frames = prompt.frame_cap if endless else round(12.5 * self._tempo.expected_seconds(prompt.text))
        return Utterance(murmur(frames / 12.5), frames, prompt.frame_cap, eos=not endless)


def lines(count: int, hard: Sequence[int] = ()) -> tuple[ProbeLine, ...]:
    kinds = [LineKind.HARD if at in hard else LineKind.ORDINARY for at in range(count)]
    return tuple(
        ProbeLine(text=f"the {chr(97 + at)} line of several that are spoken here", kind=kinds[at])
        for at in range(count)
    )


def hear(listener: Listener, folder: Path, script: ProbeScript, ends: dict[str, float] | None = None, **never) -> tuple:
    speakers = Speakers(listener, **never)
    candidates = {
        name: ProbeSubject(folder / name, end_probability=(ends or {}).get(name), strength=0.5) for name in never
    }
    verdicts = probe(speakers.speak, listener, script, candidates)
    return verdicts, speakers.asked


def test_a_subject_that_four_lines_reject_speaks_no_more(listener: Listener, tmp_path: Path) -> None:
    verdicts, asked = hear(listener, tmp_path, ProbeScript(lines(6), SEED), good=(), bad=(0, 2), late=(4,))
    assert [(names, len(prompts)) for names, prompts in asked] == [(("good", "bad", "late"), 4), (("good", "late"), 2)]
    assert {name: (verdict.accepted, len(verdict.lines)) for name, verdict in verdicts.items()} == {
        "good": (True, 6),
        "bad": (False, 4),
        "late": (True, 6),
    }
    assert verdicts["bad"].flags[Flag.NO_EOS] == 2 and verdicts["bad"].planned_lines == 6


def test_line_i_is_sampled_from_its_own_seed_within_its_own_cap(listener: Listener, tmp_path: Path) -> None:
    script = ProbeScript(lines(6), SEED)
    _, asked = hear(listener, tmp_path, script, good=())
    prompts = [prompt for _, group in asked for prompt in group]
    assert [prompt.seed for prompt in prompts] == [SEED + at for at in range(6)]
    assert [prompt.text for prompt in prompts] == [line.text for line in script.lines]
    assert [prompt.frame_cap for prompt in prompts] == [listener.frame_cap(line.text) for line in script.lines]


def test_a_subject_that_rarely_ends_speaks_one_line(listener: Listener, tmp_path: Path) -> None:
    verdicts, asked = hear(listener, tmp_path, ProbeScript(lines(6), SEED), {"bad": 1e-4, "good": 0.4}, good=(), bad=())
    assert [(names, len(prompts)) for names, prompts in asked] == [(("bad",), 1), (("good",), 4), (("good",), 2)]
    assert not verdicts["bad"].accepted and "hardly ever end" in verdicts["bad"].reasons[0]
    assert (verdicts["good"].accepted, verdicts["good"].end_probability) == (True, 0.4)


def test_a_confirmation_stops_early_when_too_many_lines_fail(listener: Listener, tmp_path: Path) -> None:
    script = ProbeScript(lines(26), SEED, confirms=True)
    verdicts, asked = hear(listener, tmp_path, script, good=(0, 1), bad=(0, 5, 19))
    assert [(names, len(prompts)) for names, prompts in asked] == [(("good", "bad"), 20), (("good",), 6)]
    assert [verdicts[name].accepted for name in ("good", "bad")] == [True, False]


def test_a_hard_line_is_spoken_recorded_and_not_counted(listener: Listener, tmp_path: Path) -> None:
    verdicts, _ = hear(listener, tmp_path, ProbeScript(lines(6, hard=(4, 5)), SEED), good=(4, 5))
    verdict: Verdict = verdicts["good"]
    assert verdict.accepted and verdict.failed_lines == 0 and verdict.planned_lines == 4
    assert [line.kind for line in verdict.lines[4:]] == [LineKind.HARD] * 2
    assert all((tmp_path / "good" / line.audio).is_file() for line in verdict.lines)


def test_a_verdict_has_strength_and_fingerprint(listener: Listener, tmp_path: Path) -> None:
    verdicts, _ = hear(listener, tmp_path, ProbeScript(lines(4), SEED), good=())
    assert (verdicts["good"].strength, verdicts["good"].judge) == (0.5, listener.fingerprint)


def test_other_thresholds_have_another_fingerprint(listener: Listener) -> None:
    def fingerprint(calibration: Calibration = listener.calibration, seed: int = SEED, **changes) -> str:
        return Listener.open(listener.voice, SETTINGS.model_copy(update=changes), calibration, seed).fingerprint

    noiseless = VoiceMeasures(values={**listener.calibration.own.values, "flatness_db": ()})
    assert fingerprint() == listener.fingerprint
    assert fingerprint(listener.calibration.model_copy(update={"base_similarity": 0.1})) == listener.fingerprint
    others = {
        fingerprint(seed=SEED + 1),
        fingerprint(language="en"),
        fingerprint(lines="german"),
        fingerprint(listener.calibration.model_copy(update={"similarity_least": 0.5})),
        fingerprint(listener.calibration.model_copy(update={"own": noiseless})),
    }
    assert len(others) == 5 and listener.fingerprint not in others


def test_silence_scores_nothing_and_has_no_parts(listener: Listener) -> None:
    spoken = Utterance(murmur(2.0) * 0, 25, 100, eos=True)
    [line] = listener.judge_lines(lines(1), [spoken], ["probe/line_00.wav"])
    assert Flag.SILENT in line.flags and (line.score, line.parts, line.similarity) == (0.0, None, None)
    [cut] = listener.judge_lines(lines(1), [replace(spoken, wave=murmur(3.0), eos=False)], ["probe/line_00.wav"])
    assert cut.score == 0.0 and cut.similarity is not None
