"""Recogniser for offline English: CMU Pocketsphinx with the acoustic model inside its package."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from spaces.errors import InputError
from trainable.speech.asr.bigram_model import arpa
from trainable.speech.audio import SAMPLE_RATE, resample
from trainable.speech.text.error_rate import normalise
from trainable.speech.text.number_words import ENGLISH
from trainable.speech.text.numbers import readings

DISTRACTORS = Path(__file__).parent / "distractors"
"""Sentences that the language model knows besides the texts: a model of one text alone would recognise that text in
anything. Digits get digits alone as distractors, in which any follows any. Beside English sentences, espeak-ng voices
that the demo does not know had 13 % character error on digits, and 1 % without; reversed and shuffled digits have over
85 % either way."""
MAX_UNPRONOUNCED = 0.2
"""Largest share of the running words without a pronunciation: below 1 % in English lines, above 50 % in German and
Norwegian ones."""
VOICELESS, SIBILANTS = frozenset({"P", "T", "K", "F", "TH"}), frozenset({"S", "Z", "SH", "ZH", "CH", "JH"})


class PocketSphinx:
    """Recognises any sequence of the words of the texts and of the distractors.

    Half of its language model's weight is on the bigrams of those sentences, which separates hundreds of words. It does
    not know which sentence is spoken.
    """

    RATE = 16_000

    def __init__(self, sentences: Sequence[str]) -> None:
        """Raises InputError for texts without a word, and when more than a fifth of the words have no pronunciation.

        Up to a fifth are never recognised, which lowers the transcripts of the voice's own clips as well.
        """
        from pocketsphinx import Decoder, get_model_path

        known = _pronunciations()
        spoken = [normalise(each).split() for sentence in sentences for each in readings(sentence, ENGLISH)]
        running = [word for sentence in spoken for word in sentence]
        _check_pronounced(running, known)
        spoken += distractors(set(running))
        # Without an unpronounceable word its neighbours are adjacent, as they will be in the transcript.
        spoken = [[word for word in sentence if pronunciations(word, known)] for sentence in spoken]
        with TemporaryDirectory() as folder:
            model, dictionary = Path(folder) / "sentences.arpa", Path(folder) / "words.dict"
            model.write_text(arpa(spoken), encoding="utf-8")
            # Only the words in use: with the whole dictionary a decoder takes seconds to open.
            dictionary.write_text(_dictionary(sorted({word for each in spoken for word in each}), known), "utf-8")
            self._decoder = Decoder(
                hmm=get_model_path("en-us/en-us"),
                dict=str(dictionary),
                lm=str(model),
                samprate=self.RATE,
                cmn="batch",
                loglevel="FATAL",
            )

    def transcribe(self, waves: Sequence[np.ndarray]) -> list[str]:
        """See `Recogniser.transcribe`."""
        return self.decode([samples_of(wave) for wave in waves])

    def decode(self, recordings: Sequence[bytes]) -> list[str]:
        """Transcribes results of `samples_of`. Needs no torch."""
        return [self._decode_one(samples) if samples else "" for samples in recordings]

    def _decode_one(self, samples: bytes) -> str:
        self._decoder.start_utt()
        self._decoder.process_raw(samples, full_utt=True)
        self._decoder.end_utt()
        hypothesis = self._decoder.hyp()
        return normalise(hypothesis.hypstr) if hypothesis else ""


def samples_of(wave: np.ndarray) -> bytes:
    """[samples] float32 at 24 kHz → 16-bit samples at 16 kHz, as the decoder takes them; empty for silence.

    A quarter second of faint noise on either side gives the decoder its silence model.
    """
    peak = float(np.abs(wave).max()) if wave.size else 0.0
    if not 1e-4 <= peak < float("inf"):
        return b""
    speech = resample(wave.astype(np.float32) * (0.6 / peak), SAMPLE_RATE, PocketSphinx.RATE)
    margin = np.zeros(PocketSphinx.RATE // 4, dtype=np.float32)
    padded = np.concatenate([margin, speech, margin])
    padded += np.random.default_rng(0).normal(0, 1e-4, padded.size).astype(np.float32)
    return (np.clip(padded, -1, 1) * 32767).astype("<i2").tobytes()


def pronunciations(word: str, known: Mapping[str, Sequence[str]]) -> list[str]:
    """The pronunciations of a normalised word, each as phones with spaces between; empty for an unknown word.

    A possessive is pronounced as its word with the ending of a plural: S, Z or IH Z by the last phone.
    """
    if word in known:
        return list(known[word])
    if not word.endswith("'s"):
        return []
    return [f"{phones} {_plural_ending(phones.split()[-1])}" for phones in known.get(word.removesuffix("'s"), ())]


def _plural_ending(phone: str) -> str:
    if phone in SIBILANTS:
        return "IH Z"
    return "S" if phone in VOICELESS else "Z"


@lru_cache(maxsize=1)
def _pronunciations() -> dict[str, list[str]]:
    """The dictionary inside the package, which marks a word's further pronunciations by a number, as `read(2)`."""
    from pocketsphinx import get_model_path

    known: dict[str, list[str]] = {}
    for line in Path(get_model_path("en-us/cmudict-en-us.dict")).read_text(encoding="utf-8").splitlines():
        word, _, phones = line.partition(" ")
        known.setdefault(word.partition("(")[0], []).append(phones.strip())
    return known


def distractors(vocabulary: Collection[str]) -> list[list[str]]:
    """The words of each distractor sentence for texts with this vocabulary."""
    for name in ("digits", "english"):
        lines = (DISTRACTORS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        sentences = [normalise(line).split() for line in lines]
        if set(vocabulary) <= {word for sentence in sentences for word in sentence}:
            break
    return sentences


def _check_pronounced(running: Sequence[str], known: Mapping[str, Sequence[str]]) -> None:
    unknown = [word for word in running if not pronunciations(word, known)]
    if running and len(unknown) <= MAX_UNPRONOUNCED * len(running):
        return
    names = ", ".join(list(dict.fromkeys(unknown))[:8])
    raise InputError(
        f"pocketsphinx has no pronunciation for {len(unknown)} of {len(running)} words ({names or 'none were given'}); "
        "it knows English only: name a Whisper or CTC checkpoint as the recogniser, or none"
    )


def _dictionary(vocabulary: Iterable[str], known: Mapping[str, Sequence[str]]) -> str:
    lines = []
    for word in vocabulary:
        for number, phones in enumerate(pronunciations(word, known), start=1):
            lines.append(f"{word} {phones}" if number == 1 else f"{word}({number}) {phones}")
    return "\n".join([*lines, ""])
