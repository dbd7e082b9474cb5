"""Knowledge injection, fact by fact: facts trained on and others, under the own adapter and under others."""

from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np
from numpy.typing import NDArray
import pandas as pd

from ..config.analysis import Statistics
from ..core.adapters import Axes
from ..core.errors import InputError
from ..questions.test_set import ALL, TestSet
from . import paired, resampling
from .effects import NONE, Estimate, least_variance
from .transfer import Scores

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

OWN, OTHERS, BEYOND = "own", "others", "own minus others"
TRAINED, UNTRAINED, INJECTION = "trained on", "never trained on", "trained on minus never trained on"
COLUMNS = (
    *("model", "recipe", "method", "form", "specialty", "facts", "adapter", "estimate", "low", "high", "p", "p_holm"),
    *("smallest_detectable", "accuracy", "base_accuracy", "n_facts", "n_questions", "n_adapters"),
)
"""`form` and `specialty` are `all` where they are pooled; `adapter` is `OWN`, `OTHERS` or the difference `BEYOND`;
`facts` is `TRAINED`, `UNTRAINED` or the difference `INJECTION`. Shares, not points. `n_facts` of a difference counts
the facts trained on; there are as many of the others."""


def test_set(probes: pd.DataFrame, specialties: list[str]) -> TestSet:
    """The probes as a test set of their own, to mark answers with."""
    return TestSet.of(probes.assign(split="test"), specialties)


def table(blocks: Sequence[Scores], axes: Axes, probes: pd.DataFrame, statistics: Statistics) -> pd.DataFrame:
    """How far probes change against the base model, with what the own adapter adds on facts that it was trained on.

    A fact counts with the mean over its forms and seeds. Changes of one group have the interval of `paired.change`,
    with facts as the units. What the own adapter adds beyond the others', on facts trained on minus facts never
    trained on, is knowledge injection: neither a better adapter nor an easier group of facts makes it. All is
    conditional on the adapters that were trained.

    Args:
        blocks: `transfer.scores` of the probes.
        axes: The grid.
        probes: Rows of `tables.PROBES`, in the order of the blocks' questions.
        statistics: Confidence.

    Returns:
        `COLUMNS`, a row for each model, recipe, method, form or specialty, facts and adapter.
    """
    frame = pd.DataFrame(
        [row for block in blocks for row in _rows(block, axes, probes, statistics)], columns=list(COLUMNS)
    )
    family = [frame[name] for name in ("form", "specialty", "facts", "adapter")]
    frame["p_holm"] = frame.groupby(family)["p"].transform(resampling.holm)
    return frame


def by_fact(blocks: Sequence[Scores], axes: Axes, probes: pd.DataFrame) -> pd.DataFrame:
    """Every probe with the share of right answers of the base model, the own adapters and the others', seeds pooled."""
    frames = []
    for block in blocks:
        own, others = _own_and_others(block, axes, probes)
        key = [list(block.key.values())] * len(probes)
        frame = pd.DataFrame(key, columns=list(block.key), index=probes.index).join(
            probes[["fact", "form", "specialty", "trained", "stem"]]
        )
        answers = [options[i] for options, i in zip(probes["options"], probes["answer"], strict=True)]
        frames.append(frame.assign(answer=answers, base=block.base, own=own, others=others))
    return pd.concat(frames, ignore_index=True)


def _own_and_others(block: Scores, axes: Axes, probes: pd.DataFrame) -> tuple[Floats, Floats]:
    """(probes,) share of right answers under the own specialty's adapters, and under those of the others (or NaN)."""
    right = block.adapters[axes.specialty_rows].mean(axis=1)
    own_row = pd.Index(axes.specialties).get_indexer(pd.Index(probes["specialty"]))
    if (own_row < 0).any():
        raise InputError(f"a probe of {probes['specialty'].iloc[int(own_row.argmin())]}, which the grid does not have")
    own = right[own_row, np.arange(len(probes))]
    n = len(right)
    return own, (right.sum(axis=0) - own) / (n - 1) if n > 1 else np.full(len(own), np.nan)


def _rows(block: Scores, axes: Axes, probes: pd.DataFrame, statistics: Statistics) -> Iterator[dict[str, object]]:
    own, others = _own_and_others(block, axes, probes)
    right = {OWN: own, OTHERS: others} if len(axes.specialties) > 1 else {OWN: own}
    forms = [(form, ALL) for form in (ALL, *probes["form"].unique())]
    for form, specialty in [*forms, *((ALL, name) for name in axes.specialties)]:
        part = np.ones(len(probes), dtype=bool)
        for column, value in (("form", form), ("specialty", specialty)):
            part &= (value == ALL) | (probes[column] == value).to_numpy()
        n = 1 if specialty != ALL else len(axes.specialties)
        lead = {**block.key, "form": form, "specialty": specialty, "n_adapters": n * len(axes.seed)}
        yield from (lead | row for row in _compare(right, block.base, part, probes, statistics))


def _compare(
    right: dict[str, Floats], base: Floats, part: Mask, probes: pd.DataFrame, statistics: Statistics
) -> Iterator[dict[str, object]]:
    """The rows of some of the probes: each group under each adapter, and the differences."""
    values = {name: own - base for name, own in right.items()}
    if OTHERS in right:
        values[BEYOND] = right[OWN] - right[OTHERS]
    trained = probes["trained"].to_numpy(dtype=bool)
    facts = probes["fact"].to_numpy()
    units: dict[tuple[str, str], Floats] = {}
    for group, rows in ((TRAINED, part & trained), (UNTRAINED, part & ~trained)):
        for adapter, value in values.items():
            units[group, adapter] = unit = pd.Series(value[rows]).groupby(facts[rows]).mean().to_numpy(dtype=float)
            found = paired.change(unit[None], statistics.confidence)
            yield {
                "facts": group,
                "adapter": adapter,
                "estimate": found.mean[0],
                "low": found.low[0],
                "high": found.high[0],
                "p": found.p[0],
                "accuracy": right[adapter][rows].mean() if adapter in right else np.nan,
                "base_accuracy": base[rows].mean() if adapter in right else np.nan,
                "n_facts": len(unit),
                "n_questions": int(rows.sum()),
            }
    if OTHERS in right:
        yield _injection(units[TRAINED, BEYOND], units[UNTRAINED, BEYOND], statistics) | {
            "n_questions": int(part.sum())
        }


def _injection(trained: Floats, untrained: Floats, statistics: Statistics) -> dict[str, object]:
    estimate = difference(trained, untrained)
    low, high = estimate.interval(statistics.confidence)
    return {
        "facts": INJECTION,
        "adapter": BEYOND,
        "estimate": estimate.value,
        "low": low,
        "high": high,
        "p": estimate.p,
        "smallest_detectable": estimate.detectable(statistics.confidence),
        "n_facts": len(trained),
    }


def difference(one: Floats, other: Floats) -> Estimate:
    """Mean of one group of facts minus that of another, by Welch's test (Welch 1947, Biometrika 34:28).

    The variance of a group is at least that of two more facts that differ as much as the one that differs most, one
    either way (`effects.least_variance`): a few facts that happen to agree do not make the difference certain. Groups
    of fewer than `paired.MIN_QUESTIONS` facts have no estimate.

    Args:
        one: (facts,) of the first group.
        other: (facts,) of the second.
    """
    if min(len(one), len(other)) < paired.MIN_QUESTIONS:
        return NONE
    parts = []
    for values in (one, other):
        n = len(values)
        parts.append((max(float(values.var(ddof=1)) / n, least_variance(n, values)), n - 1))
    variance = sum(part for part, _ in parts)
    freedom = variance**2 / sum(part**2 / df for part, df in parts)
    return Estimate.single(float(one.mean() - other.mean()), sqrt(variance), freedom)
