"""What TensorBoard shows as text: endings and verdicts in Markdown, in which spoken texts stand literally."""

from __future__ import annotations

import html
import re

from spaces.records.confirmation import Confirmation
from spaces.records.trial import Outcome
from spaces.records.verdict import Verdict

_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|~>-])")


def literal(text: str) -> str:
    """So that Markdown makes nothing of it."""
    return _MARKS.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def outcome_in_words(outcome: Outcome) -> str:
    ending = f"**{outcome.ending}**: " if outcome.ending else ""
    parts = [f"{ending}{literal(outcome.reason)}"]
    if outcome.verdict:
        parts += verdict_in_words(outcome.verdict)
    if outcome.other_verdict:
        parts += ["At the checkpoint that does not count:", *verdict_in_words(outcome.other_verdict)]
    return "\n\n".join(parts)


def verdict_in_words(verdict: Verdict) -> list[str]:
    """Paragraphs; the lines are the last one."""
    judged = f"**{'accepted' if verdict.accepted else 'rejected'}**, score {verdict.score:.3f}"
    if verdict.strength != 1:
        judged += f" at {verdict.strength:g} of its strength"
    lines = [
        f"- “{literal(line.text)}”: {', '.join(map(literal, line.flags)) or 'nothing wrong'}"
        + (f"; heard “{literal(line.heard)}”" if line.heard is not None else "")
        for line in verdict.lines
    ]
    return [judged, *map(literal, (*verdict.reasons, *verdict.notes)), "\n".join(lines)]


def confirmation_in_words(final: Confirmation) -> str:
    weaker = [
        f"- at {verdict.strength:g} of its strength: {'accepted' if verdict.accepted else 'rejected'}, "
        f"score {verdict.score:.3f}"
        for verdict in final.weaker
    ]
    heard = verdict_in_words(final.confirmed) if final.confirmed else ["**turned down** at every strength"]
    return "\n\n".join(["\n".join(weaker), *heard] if weaker else heard)
