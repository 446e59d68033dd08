"""What the base model's losses mean for the bands of a search, told before its first trial."""

from collections.abc import Mapping

from results.analysis.advice import band_remedy
from spaces.band import AutoBand, Band, RelativeBand, ReplaceableBand, resolve_band
from spaces.space import Space


def band_lines(space: Space, losses: Mapping[str, float]) -> list[str]:
    """One line for each objective with a band. `space` as it was written, `losses` of the base model by objective."""
    lines = (_band_line(space, objective, losses.get(objective)) for objective in space.objectives)
    return [f"Band:   {line}" for line in lines if line]


def _band_line(space: Space, objective: str, base: float | None) -> str | None:
    written = space.objective[objective].band
    resolved = resolve_band(written, base)
    if resolved is None or base is None:
        return None
    band = resolved.auto_within if isinstance(resolved, AutoBand) else resolved
    loss = f"the base model's {objective} loss of {base:.3f}"
    match written:
        case RelativeBand():
            return f"{objective} {band}, shares {written.of_base} of {loss}; it moves to where adapters are accepted"
        case ReplaceableBand() if isinstance(resolved, AutoBand):
            return (
                f"{objective} {band}, shares {written.or_of_base} of {loss}, in place of "
                f"{Band(low=written.low, high=written.high)}, {_where(base, written)}; it moves to where adapters are "
                "accepted"
            )
        case AutoBand() if base <= band.high:
            return (
                f"{objective} moves within {band}, {_where(base, band)}: {loss}. Trials may fall below it at once, and "
                f"then it is lowered; to begin lower, {band_remedy(objective)}"
            )
        case AutoBand():
            return f"{objective} moves within {band} to where adapters are accepted; {loss} lies above it"
        case _ if base <= band.high:
            return (
                f"{objective} {band}, {_where(base, band)}: {loss}. Trials may fall below it at once. It is kept, "
                f"because the space sets it; for one that fits the voice, {band_remedy(objective)}"
            )
    return f"{objective} {band}; {loss} lies above it"


def _where(base: float, band: Band) -> str:
    return "in which the voice begins" if base >= band.low else "which lies above where the voice begins"
