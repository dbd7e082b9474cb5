"""Does the place of an option decide? Recall by letter, and answers that change when the options change places."""

from string import ascii_uppercase

import numpy as np
import pandas as pd

from ..config.analysis import Statistics
from ..core import tables
from ..questions.test_set import TestSet
from . import answers, resampling
from .resampling import Floats

METHODS = ("letter", "generate")
"""Methods that show the options in a place; `cloze` shows none."""

_GROUP = ["model", "recipe", "train_set", "method"]


def letters(predictions: pd.DataFrame, test_set: TestSet) -> pd.DataFrame:
    """Count one adapter's choices by letter.

    In permutation ``p`` of ``k`` options the one with index ``i`` stands at letter ``(i + p) % k``. Options that share
    the highest log-probability share the choice: each counts by its part.

    Returns:
        One row a method and letter: `asked` (prompts), `gold` (of them with the right option at this letter), `hits`
        (of them answered rightly), `chosen` (prompts answered with this letter), `questions`, and `flipped` (questions
        whose chosen option, or failure to parse, differs between orders).
    """
    shown = predictions[predictions["method"].isin(METHODS)]
    at = test_set.question_ids.get_indexer(shown["question_id"])
    k, order = test_set.n_options[at], shown["permutation"].to_numpy()
    gold_letter = (test_set.answers[at] + order) % k
    places = np.arange(k.max(initial=1))
    credit = _credit(shown, len(places))
    letter_of = np.where(places < k[:, None], (places + order[:, None]) % k[:, None], -1)
    hit = credit[np.arange(len(shown)), test_set.answers[at]]
    flips = shown.groupby(["method", "question_id"])["chosen"].nunique() > 1
    rows = []
    for method in (name for name in METHODS if (shown["method"] == name).any()):
        asked = (shown["method"] == method).to_numpy()
        for letter in range(int(k[asked].max())):
            gold = asked & (gold_letter == letter)
            rows.append(
                {
                    "method": method,
                    "letter": ascii_uppercase[letter],
                    "asked": asked.sum(),
                    "gold": gold.sum(),
                    "hits": hit[gold].sum(),
                    "chosen": credit[asked][letter_of[asked] == letter].sum(),
                    "questions": len(flips[method]),
                    "flipped": flips[method].sum(),
                }
            )
    columns = [*tables.KEYS.names, "method", "letter", "asked", "gold", "hits", "chosen", "questions", "flipped"]
    return pd.DataFrame(rows).assign(**predictions[tables.KEYS.names].iloc[0]).reindex(columns=columns)


def _credit(shown: pd.DataFrame, options: int) -> Floats:
    """(prompts, options): 1 for the option that was chosen, 1/k for each of a k-fold tie, nothing where none was."""
    credit = np.zeros((len(shown), options))
    scored = (shown["method"] == "letter").to_numpy()
    if scored.any():
        best = answers.highest(answers.option_logprobs(shown[scored]))
        credit[scored, : best.shape[1]] = best / best.sum(axis=1, keepdims=True)
    chosen = shown["chosen"].to_numpy()
    voted = np.flatnonzero(~scored & (chosen >= 0))
    credit[voted, chosen[voted]] = 1.0
    return credit


def table(counts: list[pd.DataFrame], statistics: Statistics) -> pd.DataFrame:
    """Position bias of each train set and of the base model, seeds pooled; one row a letter.

    `recall` is the share of prompts with the right option at that letter that were answered rightly, its interval
    Wilson's with one seed's number of prompts. `recall_sd` is the standard deviation of recall over letters (RStd of
    Zheng et al. 2024, "Large language models are not robust multiple choice selectors"), `flip_rate` the share of
    questions whose answer depends on the order, empty where there is one order only.
    """
    every = pd.concat(counts, ignore_index=True)
    pooled = every.groupby([*_GROUP, "letter"], sort=False).agg(
        n_seeds=("seed", "nunique"),
        **{name: (name, "sum") for name in ("asked", "gold", "hits", "chosen", "questions", "flipped")},
    )
    result = pooled.reset_index()
    result["n_questions"] = result["questions"] // result["n_seeds"]
    result["permutations"] = result["asked"] // result["questions"]
    result["recall"] = result["hits"] / result["gold"]
    low, high = resampling.wilson(result["recall"], result["gold"] / result["n_seeds"], statistics.confidence)
    result["recall_low"], result["recall_high"] = low, high
    result["chosen_share"] = result["chosen"] / result["asked"]
    result["recall_sd"] = result.groupby(_GROUP)["recall"].transform("std", ddof=0)
    result["flip_rate"] = (result["flipped"] / result["questions"]).where(result["permutations"] > 1)
    kept = ["n_questions", "n_seeds", "permutations", "recall", "recall_low", "recall_high", "chosen_share"]
    return result[[*_GROUP, "letter", *kept, "recall_sd", "flip_rate"]]
