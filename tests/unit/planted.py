"""A grid's tables with effects planted in them, in the folders where the workflow would put them."""

from pathlib import Path

import numpy as np
import pandas as pd

from neuro2cardio.core import tables
from neuro2cardio.core.adapters import Adapter, Axes

CONTEXTS = ["prompt", "bare"]


def questions(axes, each=60, also=0.2, seed=0):
    """So many test questions of each specialty, a share of them of a second specialty too."""
    rng = np.random.default_rng(seed)
    names = axes.specialties
    primary = np.repeat(names, each)
    second = rng.choice(names, len(primary))
    rows = []
    for i, (first, other) in enumerate(zip(primary, second, strict=True)):
        held = [first, other] if other != first and rng.random() < also else [first]
        rows.append(
            [f"q{i:05d}", "test", "planted", str(i), "stem", list("wxyz"), int(rng.integers(4)), first, held, []]
        )
    return pd.DataFrame(rows, columns=tables.QUESTIONS.names)


def predictions(folder: Path, axes, asked, effect, methods=("cloze",), base_accuracy=0.4, spread=0.0, pull=0.0, seed=0):
    """Write every adapter's predictions; `effect(train_set, specialties)` is what it adds to the chance to be right.

    `spread` is the standard deviation between seeds, `pull` the chance that letter A is taken whatever stands there.
    """
    rng = np.random.default_rng(seed)
    luck = rng.random(len(asked))
    for adapter in axes.everything():
        shift = 0.0 if adapter.train_set == "base" else spread * rng.standard_normal()
        gain = np.array(
            [0.0 if adapter.train_set == "base" else effect(adapter.train_set, s) for s in asked.specialties]
        )
        noise = np.where(rng.random(len(asked)) < 0.7, luck, rng.random(len(asked)))
        right = noise < base_accuracy + gain + shift
        frames = [answered(asked, right, method, pull, rng) for method in methods]
        _write(pd.concat(frames), folder, adapter, tables.PREDICTIONS)


def answered(asked, right, method, pull, rng):
    answer = asked["answer"].to_numpy()
    content = np.where(right, answer, (answer + rng.integers(1, 4, len(asked))) % 4)
    frames = []
    for order in range(1 if method == "cloze" else 4):
        pulled = (method != "cloze") & (rng.random(len(asked)) < pull)
        chosen = np.where(pulled, (0 - order) % 4, content)
        logprobs = np.full((len(asked), 4), -2.0)
        logprobs[np.arange(len(asked)), chosen] = -1.0
        frames.append(
            pd.DataFrame(
                {
                    "method": method,
                    "question_id": asked["question_id"],
                    "permutation": order,
                    "option_logprobs": [[]] * len(asked) if method == "generate" else logprobs.tolist(),
                    "answer_mass": np.exp(logprobs).sum(axis=1) if method == "letter" else np.nan,
                    "chosen": chosen,
                    "correct": chosen == answer,
                }
            )
        )
    return pd.concat(frames)


def mentions(axes, asked, each=5, candidates=2, seed=0):
    """Terms of the question's and of other specialties, and placebos beside the strict ones."""
    rng = np.random.default_rng(seed)
    rows = []
    for question, held in zip(asked["question_id"], asked["specialties"], strict=True):
        for i in range(each):
            name = held[0] if rng.random() < 0.6 else str(rng.choice(axes.specialties))
            scope = "broad" if i % 5 == 4 else "strict"
            mention = f"{question}-{i}"
            text = f"{name} term {rng.integers(30)}"
            rows.append([mention, question, 20 * i, 20 * i + 8, text, ["X:1"], [name], "disorder", scope, ""])
            for c in range(candidates if scope == "strict" else 0):
                at = 20 * i + 10 + c
                word = f"word {rng.integers(200)}"
                rows.append([f"{mention}p{c}", question, at, at + 1, word, [], [], "placebo", scope, mention])
    return pd.DataFrame(rows, columns=tables.MENTIONS.names)


def term_logprobs(folder: Path, axes, found, effect, contexts=CONTEXTS, noise=0.3, spread=0.0, cut=0.0, seed=0):
    """Write every adapter's term log-probabilities; `effect(train_set, specialties, kind)` is the shift per token."""
    rng = np.random.default_rng(seed)
    n_tokens = rng.integers(1, 5, len(found)) * (rng.random(len(found)) >= cut)
    per_token = rng.normal(-5, 1, len(found))
    codes, names = pd.factorize(found["question_id"])
    for adapter in axes.everything():
        is_base = adapter.train_set == "base"
        shift = np.zeros(len(found))
        if not is_base:
            planted = [effect(adapter.train_set, *m) for m in zip(found["specialties"], found["kind"], strict=True)]
            by_question = rng.normal(0, noise, len(names))[codes]
            shift = np.array(planted) + by_question + rng.normal(0, noise, len(found)) + spread * rng.standard_normal()
        total = np.where(n_tokens > 0, (per_token + shift) * n_tokens, np.nan)
        frame = pd.DataFrame(
            {
                "mention_id": found["mention_id"],
                "question_id": found["question_id"],
                "n_tokens": n_tokens,
                "n_words": np.minimum(n_tokens, 2),
                "logprob_sum": total,
                "logprob_first": np.where(n_tokens > 0, per_token + shift, np.nan),
                "logprob_starts": np.where(n_tokens > 0, (per_token + shift) * np.minimum(n_tokens, 2), np.nan),
            }
        )
        frames = [frame.assign(context=context) for context in contexts]
        _write(pd.concat(frames), folder, adapter, tables.TERM_LOGPROBS)


def training_curves(folder: Path, axes, steps=60, seed=0):
    """Write every adapter's training.csv."""
    rng = np.random.default_rng(seed)
    for adapter in axes.everything():
        if adapter.train_set != "base":
            step = np.arange(1, steps + 1)
            frame = pd.DataFrame(
                {
                    "step": step,
                    "loss": 2.5 * np.exp(-step / 20) + 0.6 + rng.normal(0, 0.08, steps),
                    "learning_rate": 2e-4 * (1 - step / steps),
                    "grad_norm": rng.gamma(3, 0.3, steps),
                    "tokens": 900,
                    "seconds": 4.0,
                }
            )
            tables.write_csv(frame, adapter.path(folder, "") / "training.csv")


def _write(frame, folder: Path, adapter: Adapter, schema):
    tables.write(frame.assign(**adapter._asdict()), adapter.path(folder), schema)


def axes_of(train_sets, models=("small",), recipes=("completion",), seeds=(1, 2)):
    return Axes(model=list(models), recipe=list(recipes), train_set=list(train_sets), seed=list(seeds))
