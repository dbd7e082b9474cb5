"""How much of a model's probability is on the answers it is offered: where it is little, accuracy says little."""

import pandas as pd

from ..core import tables
from ..core.base_rows import BASE

LOW = 0.5
"""Below this mean probability on the letters, a model does not answer where its answer is read."""
_GROUP = ["model", "recipe", "train_set", "method"]


def of_adapter(predictions: pd.DataFrame) -> pd.DataFrame:
    """One adapter's sums over its prompts, by method: what `table` is made from.

    Args:
        predictions: A `tables.PREDICTIONS` frame of one adapter.

    Returns:
        One row a method: the key columns, `method`, `prompts`, `mass` (sum of `answer_mass`, NaN where the method has
        none) and `unparsed` (generated texts that name no option).
    """
    by_method = predictions.assign(unparsed=predictions["chosen"] < 0).groupby("method", sort=False)
    counted = by_method.agg(prompts=("chosen", "size"), unparsed=("unparsed", "sum"))
    counted["mass"] = by_method["answer_mass"].sum(min_count=1)
    return counted.reset_index().assign(**predictions[tables.KEYS.names].iloc[0])


def table(sums: list[pd.DataFrame]) -> pd.DataFrame:
    """Mean probability of the offered letters, and share of unparsed texts, of each train set and base, seeds pooled.

    Returns:
        One row a model, recipe, train set and method: `n_seeds`, `n_prompts` (questions in all their orders, over all
        seeds), `answer_mass` (method `letter`, else empty) and `unparsed_share` (method `generate`, else empty).
    """
    pooled = pd.concat(sums, ignore_index=True).groupby(_GROUP, sort=False)
    found = pooled.agg(n_seeds=("seed", "nunique"), n_prompts=("prompts", "sum"), unparsed=("unparsed", "sum"))
    found["answer_mass"] = pooled["mass"].sum(min_count=1) / found["n_prompts"]
    found = found.reset_index()
    found["unparsed_share"] = (found["unparsed"] / found["n_prompts"]).where(found["method"] == "generate")
    return found.drop(columns="unparsed")


def warnings(masses: pd.DataFrame) -> list[str]:
    """A sentence for each base model that puts less than half of its probability on the offered letters."""
    low = masses[(masses["train_set"] == BASE) & (masses["answer_mass"] < LOW)]
    return [
        f"The base model {row.model} puts {row.answer_mass:.2f} of its probability on the offered letters (method "
        f"{row.method}): its accuracy is read where it mostly does not answer, and a gain can be learned format."
        for row in low.itertuples()
    ]
