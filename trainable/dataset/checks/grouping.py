"""Makes findings: one for all clips with the same fault, or one about the whole dataset."""

from collections.abc import Sequence
from dataclasses import dataclass

from trainable.dataset.clip import Clip, VoiceDataset
from trainable.dataset.finding import Finding, Severity
from trainable.dataset.formatting import excerpt, first_few, printable


@dataclass(frozen=True)
class Hit:
    """A clip with a fault, and the figure or text found there if it differs between clips."""

    clip: Clip
    detail: str = ""

    def __str__(self) -> str:
        name = printable(self.clip.audio.name)
        return f"{name} ({excerpt(self.detail)})" if self.detail else name


@dataclass(frozen=True)
class Wording:
    """How a fault of clips is told."""

    one: str
    """Follows a clip's name: "is clipped"."""
    many: str
    """Follows "7 clips": "are clipped"."""
    advice: str


def grouped(
    dataset: VoiceDataset, check: str, severity: Severity, hits: Sequence[Hit], wording: Wording
) -> list[Finding]:
    """One finding for all hits; at the clip's own line where there is one hit. Empty without hits."""
    if not hits:
        return []
    if len(hits) == 1:
        where, fault = hits[0].clip.where, f"{hits[0]} {wording.one}"
    else:
        where = dataset_name(dataset)
        fault = f"{len(hits)} clips {wording.many}: {first_few([str(hit) for hit in hits])}"
    paths = tuple(printable(hit.clip.audio) for hit in hits)
    return [Finding(severity=severity, check=check, where=where, message=f"{fault}; {wording.advice}", clips=paths)]


def about_dataset(
    dataset: VoiceDataset, check: str, severity: Severity, message: str, groups: Sequence[Sequence[Clip]] = ()
) -> Finding:
    """A finding about the whole dataset; `groups` are the clips it names."""
    paths = tuple(printable(clip.audio) for group in groups for clip in group)
    return Finding(severity=severity, check=check, where=dataset_name(dataset), message=message, clips=paths)


def line_of(clip: Clip) -> str:
    """The line that names a clip, without its folder: `metadata.jsonl:4`."""
    return clip.where.replace("\\", "/").rpartition("/")[2]


def dataset_name(dataset: VoiceDataset) -> str:
    """The dataset's sources, as the place of a finding."""
    return printable(", ".join(dataset.names))


def clips_by_speaker(dataset: VoiceDataset) -> dict[tuple[int, str], list[Clip]]:
    """By source and name, as `Speaker` has them."""
    clips: dict[tuple[int, str], list[Clip]] = {(speaker.source, speaker.name): [] for speaker in dataset.speakers}
    for clip in dataset.clips:
        clips[clip.source, clip.speaker].append(clip)
    return clips
