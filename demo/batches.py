"""Right-padded pre-training batches in the published prompt layout: the whole text first, then the frames."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from qwen_tts.core.models.configuration_qwen3_tts import Qwen3TTSConfig
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from demo.encode import Corpus

ROLE, PREFIX = 3, 5
IGNORE = -100
JOINED_SHARE = 0.15
"""Share of batches whose rows join two utterances."""
BUCKET_BATCHES = 8
"""Batches whose utterances are sorted by length together."""
SHORTEST_REFERENCE = 64
"""Mel frames."""


@dataclass(frozen=True)
class PretrainingBatch:
    """text, codec: [batch, positions] int64 ids, -1 where nothing is added; frames: [batch, positions, 16] int64;
    is_frame: [batch, positions] bool; labels: [batch, positions] int64, the id at the NEXT position, with the end of
    speech, -100 elsewhere; references: [batch, mel frames, 128] float32 of other clips of the speaker.
    """

    text: Tensor
    codec: Tensor
    frames: Tensor
    is_frame: Tensor
    labels: Tensor
    references: Tensor


def collate(
    config: Qwen3TTSConfig, text_ids: list[Tensor], codes: list[Tensor], references: Tensor, role: Tensor
) -> PretrainingBatch:
    """text_ids: one [tokens] int64 per row; codes: one [frames, 16] int64 per row; references: [batch, mel frames, 128]
    float32; role: [3] int64, the ids that open every prompt.
    """
    talker = config.talker_config
    starts = [ROLE + PREFIX + len(ids) + 2 for ids in text_ids]
    positions = max(start + len(item) for start, item in zip(starts, codes, strict=True))
    text = torch.full((len(codes), positions), -1)
    codec = torch.full((len(codes), positions), -1)
    frames = torch.zeros(len(codes), positions, 16, dtype=torch.long)
    labels = torch.full((len(codes), positions), IGNORE)
    no_think = torch.tensor([talker.codec_nothink_id, talker.codec_think_bos_id, talker.codec_think_eos_id])
    for row, (ids, item, start) in enumerate(zip(text_ids, codes, starts, strict=True)):
        end = start + len(item)
        text[row, :ROLE] = role
        text[row, ROLE : ROLE + PREFIX - 1] = config.tts_pad_token_id
        text[row, ROLE + PREFIX - 1] = config.tts_bos_token_id
        text[row, ROLE + PREFIX : start - 2] = ids
        text[row, start - 2] = config.tts_eos_token_id
        text[row, start - 1 : end] = config.tts_pad_token_id
        codec[row, ROLE : ROLE + 3] = no_think
        codec[row, ROLE + PREFIX - 1 : start - 1] = talker.codec_pad_id
        codec[row, start - 1] = talker.codec_bos_id
        codec[row, start:end] = item[:, 0]
        frames[row, start:end] = item
        labels[row, start - 1 : end - 1] = item[:, 0]
        labels[row, end - 1] = talker.codec_eos_token_id
    starts_ = torch.tensor(starts)[:, None]
    lengths = torch.tensor([len(item) for item in codes])[:, None]
    position = torch.arange(positions)[None]
    is_frame = (position >= starts_) & (position < starts_ + lengths)
    return PretrainingBatch(text, codec, frames, is_frame, labels, references)


class BatchMaker:
    """Endless batches of utterances of similar length, every utterance once per epoch.

    Some batches join two utterances of one voice per row, as voice cloning with a transcript (ICL) does.
    """

    def __init__(self, config: Qwen3TTSConfig, tokenizer: PreTrainedTokenizerBase, corpus: Corpus, size: int):
        self.config = config
        self.corpus = corpus
        self.size = size
        self.role = torch.tensor(tokenizer("<|im_start|>assistant\n")["input_ids"])
        self.text_ids = [torch.tensor(tokenizer(text)["input_ids"]) for text in corpus.texts]
        self.of_voice = [
            torch.nonzero(corpus.voices == voice)[:, 0].tolist() for voice in range(len(corpus.references))
        ]

    def epoch(self, rng: random.Random) -> Iterator[PretrainingBatch]:
        """One pass over the corpus in random order. Utterances of similar length share a batch, to save padding."""
        order = list(range(len(self.text_ids)))
        rng.shuffle(order)
        bucket = self.size * BUCKET_BATCHES
        batches = []
        for start in range(0, len(order) - bucket + 1, bucket):
            similar = sorted(order[start : start + bucket], key=lambda index: len(self.text_ids[index]))
            batches += [similar[at : at + self.size] for at in range(0, bucket, self.size)]
        rng.shuffle(batches)
        for indices in batches:
            yield self.batch(indices, rng)

    def batch(self, indices: list[int], rng: random.Random) -> PretrainingBatch:
        """The batch of these utterances, each with a random reference of its voice."""
        length = rng.randint(SHORTEST_REFERENCE, self.corpus.references.shape[2])
        offset = rng.randint(0, self.corpus.references.shape[2] - length)
        joined = rng.random() < JOINED_SHARE
        text_ids, codes, references = [], [], []
        for index in indices:
            voice = int(self.corpus.voices[index])
            members = [rng.choice(self.of_voice[voice]), index] if joined else [index]
            text_ids.append(torch.cat([self.text_ids[member] for member in members]))
            codes.append(torch.cat([self.corpus.utterance(member) for member in members]))
            clip = rng.randrange(self.corpus.references.shape[1])
            references.append(self.corpus.references[voice, clip, offset : offset + length])
        return collate(self.config, text_ids, codes, torch.stack(references), self.role)
