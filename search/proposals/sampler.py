"""The sampler of a search: multivariate TPE with constant liar. Another sampler of Optuna is swapped in here."""

import warnings
from dataclasses import dataclass

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, TPESampler

STARTUP_SHARE = 2
"""One trial in this many, ten at most, is drawn at random before TPE takes over: Optuna's default of ten would be
all of a small budget, and two points say little about five dimensions."""


@dataclass(frozen=True)
class SearchSampler:
    """A sampler, and how `screening.ScreenedSampler` has to ask it."""

    sampler: BaseSampler
    conditional: bool
    """Whether it takes fields that are searched under one objective only. Otherwise these are drawn at random."""
    redraws: bool
    """Whether it gives another point when it is asked again, within milliseconds. Otherwise it is asked once for each
    trial, and the other candidates are random."""


def make_sampler(seed: int, trials: int) -> SearchSampler:
    """`trials` is the most that the search may run.

    Pruned trials have a constraint and no score; a sampler that learns from completed trials only does not see them.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        sampler = TPESampler(
            seed=seed,
            multivariate=True,
            group=True,
            constant_liar=True,
            n_startup_trials=min(10, max(2, trials // STARTUP_SHARE)),
        )
    return SearchSampler(sampler, conditional=True, redraws=True)
