"""What was heard of an exported trial, as sentences."""

from __future__ import annotations

from statistics import median

from results.analysis.ranking import BaseComparison
from results.export.adapter_manifest import AdapterManifest, MergedWeights
from spaces.records.confirmation import Confirmation


def verdict_in_words(exported: AdapterManifest, versus: BaseComparison | None) -> str:
    """The last verdict with its interval, the comparison with the base model, and what nobody could judge."""
    final = exported.final
    verdict = final.confirmed if final and final.confirmed else exported.outcome.verdict
    if verdict is None:
        return f"Nothing: the trial ended as {exported.outcome.ending} and was not probed."
    judged = "Accepted" if verdict.accepted else f"**Rejected: {'; '.join(verdict.reasons)}**"
    sentences = [
        f"{judged}; {verdict.failed_lines} of {verdict.judged_lines} lines failed, so {verdict.failure_rate} of any "
        f"lines would (95 % confidence); score {verdict.score:.3f}."
    ]
    if final and final.confirmed:
        sentences.append(f"These were lines that no trial was chosen by, {final.unseen} texts never spoken before.")
    if exported.strength != 1:
        sentences.append(
            f"The LoRA is written at {exported.strength:g} of the strength it was trained to, which was heard to be "
            "better; `text_projection` is as it was trained."
        )
    if versus:
        sentences.append(
            f"Against the base model's own clone, line by line: {versus} at 95 % confidence, {versus.judgement}."
        )
    sentences += [f"{note[0].upper()}{note[1:]}." for note in verdict.notes]
    if final and final.instructed:
        sentences.append(_instructed(final))
    if verdict.unknown:
        sentences.append(f"Nothing could judge whether lines are {', '.join(verdict.unknown)}.")
    if exported.merged:
        sentences.append(_merged(exported.merged))
    return " ".join(sentences)


def _instructed(final: Confirmation) -> str:
    rises = [pair.pitch_rise for pair in final.instructed if pair.pitch_rise is not None]
    pitch = f"{median(rises):+.1f} semitones in pitch, " if rises else ""
    return (
        f"Asked to be excited instead of calm, it changes by {pitch}"
        f"{median(pair.level_rise for pair in final.instructed):+.1f} dB in level and "
        f"{median(pair.speed_up for pair in final.instructed):.2f}× in tempo "
        f"(medians of {len(final.instructed)} lines)."
    )


def _merged(merged: MergedWeights) -> str:
    verdict = merged.verdict
    judged = "accepted" if verdict.accepted else f"rejected ({'; '.join(verdict.reasons)})"
    return (
        f"That was the adapter. Merged, its logits differ from the adapter's by {merged.difference:.1e} of "
        f"their size ({merged.tolerance:g} are allowed), and it was heard anew: {judged}, {verdict.failed_lines} of "
        f"{verdict.judged_lines} lines failed ({verdict.failure_rate} of any), score {verdict.score:.3f}."
    )
