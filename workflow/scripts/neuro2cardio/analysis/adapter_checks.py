"""Adapters that are broken: what they answered is no result about their train set, and is not read as one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..core import specialties, tables
from ..core.adapters import Adapter
from ..core.base_rows import BASE
from ..models import training_checks
from ..questions.test_set import TestSet

COLUMNS = [
    *(*tables.KEYS.names, "method", "steps", "first_loss", "last_loss", "uniform_loss", "steps_without_gradient"),
    *("tied_share", "chosen_share", "right_there_share", "flags", "broken"),
]
"""One row an adapter (and base model) and method.

`first_loss`, `last_loss`: mean loss of the first and last tenth of the steps; `uniform_loss`: ln(vocabulary), the loss
of a model that knows nothing; `tied_share`: answers that share the first place with another option; `chosen_share`:
the largest share of answers that fell on one letter (where options have letters) or one place among the options, and
`right_there_share` how often the right option was there. `flags` names what is wrong, space-separated; `broken` is
whether an adapter has any flag. A base model is never broken, also after worked examples: it is what it is, and its
flags are for the reader.
"""
FLAGS = {
    "loss_at_uniform": "training ended at the loss of a uniform guess, ln(vocabulary)",
    "no_gradient": "training ended without a gradient",
    "tied": "half or more of the answers are ties",
    "one_option": "nearly every answer is the same option",
}
NEAR_UNIFORM = 0.95
"""Share of ln(vocabulary) from which a last loss counts as near it."""
MANY_TIES = 0.5
ONE_OPTION = 0.95
"""Share of answers on one letter or place from which an adapter counts as collapsed onto it."""
_LISTED = 5


def of_answers(predictions: pd.DataFrame, answered: pd.DataFrame, test_set: TestSet) -> pd.DataFrame:
    """Ties and collapse of one adapter: key columns, `method` and the three shares of `COLUMNS`, one row a method.

    Args:
        predictions: The adapter's `tables.PREDICTIONS`.
        answered: `answers.answers` of them.
        test_set: The test questions.
    """
    rows: list[dict[str, Any]] = []
    for method, found in answered.groupby("method", sort=False):
        chosen_share, right_there = _most_chosen(predictions[predictions["method"] == method], test_set)
        tied = float((found["best"].map(len) > 1).mean())
        rows.append(
            {"method": method, "tied_share": tied, "chosen_share": chosen_share, "right_there_share": right_there}
        )
    return pd.DataFrame(rows).assign(**predictions[tables.KEYS.names].iloc[0])


def _most_chosen(asked: pd.DataFrame, test_set: TestSet) -> tuple[float, float]:
    """The largest share of prompts answered with one letter, and the share whose right option stood there.

    With one order, as in `cloze`, a letter is an option's place in the question.
    """
    at = test_set.question_ids.get_indexer(asked["question_id"])
    n_options, order = test_set.n_options[at], asked["permutation"].to_numpy()
    chosen = asked["chosen"].to_numpy()
    letters = np.where(chosen < 0, -1, (chosen + order) % n_options)
    most = int(np.bincount(letters + 1).argmax()) - 1
    right = (test_set.answers[at] + order) % n_options
    return float((letters == most).mean()), float((right == most).mean())


def of_training(adapter: Adapter, curve: pd.DataFrame, record: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an adapter's training, from its `training.csv` and `run.json`."""
    first, last = training_checks.ends(curve)
    return adapter._asdict() | {
        "steps": len(curve),
        "first_loss": first,
        "last_loss": last,
        "uniform_loss": np.log(record["vocabulary"]) if "vocabulary" in record else np.nan,
        "steps_without_gradient": training_checks.steps_without_gradient(curve),
    }


def table(answered: list[pd.DataFrame], trained: list[dict[str, Any]]) -> pd.DataFrame:
    """All adapters' checks, one row an adapter and method, in the order given; see `COLUMNS`.

    Args:
        answered: `of_answers` of each adapter and base model.
        trained: `of_training` of each adapter.
    """
    training = pd.DataFrame(trained, columns=COLUMNS[: COLUMNS.index("tied_share")]).drop(columns="method")
    found = pd.concat(answered, ignore_index=True).merge(training, on=tables.KEYS.names, how="left")
    base = found[found["train_set"] == BASE].set_index(["model", "method"])["chosen_share"]
    of_base = base.reindex(pd.MultiIndex.from_frame(found[["model", "method"]])).to_numpy()
    wrong = _wrong(found, np.where(found["train_set"] == BASE, 0.0, of_base))
    found["flags"] = [" ".join(name for name in FLAGS if wrong[name][row]) for row in range(len(found))]
    found["broken"] = (found["flags"] != "") & (found["recipe"] != BASE)
    return found[COLUMNS]


def _wrong(found: pd.DataFrame, chosen_by_base: np.ndarray) -> dict[str, np.ndarray]:
    """Which rows have which flag."""
    near = NEAR_UNIFORM * found["uniform_loss"]
    # A random model starts at ln(vocabulary), and may be learning all the same.
    at_uniform = (found["last_loss"] >= near) & (
        (found["first_loss"] < near) | (found["last_loss"] >= found["first_loss"])
    )
    still = found["steps_without_gradient"] >= np.maximum(1, training_checks.ENDING * found["steps"])
    # Where the base model does the same, the adapter was not what broke it.
    one = (found["chosen_share"] >= ONE_OPTION) & (found["right_there_share"] < ONE_OPTION - 0.15)
    return {
        "loss_at_uniform": at_uniform.to_numpy(),
        # A train set learned by heart has neither loss nor gradient, and is not broken.
        "no_gradient": (still & (found["last_loss"] >= found["first_loss"])).to_numpy(),
        "tied": (found["tied_share"] >= MANY_TIES).to_numpy(),
        "one_option": (one & (chosen_by_base < ONE_OPTION)).to_numpy(),
    }


def broken(checks: pd.DataFrame, **key: str) -> list[Adapter]:
    """The broken adapters of a model, recipe and method, or of whatever ``key`` names."""
    rows = checks[checks["broken"].astype(bool)]
    for name, value in key.items():
        rows = rows[rows[name] == value]
    keys = rows[tables.KEYS.names].drop_duplicates().itertuples(index=False, name=None)
    return [Adapter(model, recipe, train_set, int(seed)) for model, recipe, train_set, seed in keys]


def sentence(checks: pd.DataFrame) -> str:
    """What to say of broken adapters, with how many there are; nothing where none is."""
    found = broken(checks)
    if not found:
        return ""
    adapters = checks.loc[checks["recipe"] != BASE, tables.KEYS.names].drop_duplicates()
    rows = checks[checks["broken"].astype(bool)]
    named = []
    for adapter in found[:_LISTED]:
        own = rows[np.logical_and.reduce([rows[name] == value for name, value in adapter._asdict().items()])]
        flags = {flag for text in own["flags"] for flag in text.split()}
        reasons = "; ".join(FLAGS[flag] for flag in FLAGS if flag in flags)
        train_set = specialties.find(adapter.train_set) or adapter.train_set
        named.append(f"{adapter.model}, {adapter.recipe}, {train_set}, seed {adapter.seed} ({reasons})")
    more = f", and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
    return (
        f"{len(found)} of {len(adapters)} adapters are broken, and what is computed from them is no result: "
        f"{'; '.join(named)}{more}. See training_checks.csv."
    )
