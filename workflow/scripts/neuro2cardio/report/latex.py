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
    **{"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': "''"},
    **{"±": r"\ensuremath{\pm}", "−": r"\ensuremath{-}", "×": r"\ensuremath{\times}", "·": r"\ensuremath{\cdot}"},
    **{"≤": r"\ensuremath{\leq}", "≥": r"\ensuremath{\geq}", "→": r"\ensuremath{\to}", "\xa0": "~"},
    **{"«": r"\ensuremath{\ll}", "»": r"\ensuremath{\gg}"},
}

_WIDE = 8


def escape(text: object) -> str:
    """Text as LaTeX sets it. Alphabets beyond the Latin one stay: they need LuaLaTeX and a font that has them."""
    return "".join(_ESCAPES.get(character, character) for character in str(text))


def transfer_table(matrix: pd.DataFrame, axes: Axes, model: str, recipe: str, method: str) -> str:
    """Train set x test specialty: the base model's accuracy in percent, then changes against it in points.

    The own adapter's cells are bold; a star marks changes with q below 0.05. A table of over `_WIDE` specialties is
    set smaller and without decimals, so that it fits a page of 7 inches. Needs the packages that its first line
    names.
    """
    here = matrix[(matrix["model"] == model) & (matrix["method"] == method)]
    if "against" in here:
        here = here[here["against"].isna() | (here["against"] == BASE)]
    tests = [t for t in (*axes.specialties, "all") if t in set(here["test_specialty"])]
    base = here[(here["recipe"] == BASE) & (here["train_set"] == BASE)].set_index("test_specialty")
    digits = 0 if len(axes.specialties) > _WIDE else 1
    cells = (f"{100 * base.loc[t, 'accuracy']:.{digits}f}" if t in base.index else "" for t in tests)
    rows = [["Base model (\\%)", *cells]]
    names = {slug(name): name for name in axes.specialties}
    for train_set in axes.train_set:
        own = here[(here["recipe"] == recipe) & (here["train_set"] == train_set)].set_index("test_specialty")
        if not own.empty:
            rows.append(
                [
                    escape(names.get(train_set, train_set.capitalize())),
                    *(_cell(own, t, train_set, digits) for t in tests),
                ]
            )
    head = ["", *(rf"\rotatebox{{90}}{{{escape('All' if t == 'all' else t)}}}" for t in tests)]
    lines = [" & ".join(row) + r" \\" for row in (head, rows[0])]
    body = [" & ".join(row) + r" \\" for row in rows[1:]]
    caption = f"Change of accuracy against the base model in points ({model}, {recipe}, {method})."
    return "\n".join(
        [
            r"% \usepackage{booktabs,graphicx}",
            r"\begin{table*}",
            r"\centering\small" if digits else r"\centering\footnotesize\setlength{\tabcolsep}{2pt}",
            rf"\begin{{tabular}}{{l{'r' * len(tests)}}}",
            *(r"\toprule", lines[0], r"\midrule", lines[1], r"\midrule", *body, r"\bottomrule"),
            r"\end{tabular}",
            rf"\caption{{{escape(caption)} Bold: the specialty's own adapter. *: $q < 0.05$.}}",
            rf"\label{{tab:transfer-{model}-{recipe}-{method}}}",
            r"\end{table*}",
            "",
        ]
    )


def _cell(own: pd.DataFrame, test: str, train_set: str, digits: int) -> str:
    if test not in own.index or pd.isna(own.loc[test, "change"]):
        return ""
    change, q = 100 * own.loc[test, "change"], own.loc[test, "q"]
    text = f"${change:+.{digits}f}$" + ("*" if pd.notna(q) and q < 0.05 else "")
    return rf"\textbf{{{text}}}" if slug(test) == train_set else text
