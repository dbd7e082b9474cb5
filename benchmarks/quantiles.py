"""How often intervals hold the truth whose variance has two parts, one of them known by few degrees of freedom.

PYTHONPATH=workflow/scripts python benchmarks/quantiles.py

The other part is known by 200 degrees of freedom, or by as few. The smallest and largest coverage of nominal 95%
intervals over the true share of the first part in the variance, by each rule that was tried for `effects.Estimate`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from neuro2cardio.analysis import effects

Floats = NDArray[np.float64]
SHARES = np.linspace(0, 1, 201)
TRUE_SHARES = (0.02, 0.05, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.85, 0.9, 0.95, 0.98)
DRAWS = 20_000
Rule = Callable[[float, float], Floats]
"""Degrees of freedom of both parts to the quantiles at the estimated shares `SHARES`."""


def ours(one: float, other: float) -> Floats:
    """What the parts' t quantiles are beyond the normal one, by powers of their shares: `effects.Estimate`."""
    parts = [(effects.Part(share, one), effects.Part(1 - share, other)) for share in SHARES]
    return np.array([effects.Estimate(0.0, both).interval(0.95)[1] for both in parts])


def by_power(power: Callable[[float], float]) -> Rule:
    """The same with other powers of the shares, by degrees of freedom."""

    def rule(one: float, other: float) -> Floats:
        normal = stats.norm.isf(0.025)
        both = ((SHARES, one), (1 - SHARES, other))
        return np.asarray(
            normal + np.hypot(*(share ** power(df) * (stats.t.isf(0.025, df) - normal) for share, df in both))
        )

    return rule


def cochran_cox(one: float, other: float) -> Floats:
    """Mean of the parts' t quantiles."""
    return np.asarray(SHARES * stats.t.isf(0.025, one) + (1 - SHARES) * stats.t.isf(0.025, other))


def satterthwaite(one: float, other: float) -> Floats:
    """One t quantile, of degrees of freedom joined by Satterthwaite's rule."""
    return np.asarray(stats.t.isf(0.025, 1 / (SHARES**2 / one + (1 - SHARES) ** 2 / other)))


def behrens_fisher(one: float, other: float) -> Floats:
    """Generalized (fiducial) interval: each true variance is its estimate divided by a chi-squared variable."""
    rng = np.random.default_rng(1)
    t = rng.standard_t((one, other), size=(DRAWS, 2))
    joint = np.sqrt(SHARES)[:, None] * t[:, 0] + np.sqrt(1 - SHARES)[:, None] * t[:, 1]
    return np.asarray(np.quantile(np.abs(joint), 0.95, axis=1))


def mean_of_tails(one: float, other: float, weights: Floats = SHARES) -> Floats:
    """Where the mean of the parts' t tails is 2.5%."""
    at = np.linspace(1.5, 20, 4000)
    tails = stats.t.sf(at[:, None], (one, other)) @ np.array([weights, 1 - weights])
    return np.array([np.interp(-0.025, -tail, at) for tail in tails.T])


def by_medians(one: float, other: float) -> Floats:
    """The same, with weights by median-unbiased estimates of the variances."""
    times = [df / stats.chi2.median(df) for df in (one, other)]
    weights = SHARES * times[0] / (SHARES * times[0] + (1 - SHARES) * times[1])
    return mean_of_tails(one, other, weights)


RULES: dict[str, Rule] = {
    "ours": ours,
    "power 1.25": by_power(lambda df: 1.25),
    "power 1 + f/(f+3)": by_power(lambda df: 1 + df / (df + 3)),
    "power 2 - 1/f": by_power(lambda df: 2 - 1 / df),
    "Cochran & Cox": cochran_cox,
    "Satterthwaite": satterthwaite,
    "Behrens & Fisher": behrens_fisher,
    "mean of t tails": mean_of_tails,
    "by medians": by_medians,
}


def coverage(rule: Rule, one: float, other: float) -> Floats:
    """(true shares,) share of intervals that hold the truth."""
    at = (np.arange(DRAWS) + 0.5) / DRAWS
    estimated = [stats.chi2.ppf(at, one) / one, np.random.default_rng(0).permutation(stats.chi2.ppf(at, other) / other)]
    quantiles, held = rule(one, other), []
    for share in TRUE_SHARES:
        few, many = share * estimated[0], (1 - share) * estimated[1]
        at_share = np.interp(few / (few + many), SHARES, quantiles)
        held.append(1 - 2 * stats.norm.sf(at_share * np.sqrt(few + many)).mean())
    return np.array(held)


def main() -> None:
    """Print a table for docs/decisions.md."""
    for df in ((1, 200), (2, 200), (4, 200), (14, 200), (1, 2), (2, 4)):
        for name, rule in RULES.items():
            held = coverage(rule, *df)
            print(f"{df[0]} and {df[1]}: {name:17} {held.min():.3f} to {held.max():.3f}")


if __name__ == "__main__":
    main()
