"""What a run found, in three plain lines; what cannot be told from zero is said to be so."""

import pandas as pd

from ..core import specialties
from ..questions.test_set import ALL
from .formatting import signed

_LISTED = 3
"""Up to so many models x recipes are named one by one; of more, the range is given and how many are clear of zero."""


def summary(matrix: pd.DataFrame, diagonal: pd.DataFrame, shifts: pd.DataFrame, context: str, scope: str) -> str:
    """Three lines: the largest change, diagonal against off-diagonal, and the shift of terms.

    Args:
        matrix: `transfer.matrix`.
        diagonal: `transfer.diagonal`.
        shifts: `term_shift.table`, `seed` as text.
        context: Where the log-probabilities are read, `prompt` or `bare`.
        scope: The lexicon of the primary analysis.
    """
    return "\n".join([_largest(matrix), _diagonal(diagonal), _terms(shifts, context, scope)]) + "\n"


def _largest(matrix: pd.DataFrame) -> str:
    cells = matrix[matrix["change"].notna() & (matrix["test_specialty"] != ALL)]
    row = cells.loc[cells["change"].abs().idxmax()]
    found = _interval(100 * row["change"], 100 * row["change_low"], 100 * row["change_high"], 1)
    train_set = specialties.find(row["train_set"]) or row["train_set"]
    return (
        f"Largest of {len(cells)} changes against base: fine-tuned on {train_set}, tested on {row['test_specialty']} "
        f"({_name(row)}, n={row['n_questions']}), points of accuracy: {found}, q={row['q']:.2g}."
    )


def _diagonal(diagonal: pd.DataFrame) -> str:
    if diagonal.empty:
        return "Diagonal: one specialty only, so there is no other adapter to compare with."
    whole = diagonal[diagonal["test_specialty"] == ALL]
    points = whole.assign(**{name: 100 * whole[name] for name in ("advantage", "low", "high")})
    own = diagonal[diagonal["test_specialty"] != ALL]["own_is"].value_counts()
    return (
        f"Own specialty's adapter minus the other specialties', points of accuracy: {_listed(points, 'advantage', 1)}. "
        f"By specialty, the own adapter is clearly the best {own.get('best', 0)} times, tied with the best "
        f"{own.get('tied', 0)}, clearly behind {own.get('behind', 0)}."
    )


def _terms(shifts: pd.DataFrame, context: str, scope: str) -> str:
    chosen = {"train_set": ALL, "seed": ALL, "context": context, "scope": scope, "measure": "mean"}
    rows = shifts
    for name, value in chosen.items():
        rows = rows[rows[name] == value]
    wide = rows.set_index(["model", "recipe", "group"])[["shift", "low", "high"]].dropna().unstack("group")
    if wide.empty:
        return "Shift of log-probability: no terms in the test questions."
    parts = [_shifts_of(row.unstack(0)) + f" ({', '.join(key)})" for key, row in wide.head(_LISTED).iterrows()]
    more = len(wide) - len(parts)
    rest = f" Of {more} more combinations see term_shift.csv." if more else ""
    return f"Shift of log-probability against base, nats per token in {context}: {'; '.join(parts)}.{rest}"


def _shifts_of(row: pd.DataFrame) -> str:
    """One combination's groups, and its contrasts with intervals."""
    groups = {"own": "own terms", "other": "other specialties' terms", "placebo": "placebo words"}
    contrasts = {"own_minus_other": "own minus other", "terms_minus_placebo": "terms minus placebo"}
    texts = [f"{name} {signed(row.loc[group, 'shift'], 3)}" for group, name in groups.items() if group in row.index]
    texts += [
        f"{name} {_interval(row.loc[group, 'shift'], row.loc[group, 'low'], row.loc[group, 'high'], 3)}"
        for group, name in contrasts.items()
        if group in row.index
    ]
    return ", ".join(texts)


def _listed(rows: pd.DataFrame, value: str, digits: int) -> str:
    """Each row's value with its interval, or, of many rows, their range and how many are clear of zero."""
    if len(rows) <= _LISTED:
        found = [(_interval(row[value], row["low"], row["high"], digits), _name(row)) for _, row in rows.iterrows()]
        return ", ".join(text if len(found) == 1 else f"{text} ({name})" for text, name in found)
    clear = ((rows["low"] > 0) | (rows["high"] < 0)).sum()
    low, high = signed(rows[value].min(), digits), signed(rows[value].max(), digits)
    return f"{low} to {high} (interval clear of zero in {clear} of {len(rows)} combinations)"


def _interval(value: float, low: float, high: float, digits: int) -> str:
    text = f"{signed(value, digits)} [{signed(low, digits)}, {signed(high, digits)}]"
    return text if low > 0 or high < 0 else f"{text}, not told from zero"


def _name(row: pd.Series) -> str:
    return ", ".join(str(row[name]) for name in ("model", "recipe", "method") if name in row.index)
