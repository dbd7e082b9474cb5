"""Differences between runs in how far fine-tuning shifts the log-probability of clinical terms."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
import pandas as pd

from ..analysis.clustering import Contrast
from ..analysis.resampling import benjamini_hochberg
from ..core import tables
from ..core.adapters import Adapter
from ..core.errors import InputError
from ..core.specialties import slug
from .run_settings import Run

Floats = NDArray[np.float64]


def rows(
    runs: tuple[Run, Run],
    first: tuple[str, str],
    other: tuple[str, str],
    missing: list[str],
    names: Mapping[str, str],
) -> list[dict[str, Any]]:
    """One row a train set and group of mentions (own, other, placebo) that both runs scored.

    A mention's shift is adapter minus base model in nats per token, seeds averaged, in the first context of the first
    run. The difference of the runs' shifts is taken mention by mention; mentions are averaged within a question and
    questions are averaged. Errors are clustered by question and by word (`clustering.Contrast`).

    Args:
        runs: The first run and the other.
        first: Model and recipe of the first run.
        other: Those of the other.
        missing: Where to say what could not be read.
        names: The columns that lead each row.
    """
    try:
        mentions = [tables.read(run.folder / "test_split/mentions.parquet", tables.MENTIONS) for run in runs]
    except InputError as error:
        missing.append(str(error))
        return []
    shared = mentions[0][(mentions[0]["scope"] == "strict") & mentions[0]["mention_id"].isin(mentions[1]["mention_id"])]
    shared = shared[shared["question_id"].isin(runs[1].test_set.question_ids)].set_index("mention_id")
    context = ((runs[0].settings.get("terms") or {}).get("contexts") or ["prompt"])[0]
    key = {"first_run": runs[0].name, "run": runs[1].name, **names, "context": context}
    found = []
    for train_set in (name for name in runs[0].axes.train_set if name in runs[1].axes.train_set):
        shifts = [_shift(run, own, train_set, context) for run, own in zip(runs, (first, other), strict=True)]
        if shifts[0] is not None and shifts[1] is not None:
            both = shared.assign(a=shifts[0], b=shifts[1]).dropna(subset=["a", "b"])
            found += [{**key, "train_set": train_set, **row} for row in _groups(both, train_set, runs[0])]
    return found


def _shift(run: Run, own: tuple[str, str], train_set: str, context: str) -> "pd.Series[float] | None":
    """Shift of each mention in nats per token; None where base or an adapter is missing or cannot be read."""
    folder = run.folder / "term_logprobs"
    paths = [Adapter(*own, train_set, seed).path(folder) for seed in run.axes.seed]
    base = Adapter.base(own[0]).path(folder)
    if not all(path.is_file() for path in (base, *paths)):
        return None
    try:
        per_token = [_per_token(tables.read(path, tables.TERM_LOGPROBS), context) for path in (base, *paths)]
    except InputError:
        return None
    return sum(per_token[2:], per_token[1]) / len(paths) - per_token[0]


def _per_token(frame: pd.DataFrame, context: str) -> "pd.Series[float]":
    own = frame[(frame["context"] == context) & (frame["n_tokens"] > 0)].set_index("mention_id")
    return own["logprob_sum"] / own["n_tokens"]


def _groups(mentions: pd.DataFrame, train_set: str, run: Run) -> list[dict[str, Any]]:
    placebo = mentions["kind"] == "placebo"
    own = mentions["specialties"].map(lambda held: train_set in map(slug, held)) & ~placebo
    groups = {"placebo": placebo}
    groups |= {"own": own, "other": ~own & ~placebo} if own.any() else {"terms": ~placebo}
    return [
        {"group": name, **_estimate(mentions[chosen], run.confidence)}
        for name, chosen in groups.items()
        if chosen.any()
    ]


def _estimate(rows: pd.DataFrame, confidence: float) -> dict[str, Any]:
    """The mean difference of a group of mentions, with its interval."""
    question, _ = pd.factorize(rows["question_id"])
    word, _ = pd.factorize(rows["text"].str.casefold())
    weight = 1 / np.bincount(question)[question] / (question.max() + 1)
    zeros = np.zeros(len(rows), dtype=np.int64)
    contrast = Contrast.of(np.arange(len(rows)), weight, zeros, question, word)
    found = contrast.estimate((rows["b"] - rows["a"]).to_numpy(dtype=float)[:, None], confidence)
    means = {"first": float(weight @ rows["a"]), "other": float(weight @ rows["b"])}
    interval = {"low": found.low[0], "high": found.high[0], "p": found.p[0]}
    counts = {"n_mentions": len(rows), "n_questions": contrast.n_questions, "n_words": contrast.n_words}
    return {**means, "difference": found.shift[0], **interval, **counts}


def table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """All rows with q: Benjamini-Hochberg's over one run, model and recipe."""
    made = pd.DataFrame(rows)
    if not made.empty:
        made["q"] = made.groupby(["run", "model", "recipe"])["p"].transform(benjamini_hochberg)
    return made
