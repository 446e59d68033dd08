"""Offline English speech, as CMU Pocketsphinx understands it with the model inside its package."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from spaces.errors import InputError
from trainable.audio import SAMPLE_RATE, resample
from trainable.probe.words import words


class PocketSphinx:
    """Offline English: any sequence of a closed vocabulary.

    The grammar is a loop over all the words of the lines and the dataset together, so it does not know which line it
    hears; a small vocabulary such as digits is what it is good for.
    """

    RATE = 16_000
    WORD_INSERTION = 1e-3
    """Penalty per word. Without it a loop of short words hears extra ones: 30 % errors on clean digits against 7 %."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        from pocketsphinx import Decoder, get_model_path

        dictionary = Path(get_model_path("en-us/cmudict-en-us.dict"))
        unknown = self._without_pronunciation(dictionary, vocabulary)
        if unknown:
            raise InputError(
                f"pocketsphinx has no pronunciation for {', '.join(unknown[:8])}; write such words differently, or set "
                'probe.recogniser = "none"'
            )
        with TemporaryDirectory() as folder:
            grammar = Path(folder) / "loop.gram"
            grammar.write_text(f"#JSGF V1.0;\ngrammar loop;\npublic <line> = ( {' | '.join(vocabulary)} )+ ;\n")
            self._decoder = Decoder(
                hmm=get_model_path("en-us/en-us"),
                dict=str(dictionary),
                jsgf=str(grammar),
                samprate=self.RATE,
                wip=self.WORD_INSERTION,
                cmn="batch",
                loglevel="FATAL",
            )

    def hear(self, wave: np.ndarray) -> str:
        """See `Recogniser.hear`. A quarter second of faint noise either side gives the decoder its silence model."""
        peak = float(np.abs(wave).max()) if wave.size else 0.0
        if peak < 1e-4:
            return ""
        speech = resample(wave.astype(np.float32) * (0.6 / peak), SAMPLE_RATE, self.RATE)
        margin = np.zeros(self.RATE // 4, dtype=np.float32)
        padded = np.concatenate([margin, speech, margin])
        padded += np.random.default_rng(0).normal(0, 1e-4, padded.size).astype(np.float32)
        self._decoder.start_utt()
        self._decoder.process_raw((np.clip(padded, -1, 1) * 32767).astype("<i2").tobytes(), full_utt=True)
        self._decoder.end_utt()
        heard = self._decoder.hyp()
        return words(heard.hypstr) if heard else ""

    @staticmethod
    def _without_pronunciation(dictionary: Path, vocabulary: Sequence[str]) -> list[str]:
        with dictionary.open(encoding="utf-8") as file:
            known = {line.split(maxsplit=1)[0] for line in file if line.strip()}
        return [word for word in vocabulary if word not in known]
