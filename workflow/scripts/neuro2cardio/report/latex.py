"""Result tables as LaTeX (booktabs), ready for a paper."""

import pandas as pd

from ..core.adapters import Axes
from ..core.base_rows import BASE
from ..core.specialties import slug

_ESCAPES = {
    **{c: rf"\{c}" for c in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def escape(text: object) -> str:
    """Text as LaTeX sets it, whatever characters it holds."""
    return "".join(_ESCAPES.get(character, character) for character in str(text))


def transfer_table(matrix: pd.DataFrame, axes: Axes, model: str, recipe: str, method: str) -> str:
    """Train set x test specialty: the base model's accuracy in percent, then changes against it in points.

    The own adapter's cells are bold; a star marks changes with q below 0.05. Needs the packages booktabs and graphicx.
    """
    here = matrix[(matrix["model"] == model) & (matrix["method"] == method)]
    if "against" in here:
        here = here[here["against"].isna() | (here["against"] == BASE)]
    tests = [t for t in (*axes.specialties, "all") if t in set(here["test_specialty"])]
    base = here[(here["recipe"] == BASE) & (here["train_set"] == BASE)].set_index("test_specialty")
    rows = [["Base model (\\%)", *(f"{100 * base.loc[t, 'accuracy']:.1f}" if t in base.index else "" for t in tests)]]
    for train_set in axes.train_set:
        own = here[(here["recipe"] == recipe) & (here["train_set"] == train_set)].set_index("test_specialty")
        if not own.empty:
            rows.append([escape(train_set), *(_cell(own, t, train_set) for t in tests)])
    head = ["", *(rf"\rotatebox{{60}}{{{escape('All' if t == 'all' else t)}}}" for t in tests)]
    lines = [" & ".join(row) + r" \\" for row in (head, rows[0])]
    body = [" & ".join(row) + r" \\" for row in rows[1:]]
    caption = f"Change of accuracy against the base model in points ({model}, {recipe}, {method})."
    return "\n".join(
        [
            r"\begin{table*}",
            r"\centering\small",
            rf"\begin{{tabular}}{{l{'r' * len(tests)}}}",
            *(r"\toprule", lines[0], r"\midrule", lines[1], r"\midrule", *body, r"\bottomrule"),
            r"\end{tabular}",
            rf"\caption{{{escape(caption)} Bold: the specialty's own adapter. *: $q < 0.05$.}}",
            r"\end{table*}",
            "",
        ]
    )


def _cell(own: pd.DataFrame, test: str, train_set: str) -> str:
    if test not in own.index or pd.isna(own.loc[test, "change"]):
        return ""
    change, q = 100 * own.loc[test, "change"], own.loc[test, "q"]
    text = f"${change:+.1f}$" + ("*" if pd.notna(q) and q < 0.05 else "")
    return rf"\textbf{{{text}}}" if slug(test) == train_set else text
