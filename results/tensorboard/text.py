"""Text in TensorBoard: outcomes and verdicts as Markdown, with spoken texts escaped."""

import html
import re

from spaces.records.confirmation import Confirmation
from spaces.records.trial import Outcome
from spaces.records.verdict import Verdict

_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|~>-])")


def escape_markdown(text: str) -> str:
    """Escapes a text, so that Markdown shows it literally and on one line."""
    return _MARKS.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def outcome_in_words(outcome: Outcome) -> str:
    ending = f"**{outcome.ending}**: " if outcome.ending else ""
    parts = [f"{ending}{escape_markdown(outcome.reason)}"]
    if outcome.base_losses:
        losses = outcome.base_losses
        parts.append(escape_markdown(f"losses on {losses.clips} clips before training: {losses}"))
    if outcome.verdict:
        parts += verdict_in_words(outcome.verdict)
    if outcome.other_verdict:
        parts += ["At the earlier checkpoint:", *verdict_in_words(outcome.other_verdict)]
    return "\n\n".join(parts)


def verdict_in_words(verdict: Verdict) -> list[str]:
    """Paragraphs of a verdict; the last one lists the lines."""
    judged = f"**{'accepted' if verdict.accepted else 'rejected'}**, score {verdict.score:.3f}"
    if verdict.strength != 1:
        judged += f" at strength {verdict.strength:g}"
    lines = [
        f"- “{escape_markdown(line.text)}”: {', '.join(map(escape_markdown, line.flags)) or 'no flags'}"
        + (f"; heard “{escape_markdown(line.heard)}”" if line.heard is not None else "")
        for line in verdict.lines
    ]
    return [judged, *map(escape_markdown, (*verdict.reasons, *verdict.notes)), "\n".join(lines)]


def confirmation_in_words(final: Confirmation) -> str:
    weaker = [
        f"- at strength {verdict.strength:g}: {'accepted' if verdict.accepted else 'rejected'}, "
        f"score {verdict.score:.3f}"
        for verdict in final.weaker
    ]
    confirmed = verdict_in_words(final.confirmed) if final.confirmed else ["**rejected** at every strength"]
    return "\n\n".join(["\n".join(weaker), *confirmed] if weaker else confirmed)
