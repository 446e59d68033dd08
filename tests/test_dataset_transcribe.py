"""Recordings written down by a Whisper, and the review of what it wrote."""

from __future__ import annotations

import csv
import json
import math
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from spaces.errors import InputError
from tests.conftest import ROOT
from tests.tiny_whisper import LANGUAGES, POSITIONS, PROMPT, make_tiny_whisper
from trainable.audio import SAMPLE_RATE, read_audio, resample
from trainable.dataset.__main__ import app
from trainable.dataset.doubts import Usual, doubts, repeated_phrase, usual
from trainable.dataset.review import Line, write_review
from trainable.dataset.transcribe import Transcribed, transcribe_folder
from trainable.dataset.transcript import JOURNAL, Journal, Recording, Transcript
from trainable.dataset.whisper import RATE, check_language, open_whisper

VOICE = ROOT / "demo" / "voice"
SAID = "one two three"


@pytest.fixture(scope="module")
def asr(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_tiny_whisper(tmp_path_factory.mktemp("asr") / "tiny", f" {SAID}"))


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """Six clips of the demo voice, without transcripts."""
    folder = tmp_path / "voice"
    folder.mkdir()
    for number in range(6):
        shutil.copy(VOICE / f"clip_{number:03d}.wav", folder)
    return folder


def metadata(folder: Path) -> list[tuple[str, str]]:
    rows = [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]
    assert all(row.keys() == {"audio_filepath", "text"} for row in rows)
    return [(row["audio_filepath"], row["text"]) for row in rows]


def review(folder: Path) -> list[dict[str, str]]:
    with (folder / "review.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def command(*arguments: object) -> tuple[int, str]:
    answer = CliRunner().invoke(app, ["transcribe", *map(str, arguments)])
    return answer.exit_code, answer.output


# What a Whisper hears.


@pytest.mark.parametrize("multilingual", [True, False])
def test_a_whisper_writes_down_batches_in_order(multilingual: bool, tmp_path: Path) -> None:
    whisper = open_whisper(str(make_tiny_whisper(tmp_path, f" {SAID}", multilingual=multilingual)), None)
    wave = resample(read_audio(VOICE / "ref.wav"), SAMPLE_RATE, RATE)
    heard = whisper.hear([wave] * (whisper.batch + 1))
    assert [each.text for each in heard] == [SAID] * (whisper.batch + 1)
    assert all(each.tokens == len(f" {SAID}") + 1 and not each.cut_off for each in heard)
    assert all((each.language in LANGUAGES) if multilingual else each.language is None for each in heard)


@pytest.mark.parametrize(("language", "code"), [("no", "no"), ("Norwegian", "no"), (" de ", "de"), ("English", "en")])
def test_a_language_is_told_by_code_or_name(language: str, code: str, asr: str) -> None:
    wave = resample(read_audio(VOICE / "ref.wav"), SAMPLE_RATE, RATE)
    assert open_whisper(asr, language).hear([wave])[0].language == code


def test_the_log_probability_is_that_of_the_tokens(asr: str) -> None:
    """Against the model's own logits of prompt and text in one pass."""
    whisper = open_whisper(asr, "en")
    wave = resample(read_audio(VOICE / "clip_001.wav"), SAMPLE_RATE, RATE)
    heard = whisper.hear([wave])[0]
    model, processor = whisper._model, whisper._processor
    features = processor.feature_extractor([wave], sampling_rate=RATE, return_tensors="pt").input_features
    names = ["<|startoftranscript|>", "<|en|>", "<|transcribe|>", "<|notimestamps|>"]
    text = processor.tokenizer(f" {SAID}", add_special_tokens=False).input_ids
    ids = torch.tensor([[*processor.tokenizer.convert_tokens_to_ids(names), *text]])
    with torch.inference_mode():
        sure = model(features, decoder_input_ids=ids).logits.log_softmax(-1)[0, PROMPT - 1 :]
    targets = torch.tensor([*text, model.generation_config.eos_token_id])
    assert heard.log_probability == pytest.approx(sure.gather(1, targets[:, None]).mean().item(), abs=1e-4)


def test_a_whisper_that_never_ends_is_stopped_and_says_so(tmp_path: Path) -> None:
    whisper = open_whisper(str(make_tiny_whisper(tmp_path, " so", ends=False)), "en")
    heard = whisper.hear([np.zeros(RATE, dtype=np.float32)])[0]
    assert heard.cut_off and heard.text.startswith("sooo") and heard.tokens == POSITIONS - PROMPT


def test_a_batch_that_does_not_fit_into_memory_is_heard_in_smaller_ones(
    asr: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whisper = open_whisper(asr, "en")
    room, generate = 2, whisper._model.generate

    def crowded(features: torch.Tensor, **options):
        if len(features) > room:
            raise torch.OutOfMemoryError
        return generate(features, **options)

    monkeypatch.setattr(whisper._model, "generate", crowded)
    waves = [np.zeros(RATE, dtype=np.float32)] * 7
    assert [each.text for each in whisper.hear(waves)] == [SAID] * 7
    room = 0
    with pytest.raises(InputError, match="smaller Whisper"):
        whisper.hear(waves)


def break_weights(folder: Path) -> str:
    make_tiny_whisper(folder)
    (folder / "model.safetensors").write_bytes(b"nothing")
    return str(folder)


def forget_processor(folder: Path) -> str:
    make_tiny_whisper(folder)
    (folder / "preprocessor_config.json").unlink()
    return str(folder)


def other_model(folder: Path) -> str:
    (folder / "config.json").write_text('{"model_type": "qwen3_tts"}')
    return str(folder)


def english_only(folder: Path) -> str:
    return str(make_tiny_whisper(folder, multilingual=False))


WHISPERS = [
    (lambda folder: str(folder), None, "no readable config.json"),
    (other_model, None, "expected model_type whisper, got qwen3_tts"),
    (break_weights, None, "cannot be loaded"),
    (forget_processor, None, "cannot be loaded"),
    (lambda folder: "a/b/c", None, "not a hub id"),
    (lambda folder: "nobody/nothing", None, "hub cannot be reached"),
    (english_only, "no", "knows English only"),
    (lambda folder: str(make_tiny_whisper(folder)), "klingon", "expected one of de, en, no"),
    (lambda folder: str(make_tiny_whisper(folder)), "french", "expected one of de, en, no"),
]


@pytest.mark.parametrize(("prepare", "language", "message"), WHISPERS, ids=[case[2] for case in WHISPERS])
def test_a_whisper_that_cannot_be_used_is_told_in_words(
    prepare, language: str | None, message: str, tmp_path: Path, voice: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    folder = tmp_path / "asr"
    folder.mkdir()
    options = ["--language", language] if language else []
    held = sorted(voice.iterdir())
    code, said = command(voice, "--asr", prepare(folder), *options)
    assert code == 2 and message in said and "Traceback" not in said
    assert sorted(voice.iterdir()) == held


def test_a_language_needs_no_telling() -> None:
    assert check_language("m", None, {}, True) is None
    assert check_language("m.en", "en", {}, False) is None
    with pytest.raises(InputError, match="names no languages"):
        check_language("m", "no", {}, True)


# What a folder gets.


def test_a_folder_gets_the_guides_layout(voice: Path, asr: str) -> None:
    shutil.copy(VOICE / "ref.wav", voice)
    (voice / "wavs").mkdir()
    wave, rate = soundfile.read(VOICE / "clip_010.wav")
    soundfile.write(voice / "wavs" / "ten.flac", np.stack([wave, wave], axis=1), rate)
    told = []
    done = transcribe_folder(voice, asr, "en", on_progress=lambda done, of: told.append((done, of)))
    names = [f"clip_{number:03d}.wav" for number in range(6)]
    assert metadata(voice) == [(name, SAID) for name in [*names, "wavs/ten.flac"]]
    assert (voice / "ref_text.txt").read_text() == f"{SAID}\n"
    assert done == Transcribed(recordings=7, kept=0, added=7, silent=0, doubtful=done.doubtful, reference=True)
    assert told[0] == (0, 8) and told[-1] == (8, 8) and told == sorted(told)
    assert {row["clip"] for row in review(voice)} == {*names, "wavs/ten.flac", "ref.wav"}


def test_silence_gets_no_transcript_and_the_worst_come_first(voice: Path, asr: str) -> None:
    soundfile.write(voice / "silence.wav", np.zeros(2 * RATE), RATE)
    soundfile.write(voice / "blip.wav", np.zeros(100), RATE)
    (voice / "broken.wav").write_bytes(b"RIFF nothing")
    (voice / "phone.m4a").write_bytes(b"nothing")
    # The same three words in ten times the time.
    soundfile.write(
        voice / "slow.wav", np.concatenate([read_audio(VOICE / f"clip_{n:03d}.wav") for n in range(12)]), SAMPLE_RATE
    )
    done = transcribe_folder(voice, asr, "en")
    names = [name for name, _ in metadata(voice)]
    assert names == [*(f"clip_{number:03d}.wav" for number in range(6)), "slow.wav"]
    rows = review(voice)
    why = {row["clip"]: row["why"] for row in rows}
    assert [row["clip"] for row in rows[:4]] == ["blip.wav", "broken.wav", "phone.m4a", "silence.wav"]
    assert why["silence.wav"] == why["blip.wav"] == "nobody speaks in it"
    assert why["broken.wav"].startswith("not readable as audio") and "convert it" in why["phone.m4a"]
    assert "words missing" in why["slow.wav"]
    doubtful = [bool(row["why"]) for row in rows]
    assert doubtful == sorted(doubtful, reverse=True) and sum(doubtful) == done.doubtful
    assert all(float(row["confidence"]) == pytest.approx(0.9, abs=0.1) for row in rows if row["text"])
    assert done.silent == 4


def test_a_long_recording_is_heard_in_pieces(tmp_path: Path, asr: str) -> None:
    folder = tmp_path / "voice"
    folder.mkdir()
    clips = [read_audio(VOICE / f"clip_{number:03d}.wav") for number in range(0, 40)]
    pause = np.zeros(SAMPLE_RATE // 2, np.float32)
    wave = np.concatenate([part for clip in clips for part in (clip, pause)])
    assert 60 < wave.size / SAMPLE_RATE < 120
    soundfile.write(folder / "long.wav", wave, SAMPLE_RATE)
    transcribe_folder(folder, asr, "en")
    pieces = metadata(folder)[0][1].count(SAID)
    assert math.ceil(wave.size / SAMPLE_RATE / 30) <= pieces <= 60
    assert metadata(folder)[0][1] == " ".join([SAID] * pieces)
    assert "longer than 30" in review(folder)[0]["why"]


def test_only_what_has_no_transcript_is_heard(voice: Path, asr: str) -> None:
    corrected = '{"audio_filepath": "clip_002.wav", "text": "seven"}\n\n{"audio_filepath": "gone.wav", "text": "x"}'
    (voice / "metadata.jsonl").write_text(corrected)
    done = transcribe_folder(voice, asr, "en")
    assert (done.kept, done.added) == (1, 5)
    text = (voice / "metadata.jsonl").read_text()
    assert text.startswith(corrected + "\n") and "clip_002.wav" not in text[len(corrected) :]
    assert "clip_002.wav" not in {row["clip"] for row in review(voice)}

    before = (voice / "metadata.jsonl").read_bytes()
    code, said = command(voice, "--asr", "a model that is not needed", "--language", "en")
    assert code == 0 and "nothing to transcribe, 6 of 6" in said
    assert (voice / "metadata.jsonl").read_bytes() == before

    done = transcribe_folder(voice, asr, "en", force=True)
    assert (done.kept, done.added) == (0, 6)
    assert metadata(voice) == [(f"clip_{number:03d}.wav", SAID) for number in range(6)]


def test_a_corrected_transcript_is_no_longer_doubted(voice: Path, asr: str) -> None:
    transcribe_folder(voice, asr, "en")
    rows = metadata(voice)
    assert len(review(voice)) == 6
    rows[3] = (rows[3][0], "eight")
    lines = [json.dumps({"audio_filepath": name, "text": text}) for name, text in rows]
    (voice / "metadata.jsonl").write_text("\n".join(lines) + "\n")
    transcribe_folder(voice, asr, "en")
    assert metadata(voice) == rows
    assert rows[3][0] not in {row["clip"] for row in review(voice)} and len(review(voice)) == 5


def test_a_changed_recording_is_heard_again_and_others_are_not(voice: Path, asr: str, tmp_path: Path) -> None:
    transcribe_folder(voice, asr, "en")
    other = str(make_tiny_whisper(tmp_path / "other", " four"))
    shutil.copy(VOICE / "clip_009.wav", voice / "clip_001.wav")
    heard = len((voice / JOURNAL).read_bytes().splitlines())
    transcribe_folder(voice, asr, "en", force=True)
    assert len((voice / JOURNAL).read_bytes().splitlines()) == heard + 1
    transcribe_folder(voice, other, "en", force=True)
    assert {text for _, text in metadata(voice)} == {"four"}


def test_what_was_heard_before_a_kill_is_not_heard_again(voice: Path, asr: str) -> None:
    for number in range(6, 12):
        shutil.copy(VOICE / f"clip_{number:03d}.wav", voice)
    code = f"""
import os, signal
from pathlib import Path
from trainable.dataset.transcribe import transcribe_folder
def kill(done, of):
    if done >= 8:
        os.kill(os.getpid(), signal.SIGKILL)
transcribe_folder(Path({str(voice)!r}), {asr!r}, "en", on_progress=kill)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == -signal.SIGKILL
    assert not (voice / "metadata.jsonl").exists()
    with (voice / JOURNAL).open("ab") as file:
        file.write(b'{"recording": {"name": "clip_0')
    told = []
    transcribe_folder(voice, asr, "en", on_progress=lambda done, of: told.append((done, of)))
    assert told[0] == (8, 12) and told[-1] == (12, 12)
    assert metadata(voice) == [(f"clip_{number:03d}.wav", SAID) for number in range(12)]
    assert len(Journal(voice, asr, "en").read()) == 12


def no_folder(folder: Path) -> Path:
    return folder / "none"


def no_recordings(folder: Path) -> Path:
    (folder / "notes.txt").write_text("mine")
    return folder


def parted(folder: Path) -> Path:
    (folder / "train").mkdir()
    return folder


def wordless(folder: Path) -> Path:
    soundfile.write(folder / "a.wav", np.zeros(RATE), RATE)
    return folder


def other_encoding(folder: Path) -> Path:
    shutil.copy(VOICE / "clip_000.wav", folder)
    (folder / "metadata.jsonl").write_bytes('{"audio_filepath": "a.wav", "text": "blåbær"}'.encode("latin-1"))
    return folder


FOLDERS = [
    (no_folder, "no such folder"),
    (no_recordings, "holds no recordings; expected .wav"),
    (parted, "transcribe train one by one"),
    (wordless, "no word was understood in any of 1"),
    (other_encoding, "UTF-8"),
]


@pytest.mark.parametrize(("prepare", "message"), FOLDERS, ids=[message for _, message in FOLDERS])
def test_a_folder_that_cannot_be_used_is_told_in_words(prepare, message: str, tmp_path: Path, asr: str) -> None:
    (tmp_path / "voice").mkdir()
    code, said = command(prepare(tmp_path / "voice"), "--asr", asr)
    assert code == 2 and message in said and "Traceback" not in said


def test_the_command_says_what_to_do_next(voice: Path, asr: str) -> None:
    shutil.copy(VOICE / "ref.wav", voice)
    soundfile.write(voice / "silence.wav", np.zeros(RATE), RATE)
    code, said = command(voice, "--asr", asr, "--language", "norwegian")
    assert code == 0
    assert "6 of 7 recordings transcribed" in said and "without a word: 1" in said
    assert "review.html" in said and f"python -m trainable.dataset check {voice}" in said and "ref_text.txt" in said


# What is doubted, and how it is shown.


def transcript(text: str = "A whole sentence, well said.", **changed) -> Transcript:
    fields = {
        "recording": Recording(name="a.wav", size=1, modified_ns=1),
        "asr": "tiny",
        "language": None,
        "seconds": 2.0,
        "speech_seconds": 1.7,
        "confidence": 0.9,
    }
    return Transcript.model_validate({**fields, "text": text, **changed})


AMONG = Usual(characters_per_second=13.0, language="no", punctuated=True)
DOUBTS = [
    (transcript(), ""),
    (transcript(heard_language="no"), ""),
    (transcript("seven seven two", speech_seconds=1.0), ""),
    (transcript("Oh!", speech_seconds=0.3), ""),
    (transcript(confidence=0.61), ""),
    (transcript(confidence=0.60), "low confidence (0.60)"),
    (transcript("", problem="not readable as audio"), "not readable as audio"),
    (transcript("", speech_seconds=0.0, confidence=None), "nobody speaks"),
    (transcript(""), "no word was understood"),
    (transcript(" … "), "no word was understood"),
    (transcript("Thank you.", speech_seconds=0.7), "makes up"),
    (transcript("Undertekster av Ai-Media", speech_seconds=1.7), "credits"),
    (transcript("ご視聴ありがとうございました", speech_seconds=1.2), "makes up"),
    (transcript("I know. I know. I know. I know.", speech_seconds=1.3), 'repeats "i know"'),
    (transcript("A whole sentence, well said.", speech_seconds=0.8), "words too many"),
    (transcript("A whole sentence, well said.", speech_seconds=4.0), "words missing"),
    (transcript(heard_language="da"), "taken for da, most clips for no"),
    (transcript(cut_off=True), "stopped in the middle"),
    (transcript(seconds=31.0), "longer than 30"),
    (transcript("A whole sentence, and then", seconds=29.9), "mid-sentence at 30 s"),
    (transcript("A whole sentence, and then", seconds=20.0), ""),
    (transcript('"A whole sentence," he said.”', seconds=29.9), ""),
]


@pytest.mark.parametrize(("heard", "expected"), DOUBTS)
def test_a_transcript_is_doubted_for_a_reason(heard: Transcript, expected: str) -> None:
    found = doubts(heard, AMONG)
    assert len(found) == bool(expected)
    assert expected in "".join(found)


def test_in_a_folder_without_full_stops_none_is_missed() -> None:
    heard = transcript("a whole sentence and then", seconds=29.9)
    assert doubts(heard, Usual(13.0, None, punctuated=False)) == []


def test_text_that_compresses_like_a_loop_is_doubted() -> None:
    text = " ".join(f"and then again we go to see the {word}" for word in ("sea", "bee", "fee", "pea", "tea") * 2)
    assert doubts(transcript(text, speech_seconds=20.0), AMONG) == ["repeats itself"]


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("seven seven two", None),
        ("Seven, seven, seven!", "seven"),
        ("go on, go on and on", None),
        ("ha ha ha", None),
        ("ありがとうありがとうありがとう", "ありがとう"),
        ("x" * 400, "xxxx"),
        ("", None),
    ],
)
def test_a_phrase_said_three_times_is_found(text: str, phrase: str | None) -> None:
    assert repeated_phrase(text) == phrase


def test_what_is_usual_is_a_median_and_a_majority() -> None:
    some = [transcript(heard_language=code) for code in ("no", "no", "da")]
    assert usual([]) == Usual(None, None, False)
    assert usual(some) == Usual(None, "no", True)
    quick = transcript(speech_seconds=0.5, heard_language="no")
    assert usual([*some, quick, transcript("", speech_seconds=0.0), transcript("no stop")]) == Usual(
        characters_per_second=transcript().characters_per_second, language="no", punctuated=True
    )


def test_a_page_shows_text_as_text_and_finds_its_recordings(tmp_path: Path) -> None:
    name = 'a "b" & #1.wav'
    odd = transcript("<script>alert(1)</script>", recording=Recording(name=name, size=1, modified_ns=1))
    write_review(tmp_path, [Line(transcript(), ()), Line(odd, ("low <confidence>",))])
    page = (tmp_path / "review.html").read_text()
    assert "<script>" not in page and "&lt;script&gt;" in page and "low &lt;confidence&gt;" in page
    assert 'src="a%20%22b%22%20%26%20%231.wav"' in page and 'src="a.wav"' in page
    assert "http" not in page and page.index("alert") < page.index("well said")
    assert "1 of 2 transcripts are doubtful" in page


def test_a_journal_knows_who_heard_what(tmp_path: Path) -> None:
    journal = Journal(tmp_path, "tiny", None)
    assert journal.read() == {}
    first = transcript()
    journal.add([first])
    (tmp_path / JOURNAL).write_bytes((tmp_path / JOURNAL).read_bytes() + b'{"asr": "ti')
    second = first.model_copy(update={"text": "again"})
    Journal(tmp_path, "tiny", None).add([second, first.model_copy(update={"asr": "large"})])
    assert journal.read() == {first.recording: second}
    assert Journal(tmp_path, "tiny", "no").read() == {}
