"""What a person listens to before a recogniser's transcripts are trained on, the worst first."""

from __future__ import annotations

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
    doubts: tuple[str, ...]

    @property
    def place(self) -> tuple[bool, float, str]:
        """Doubtful ones come first, among them those without a text; then the less confident."""
        heard = self.transcript
        sure = -1.0 if heard.confidence is None or not heard.text else heard.confidence
        return not self.doubts, sure, heard.recording.name

    @property
    def address(self) -> str:
        """The recording, as a page beside it names it."""
        return quote(self.transcript.recording.name, errors="surrogateescape")


def write_review(folder: Path, lines: Sequence[ReviewLine]) -> None:
    """Writes review.csv and review.html beside the recordings."""
    ordered = sorted(lines, key=lambda line: line.place)
    write_text(folder / TABLE, _table(ordered))
    write_text(folder / PAGE, _page(ordered))


def _table(lines: Sequence[ReviewLine]) -> str:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for line in lines:
        heard = line.transcript
        sure = "" if heard.confidence is None else f"{heard.confidence:.3f}"
        tempo = f"{heard.characters_per_second:.1f}" if heard.text else ""
        rows.writerow((heard.recording.name, f"{heard.seconds:.2f}", heard.text, sure, tempo, "; ".join(line.doubts)))
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
    return environment.get_template(PAGE).render(lines=lines, doubtful=sum(bool(line.doubts) for line in lines))
