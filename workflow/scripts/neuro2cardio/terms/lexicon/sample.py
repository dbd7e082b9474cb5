"""Terms drawn at random from a lexicon, for a physician to read."""

import numpy as np
import pandas as pd

from ...core.specialties import SPECIALTIES


def sample(lexicon: pd.DataFrame, *, each: int, seed: int) -> pd.DataFrame:
    """At most `each` terms of every specialty, in its order: columns `drawn_for` and those of the lexicon.

    The draw is the same for the same lexicon and seed. Texts that are not terms (scope ``none``) are never drawn.
    """
    generator = np.random.default_rng(seed)
    terms = lexicon[lexicon["scope"] != "none"].sort_values(["term", "case_sensitive"], ignore_index=True)
    drawn = []
    for specialty in SPECIALTIES:
        own = terms[terms["specialties"].map(lambda found, own=specialty: own in found)]
        rows = np.sort(generator.choice(len(own), size=min(each, len(own)), replace=False))
        drawn.append(own.iloc[rows].assign(drawn_for=specialty))
    return pd.concat(drawn, ignore_index=True)


def markdown(drawn: pd.DataFrame) -> str:
    """One table per specialty: term, all its specialties, kind, scope with the rule behind it, and sources."""
    return "\n".join(_section(specialty, rows) for specialty, rows in drawn.groupby("drawn_for", sort=False))


def _section(specialty: str, rows: pd.DataFrame) -> str:
    lines = [f"## {specialty}", "", "| term | specialties | kind | scope | sources |", "|---|---|---|---|---|"]
    for row in rows.itertuples():
        scope = f"{row.scope} ({row.reason})" if row.reason else row.scope
        cells = (row.term, ", ".join(row.specialties), row.kind, scope, ", ".join(row.sources))
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join([*lines, ""])
