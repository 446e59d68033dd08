"""Writes the review of a recogniser's transcripts, the most doubtful first, as a table and an HTML page."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from trainable.dataset.transcribe.transcript import Transcript
from trainable.files.atomic import write_text

TABLE, PAGE = "review.csv", "review.html"
COLUMNS = ("clip", "seconds", "text", "confidence", "characters_per_second", "why")


@dataclass(frozen=True)
class ReviewLine:
    """A transcript, and every reason to doubt it."""

    transcript: Transcript
    suspicions: tuple[str, ...]

    @property
    def priority(self) -> tuple[bool, float, str]:
        """Sort key: doubtful transcripts first, empty ones before others, then by rising confidence."""
        transcript = self.transcript
        confidence = transcript.confidence if transcript.confidence is not None and transcript.text else -1.0
        return not self.suspicions, confidence, transcript.recording.name

    @property
    def url(self) -> str:
        """The recording's URL, relative to the page."""
        return quote(self.transcript.recording.name, errors="surrogateescape")


def write_review(folder: Path, lines: Sequence[ReviewLine]) -> None:
    """Writes review.csv and review.html beside the recordings."""
    ordered = sorted(lines, key=lambda line: line.priority)
    write_text(folder / TABLE, _table(ordered))
    write_text(folder / PAGE, _page(ordered))


def _table(lines: Sequence[ReviewLine]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for line in lines:
        transcript = line.transcript
        confidence = "" if transcript.confidence is None else f"{transcript.confidence:.3f}"
        tempo = f"{transcript.characters_per_second:.1f}" if transcript.text else ""
        why = "; ".join(line.suspicions)
        rows.writerow((transcript.recording.name, f"{transcript.seconds:.2f}", transcript.text, confidence, tempo, why))
    return text.getvalue()


def _page(lines: Sequence[ReviewLine]) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(PAGE).render(lines=lines, doubtful=sum(bool(line.suspicions) for line in lines))
