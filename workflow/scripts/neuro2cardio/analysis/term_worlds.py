"""Made-up grids of term log-probabilities whose truth is known: how often the tests of `term_shift` are wrong."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
import pandas as pd

from ..core import specialties, tables
from ..core.adapters import Axes
from ..questions.test_set import ALL, TestSet
from . import term_shift

Floats = NDArray[np.float64]

_CHUNK = 50
"""Draws computed at once: what bounds the memory."""


@dataclass(frozen=True)
class TermWorld:
    """What shifts log-probabilities (nats per token) in a made-up grid; standard deviations and planted effects.

    Attributes:
        specialties: Train sets, and specialties of questions.
        questions: Test questions of each.
        terms: Mentions of terms in a question, each with a placebo.
        words: Different terms of a specialty; as in texts, few of them are frequent (Zipf and Mandelbrot).
        seeds: Adapters of each train set; only noise differs between them.
        word: Of effects of words, the same under every adapter.
        question: Of effects of questions, likewise.
        mention: Of effects of single mentions, likewise.
        adapter: Of effects of train sets on all mentions.
        adapter_word: Of effects of words that differ from train set to train set.
        noise: Of single mentions under single adapters.
        medicine: Added to terms, not to placebos.
        own: Added to terms of the train set's specialty.
    """

    specialties: int = 3
    questions: int = 60
    terms: int = 8
    words: int = 150
    seeds: int = 1
    word: float = 0.0
    question: float = 0.0
    mention: float = 0.0
    adapter: float = 0.0
    adapter_word: float = 0.0
    noise: float = 0.3
    medicine: float = 0.0
    own: float = 0.0


DEMO = TermWorld(word=0.5, question=0.23, mention=0.44, adapter_word=0.21, noise=0.21)
"""What shifts log-probabilities in the demo, by `benchmarks/term_effects.py`."""
NULLS = {
    "nothing": TermWorld(),
    "words": TermWorld(word=0.33),
    "words and questions": TermWorld(word=0.33, question=0.2),
    "words by train set": TermWorld(word=0.33, adapter_word=0.2),
    "train sets": TermWorld(word=0.33, adapter=0.3),
    "few questions": TermWorld(questions=15, word=0.33, question=0.2),
    "few terms, as in the demo": replace(DEMO, terms=2),
}
"""Worlds without effect on terms, or on own terms."""


def simulate(world: TermWorld, draws: int, seed: int, confidence: float = 0.95) -> pd.DataFrame:
    """What `term_shift.table` would say of so many grids of a world.

    The mentions are the same in all of them; words, questions, adapters and noise are drawn anew.

    Args:
        world: What is planted.
        draws: How many grids.
        seed: Of all that is drawn.
        confidence: Of the intervals.

    Returns:
        One row a draw, train set (`all` included) and group: `train_set`, `group`, `draw`, `shift`, `low`, `high`, `p`
        and `truth`, the effect that was planted under the adapters drawn; NaN bounds where there are too few clusters.
    """
    rng = np.random.default_rng(seed)
    names = list(specialties.SPECIALTIES[: world.specialties])
    mentions, test_set = made_up(world, names, rng)
    return on_mentions(world, names, mentions, test_set, draws, rng, confidence)


def on_mentions(
    world: TermWorld,
    names: list[str],
    mentions: pd.DataFrame,
    test_set: TestSet,
    draws: int,
    rng: np.random.Generator,
    confidence: float = 0.95,
    scope: str = "strict",
) -> pd.DataFrame:
    """The same with effects drawn for given mentions, in place of `world`'s questions, terms and words.

    Args:
        world: What is planted.
        names: The specialties that have a train set.
        mentions: `tables.MENTIONS`, placebos among them.
        test_set: The test questions.
        draws: How many grids.
        rng: Of all that is drawn.
        confidence: Of the intervals.
        scope: `strict`, or `broad` for the terms of both lexicons.

    Returns:
        As `simulate`.
    """
    axes = Axes(model=["m"], recipe=["r"], train_set=[specialties.slug(n) for n in names], seed=[1])
    mentions = mentions[mentions["question_id"].isin(test_set.question_ids)].reset_index(drop=True)
    laid_out = term_shift.design(_base(mentions, rng), mentions, test_set, names, "prompt", scope)
    frames = []
    for start in range(0, draws, _CHUNK):
        values, truth = _values(world, names, mentions, min(_CHUNK, draws - start), rng)
        both = zip(term_shift.rows_of(laid_out, values, axes), term_shift.rows_of(laid_out, truth, axes), strict=True)
        for (train_set, name, group, held), (*_, expected) in both:
            at = group.contrast.at
            found = group.contrast.estimate(held[at], confidence)
            columns = {"shift": found.shift, "low": found.low, "high": found.high, "p": found.p}
            row = pd.DataFrame(columns).assign(truth=group.contrast.weight @ expected[at].astype(float))
            row["draw"] = start + np.arange(len(row))
            frames.append(row.assign(train_set=train_set, group=name))
    return pd.concat(frames, ignore_index=True)


def made_up(world: TermWorld, names: list[str], rng: np.random.Generator) -> tuple[pd.DataFrame, TestSet]:
    """`tables.MENTIONS`, seven terms in ten of the question's specialty, a placebo beside each; and the questions."""
    primary = np.repeat(names, world.questions)
    question_ids = [f"q{i}" for i in range(len(primary))]
    often = 1 / (10 + np.arange(world.words))
    rows = []
    for question_id, held in zip(question_ids, primary, strict=True):
        for i in range(world.terms):
            name = held if rng.random() < 0.7 else str(rng.choice(names))
            word, other = rng.choice(world.words, 2, p=often / often.sum())
            mention = f"{question_id}-{i}"
            rows.append([mention, question_id, 0, 1, f"{name} {word}", [], [name], "disorder", "strict", ""])
            rows.append([f"{mention}p", question_id, 0, 1, f"word {other}", [], [], "placebo", "strict", mention])
    n = len(primary)
    members = {name: primary == name for name in names} | {ALL: np.ones(n, dtype=bool)}
    test_set = TestSet(pd.Index(question_ids), np.zeros(n, dtype=np.int64), np.full(n, 4), members)
    return pd.DataFrame(rows, columns=tables.MENTIONS.names), test_set


def _base(mentions: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The base model's readings: two tokens a mention."""
    per_token = rng.normal(-5, 1, len(mentions))
    sums = {"logprob_sum": 2 * per_token, "logprob_first": per_token, "logprob_starts": per_token}
    counts = {"context": "prompt", "n_tokens": 2, "n_words": 1}
    return mentions[["mention_id", "question_id"]].assign(**counts, **sums)


def _values(
    world: TermWorld, names: list[str], mentions: pd.DataFrame, draws: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(train sets, mentions, draws) shifts, and what is expected of them given the adapters."""
    word, question = (pd.factorize(mentions[name].str.casefold())[0] for name in ("text", "question_id"))
    n_words, n_questions, t = word.max() + 1, question.max() + 1, len(names)
    is_term = (mentions["kind"] != "placebo").to_numpy()[None, :, None]
    is_own = np.array([[name in held for held in mentions["specialties"]] for name in names])[..., None]
    truth = world.adapter * rng.standard_normal((t, 1, draws)) + world.medicine * is_term + world.own * is_own
    values = truth + world.word * rng.standard_normal((n_words, draws))[word]
    values += world.adapter_word * rng.standard_normal((t, n_words, draws))[:, word]
    values += world.question * rng.standard_normal((n_questions, draws))[question]
    if world.mention:
        values += world.mention * rng.standard_normal(values.shape[1:])
    values += world.noise / np.sqrt(world.seeds) * rng.standard_normal(values.shape)
    return values.astype(np.float32), truth.astype(np.float32)
