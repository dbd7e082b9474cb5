"""The figure of what a quorum of votes costs in questions and gains in accuracy."""

from typing import TYPE_CHECKING

import pandas as pd

from ..analysis.figures import style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def quorum_tradeoff(table: pd.DataFrame, quorum: int) -> "Figure":
    """What a quorum of votes costs in questions and buys in accuracy, over all and by the specialty that won.

    Args:
        table: `annotation.votes.by_quorum`.
        quorum: The one that the configuration asks for: marked on the left, drawn by specialty on the right.
    """
    overall = table[table["by"] == "all"]
    rows = table[(table["by"] == "winner") & (table["quorum"] == quorum)].set_index("specialty")
    tops = {name: float(i) for i, name in enumerate(rows.index)}
    with style.context():
        figure, (left, right) = style.new_figure("page", 1.4 + 0.17 * len(tops), ncols=2, width_ratios=(1.2, 1))
        points = {name: 100 * overall[name] for name in overall.columns.difference(["quorum", "by", "specialty"])}
        x_error, y_error = (
            (points[name] - points[f"{name}_low"], points[f"{name}_high"] - points[name])
            for name in ("coverage", "accuracy")
        )
        look = {**style.POINT, "marker": "o", "color": style.COLOURS[0]}
        left.errorbar(points["coverage"], points["accuracy"], xerr=x_error, yerr=y_error, **look)
        left.plot(points["coverage"], points["accuracy"], color=style.COLOURS[0], linewidth=0.8)
        # Quorums that come to the same share their point, and its label.
        for (x, y), votes in overall["quorum"].groupby([points["coverage"], points["accuracy"]]):
            weight = "bold" if quorum in set(votes) else "normal"
            label = ", ".join(f"{n}+" for n in votes)
            left.annotate(label, (x, y), xytext=(4, 4), textcoords="offset points", fontweight=weight)
        left.set_xlabel("Coverage: questions with a winner (%)")
        left.set_ylabel("Accuracy: winners that are right (%)")
        accuracy = 100 * rows["accuracy"]
        spread = (accuracy - 100 * rows["accuracy_low"], 100 * rows["accuracy_high"] - accuracy)
        right.errorbar(accuracy, list(tops.values()), xerr=spread, **{**look, "color": style.COLOURS[1]})
        style.add_bands(right, tops)
        right.set_yticks(list(tops.values()), [f"{name} ({n})" for name, n in rows["covered"].items()])
        right.set_xlabel(f"Accuracy at {quorum} votes or more (%)")
        right.set_xlim(0, 100)
        note = (
            f"n={int(overall['n'].max())} questions with a known specialty. Wilson intervals. Left: each point is a "
            "quorum, in votes of five. Right: by the specialty that won, with the number of questions that it won."
        )
        style.add_title_and_note(figure, "Votes: what a quorum costs and buys", note)
    return figure
