"""Sentences of a model card about what the probe heard."""

from statistics import median

from results.analysis.ranking import BaseComparison
from results.analysis.unjudged import describe_unjudged
from results.export.adapter_manifest import AdapterManifest, MergedWeights
from spaces.records.confirmation import Confirmation


def verdict_in_words(manifest: AdapterManifest, versus: BaseComparison | None) -> str:
    """The last verdict with its interval, the comparison with the base model, and what could not be judged."""
    final = manifest.final
    verdict = final.confirmed if final and final.confirmed else manifest.outcome.verdict
    if verdict is None:
        return f"Nothing: the trial ended with `{manifest.outcome.ending}` and was not probed."
    judged = "Accepted" if verdict.accepted else f"**Rejected: {'; '.join(verdict.reasons)}**"
    sentences = [
        f"{judged}; {verdict.failed_lines} of {verdict.judged_lines} lines failed (95 % confidence interval of the "
        f"failure rate: {verdict.failure_rate}); score {verdict.score:.3f}."
    ]
    if final and final.confirmed:
        sentences.append(f"No trial was selected by these lines; {final.unseen} of their texts were not spoken before.")
    if manifest.strength != 1:
        sentences.append(
            f"The LoRA is scaled to {manifest.strength:g} of its trained strength, which scored better; what else was "
            "trained is unchanged."
        )
    if versus:
        sentences.append(
            f"Against the base model's own clone, line by line, with a 95 % interval: {versus}, {versus.judgement}."
        )
    sentences += [f"{note[0].upper()}{note[1:]}." for note in verdict.notes]
    if final and final.instructed:
        sentences.append(_instructed(final))
    if verdict.unknown:
        sentences.append(f"Not judged: {describe_unjudged(verdict.unknown)}.")
    if manifest.merged:
        sentences.append(_merged(manifest.merged))
    return " ".join(sentences)


def _instructed(final: Confirmation) -> str:
    rises = [pair.pitch_rise for pair in final.instructed if pair.pitch_rise is not None]
    pitch = f"{median(rises):+.1f} semitones in pitch, " if rises else ""
    return (
        f"From the instruction to be calm to the one to be excited, speech changes by {pitch}"
        f"{median(pair.level_rise for pair in final.instructed):+.1f} dB in level and "
        f"{median(pair.speed_up for pair in final.instructed):.2f}× in tempo "
        f"(medians of {len(final.instructed)} lines)."
    )


def _merged(merged: MergedWeights) -> str:
    verdict = merged.verdict
    judged = "accepted" if verdict.accepted else f"rejected ({'; '.join(verdict.reasons)})"
    return (
        f"All of this is about the adapter. What the merged checkpoint computes differs from the adapter's by "
        f"{merged.difference:.1e} (relative; {merged.tolerance:g} is allowed), and it was probed again: {judged}, "
        f"{verdict.failed_lines} of {verdict.judged_lines} lines failed ({verdict.failure_rate}), score "
        f"{verdict.score:.3f}."
    )
