"""Writes the report of a check as one self-contained HTML file."""

import io
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spaces.errors import InputError
from trainable.dataset.checks.all import SEVERITIES
from trainable.dataset.checks.grouping import clips_by_speaker, dataset_name
from trainable.dataset.checks.report import DatasetReport, counted, limited
from trainable.dataset.clip import Clip, VoiceDataset
from trainable.dataset.formatting import printable, quote
from trainable.dataset.reference import describe_reference, rank_references
from trainable.files.atomic import write_text

BINS = 28
MAX_ROWS = 300
"""Clips in the table."""
PROPOSALS = 3
"""References proposed for each speaker."""
INK, ACCENT, MARK = "#010101", "#020202", "#030303"
"""Placeholder colours in a chart. The page's own replace them, so that charts follow its light or dark theme."""
PAGE_COLOURS = {INK: "currentColor", ACCENT: "var(--accent)", MARK: "var(--mark)"}


@dataclass(frozen=True)
class Chart:
    """A histogram over the clips."""

    title: str
    unit: str
    values: tuple[float, ...]
    reference: float | None
    """The value of the reference; None in a dataset of several speakers."""


def write_page(path: Path, report: DatasetReport, dataset: VoiceDataset | None) -> None:
    """Writes the page atomically. Raises InputError when it cannot be written."""
    text = page(report, dataset)
    try:
        write_text(path, text)
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); name a file in a folder of your own") from None


def page(report: DatasetReport, dataset: VoiceDataset | None) -> str:
    """The HTML as text."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    severities = []
    for severity in SEVERITIES:
        found = [finding for finding in report.findings if finding.severity is severity]
        shown, more = limited(found)
        if found:
            severities.append((severity, counted(len(found), severity), shown, more))
    rows = _rows(report, dataset) if dataset else []
    return environment.get_template("page.html").render(
        summary=report.dataset,
        everywhere=dataset_name(dataset) if dataset else None,
        severities=severities,
        charts=[(chart, Markup(_draw(chart))) for chart in (_charts(dataset) if dataset else [])],
        proposals=_proposals(dataset) if dataset else [],
        rows=rows[:MAX_ROWS],
        more_rows=max(0, len(rows) - MAX_ROWS),
    )


def _charts(dataset: VoiceDataset) -> list[Chart]:
    reference = dataset.speakers[0].reference if len(dataset.speakers) == 1 else None

    def chart(title: str, unit: str, value: Callable[[Clip], float]) -> Chart:
        return Chart(title, unit, tuple(map(value, dataset.clips)), value(reference) if reference else None)

    return [
        chart("Length", "seconds", lambda clip: clip.seconds),
        chart("Loudness", "dBFS", lambda clip: clip.measures.rms_dbfs),
        chart("Tempo", "characters per second", lambda clip: clip.characters_per_second),
        chart("Transcripts", "characters", lambda clip: float(len(clip.text))),
    ]


def _draw(chart: Chart) -> str:
    """The chart as an SVG element without size, in the page's colours and fonts."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 2.2), facecolor="none", layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot(facecolor="none")
    counts, edges = np.histogram(chart.values, bins=BINS)
    axes.bar(edges[:-1], counts, width=np.diff(edges) * 0.9, align="edge", color=ACCENT, linewidth=0)
    if chart.reference is not None:
        axes.axvline(chart.reference, color=MARK, linestyle=(0, (4, 3)), linewidth=1.4)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(INK)
    axes.spines["bottom"].set_alpha(0.4)
    axes.locator_params(axis="y", integer=True, nbins=4)
    axes.tick_params(length=0, colors=INK, labelsize=9)
    axes.set_xlabel(chart.unit, color=INK, fontsize=9)
    buffer = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": chart.title}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    for colour, page_colour in PAGE_COLOURS.items():
        svg = svg.replace(colour, page_colour)
    box = re.search(r'viewBox="[^"]*"', svg)
    content = svg[svg.index("<defs>") :]
    assert box is not None
    return f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" {box.group()} aria-hidden="true">{content}'


def _proposals(dataset: VoiceDataset) -> list[tuple[str, str, list[str]]]:
    """Per speaker: name, reference, and a sentence on each of the clips that would be the best references."""
    by_speaker = clips_by_speaker(dataset)
    proposals = []
    for speaker in dataset.speakers:
        clips = by_speaker[speaker.source, speaker.name]
        reference = (
            f"{speaker.reference.audio}, {speaker.reference.seconds:.1f} s: {quote(speaker.reference.text, 200)}"
        )
        best = [describe_reference(clip, clips) for clip in rank_references(clips)[:PROPOSALS]]
        proposals.append((printable(speaker.name), printable(reference), best))
    return proposals


def _rows(report: DatasetReport, dataset: VoiceDataset) -> list[tuple[Clip, str, float, Sequence[tuple[str, str]]]]:
    """Every clip that a finding names: with its file name, its tempo, and the checks with their severities."""
    checks: dict[str, dict[str, str]] = defaultdict(dict)
    for finding in report.findings:
        for path in finding.clips:
            checks[path].setdefault(finding.check, finding.severity)
    clips = {printable(clip.audio): clip for clip in dataset.clips}
    return [
        (clip, printable(clip.audio.name), clip.characters_per_second, list(checks[path].items()))
        for path, clip in clips.items()
        if path in checks
    ]
