"""How much words, questions and single mentions shift by themselves: what `snakemake power` assumes.

    PYTHONPATH=workflow/scripts python benchmarks/term_effects.py results/demo smollm2-135m completion

Standard deviations, in nats per token, of changes from the base model to the adapters of specialties, in the prompt;
terms and placebos each around their own mean. By moments: the variance of mentions of one word, products of two
mentions of one question with different words, and each adapter's deviations from the adapters' mean (of words:
`adapter_word`; of single mentions: `noise`).
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from neuro2cardio.analysis import term_shift
from neuro2cardio.core import specialties, tables


def main() -> None:
    """Print the standard deviations."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("model")
    parser.add_argument("recipe")
    asked = parser.parse_args()
    mentions = tables.read(asked.results / "test_split/mentions.parquet", tables.MENTIONS)
    shifts = _shifts(asked.results / "term_logprobs" / asked.model, asked.recipe, pd.Index(mentions["mention_id"]))
    mentions = mentions[(mentions["scope"] == "strict").to_numpy() & shifts.notna().all(axis=1).to_numpy()]
    mentions = mentions.set_index("mention_id")
    shifts = shifts.loc[mentions.index]
    for name, value in _parts(shifts, mentions).items():
        print(f"{name} {value:.2f}")
    questions = mentions["question_id"].nunique()
    print(f"of {len(shifts)} mentions in {questions} questions, under {shifts.shape[1]} adapters")


def _shifts(folder: Path, recipe: str, mention_ids: pd.Index) -> pd.DataFrame:
    """(mentions, adapters) changes per token; NaN where a mention was cut off."""
    names = {specialties.slug(name) for name in specialties.SPECIALTIES}
    files = [f for f in sorted((folder / recipe).glob("*/seed-*.parquet")) if f.parent.name in names]
    base, *found = (
        term_shift.readings(tables.read(file, tables.TERM_LOGPROBS), mention_ids, "prompt")[:, 0]
        for file in (folder / "base.parquet", *files)
    )
    return pd.DataFrame(np.stack(found, axis=1) - base[:, None], index=mention_ids)


def _parts(shifts: pd.DataFrame, mentions: pd.DataFrame) -> dict[str, float]:
    n, kind = shifts.shape[1], (mentions["kind"] == "placebo").to_numpy()
    centred = shifts - shifts.groupby(kind).transform("mean")
    shared = centred.mean(axis=1)
    word, question = mentions["text"].str.casefold(), mentions["question_id"]
    total, within = float((shared**2).mean()), _within(shared, word, kind)
    by_question = _product(shared, question, word)
    # Deviations from the mean of n adapters vary by (n - 1) / n of what adapters do.
    own = centred.sub(shared, axis=0) * np.sqrt(n / (n - 1))
    noise = float(np.mean([_within(own[name], word, kind) for name in own]))
    adapter_word = float((own**2).to_numpy().mean()) - noise
    mention = within - by_question - noise / n
    found = {"word": total - within - adapter_word / n, "question": by_question, "mention": mention}
    found |= {"adapter_word": adapter_word, "noise": noise}
    return {name: float(np.sqrt(max(value, 0.0))) for name, value in found.items()}


def _within(values: pd.Series, word: pd.Series, kind: np.ndarray) -> float:
    """Variance of mentions of one word around their mean, pooled over words with several."""
    groups = values.groupby([word, kind])
    return float((groups.var(ddof=1) * (groups.count() - 1)).sum() / (groups.count() - 1).sum())


def _product(values: pd.Series, question: pd.Series, word: pd.Series) -> float:
    """Mean product of two mentions of one question with different words."""
    total, pairs = 0.0, 0
    for _, held in pd.DataFrame({"value": values, "word": word}).groupby(question):
        unlike = held["word"].to_numpy()[:, None] != held["word"].to_numpy()
        total += float((np.outer(held["value"], held["value"]) * unlike).sum())
        pairs += int(unlike.sum())
    return total / pairs


if __name__ == "__main__":
    main()
