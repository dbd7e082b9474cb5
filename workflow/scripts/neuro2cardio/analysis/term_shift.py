"""How fine-tuning shifts the log-probability of clinical terms, of which specialty, and of words that are not terms.

Every shift is adapter minus base model on the same mention, in nats. Mentions are averaged within a question and
questions are averaged; errors are clustered by question and by word. Intervals and tests are conditional on the
adapters that were trained: seeds are averaged, and their spread stands beside them.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray
import pandas as pd

from ..config.analysis import Statistics
from ..core.adapters import Adapter, Axes
from ..core.errors import InputError
from ..core.tables import SCOPES
from ..questions.test_set import ALL, TestSet
from . import resampling
from .clustering import Contrast
from .resampling import benjamini_hochberg

Floats = NDArray[np.float64]

MEASURES = ("mean", "sum", "first", "starts")
"""Log-probability per token (the primary measure), of the whole mention, of its first token, and of the first token of
each of its words, by word."""
GROUPS = ("terms", "own", "other", "placebo")
CONTRASTS = ("terms_minus_placebo", "own_minus_other", "own_adapter_minus_others", "own_by_own")
SENSITIVITY = (
    "terms_minus_placebo_of_equal_tokens",
    "terms_minus_placebo_at_equal_base",
    "own_minus_other_at_equal_base",
)

_PLACEBO = "placebo"
_KEY = ["model", "recipe", "context", "scope"]
_TOO_FEW = "too few questions or words"
_ALL_EQUAL = "all equal"


@dataclass(frozen=True)
class Group:
    """Mentions of which a row of the table is made.

    Attributes:
        contrast: Their weights and clusters.
        n_mentions: How many different terms (of `placebo`, placebos) are in it, each pair once.
        adjusted: The contrast at equal base log-probability, one a measure; empty where it is not taken.
    """

    contrast: Contrast
    n_mentions: int
    adjusted: tuple[Contrast, ...] = ()


@dataclass(frozen=True)
class Design:
    """Which mentions are averaged into which group, for one model, context and scope.

    Attributes:
        mention_ids: (mentions,), the order of `readings`.
        common: Groups that are the same for every train set: `terms`, `placebo`, `terms_minus_placebo` and that of
            equal tokens.
        of_specialty: For each specialty of the grid: `own`, `other` and `own_minus_other`.
        over_specialties: The same over all specialties of the grid; positions count through (specialties, mentions).
        balance: How well the placebos match, as one row of a table.
    """

    context: str
    scope: str
    mention_ids: pd.Index
    common: dict[str, Group]
    of_specialty: list[dict[str, Group]]
    over_specialties: dict[str, Group]
    balance: dict[str, str | int | float]


def readings(frame: pd.DataFrame, mention_ids: pd.Index, context: str) -> Floats:
    """(mentions, measures): one adapter's log-probabilities, NaN where a mention was cut off.

    Raises:
        InputError: The frame does not hold exactly these mentions in this context.
    """
    rows = _aligned(frame, mention_ids, context)
    names = ("n_tokens", "n_words", "logprob_sum", "logprob_first", "logprob_starts")
    n_tokens, n_words, total, first, starts = (rows[name].to_numpy(dtype=float) for name in names)
    with np.errstate(invalid="ignore"):
        per_token, per_word = total / n_tokens, starts / n_words
    return np.stack([per_token, total, first, per_word], axis=1)


def _aligned(frame: pd.DataFrame, mention_ids: pd.Index, context: str) -> pd.DataFrame:
    rows = frame[frame["context"] == context]
    held = pd.Index(rows["mention_id"])
    if held.equals(mention_ids):
        return rows
    if len(held) != len(mention_ids) or not held.is_unique or not mention_ids.isin(held).all():
        key = "/".join(str(frame[name].iloc[0]) for name in Adapter._fields)
        raise InputError(
            f"term log-probabilities of {key}, context {context}: {len(held)} mentions, which are not the "
            f"{len(mention_ids)} of the test questions; delete the file and run again"
        )
    return rows.iloc[held.get_indexer(mention_ids)]


def match_placebos(mentions: pd.DataFrame) -> pd.Series:
    """For each term that has any, the candidate placebo of the nearest number of tokens, on a tie the first by id.

    Args:
        mentions: A `tables.MENTIONS` frame with `n_tokens` beside it, cut-off mentions left out.

    Returns:
        The placebo's `mention_id`, indexed by the term's.
    """
    terms = mentions.loc[mentions["kind"] != _PLACEBO].set_index("mention_id")["n_tokens"]
    candidates = mentions[(mentions["kind"] == _PLACEBO) & mentions["matched_to"].isin(terms.index)]
    distance = (candidates["n_tokens"] - terms.reindex(candidates["matched_to"]).to_numpy()).abs()
    nearest = candidates.assign(distance=distance).sort_values(["matched_to", "distance", "mention_id"])
    return nearest.drop_duplicates("matched_to").set_index("matched_to")["mention_id"]


def design(
    base: pd.DataFrame, mentions: pd.DataFrame, test_set: TestSet, specialties: list[str], context: str, scope: str
) -> Design:
    """Lay out the groups of mentions of the test questions, going by the base model's tokens.

    Args:
        base: The base model's `tables.TERM_LOGPROBS`.
        mentions: `tables.MENTIONS`; those of other questions than the test set's are passed over.
        test_set: The test questions.
        specialties: The grid's; each has groups of its own.
        context: `prompt` or `bare`.
        scope: `strict`, or `broad` for the terms of both lexicons.
    """
    asked = mentions[mentions["question_id"].isin(test_set.question_ids)]
    mention_ids = pd.Index(asked["mention_id"])
    before = readings(base, mention_ids, context)
    asked = asked.assign(
        n_tokens=_aligned(base, mention_ids, context)["n_tokens"].to_numpy(),
        n_words=_aligned(base, mention_ids, context)["n_words"].to_numpy(),
        per_token=before[:, 0],
        question=test_set.question_ids.get_indexer(asked["question_id"]),
        word=pd.factorize(asked["text"].str.casefold())[0],
        position=np.arange(len(asked)),
    )
    in_scope = (asked["kind"] == _PLACEBO) | (asked["scope"].isin(SCOPES[: SCOPES.index(scope) + 1]))
    whole = asked[in_scope & (asked["n_tokens"] > 0)]
    pairs = match_placebos(whole)
    whole = whole.set_index("mention_id")
    terms, placebos, paired = whole[whole["kind"] != _PLACEBO], whole.loc[pairs], whole.loc[pairs.index]
    cut = asked[in_scope & (asked["n_tokens"] == 0)]
    of_specialty = [_of_specialty(terms, name) for name in specialties]
    return Design(
        context,
        scope,
        mention_ids,
        _common(terms, placebos, paired, before),
        [{name: _group(name, parts, before) for name, parts in found.items()} for found in of_specialty],
        _over_specialties(of_specialty, before),
        {"context": context, "scope": scope} | _balance(terms, placebos, paired, cut),
    )


Sides = tuple[pd.DataFrame, pd.DataFrame | None]
"""The mentions of a group, and those that are subtracted from it."""


def _common(terms: pd.DataFrame, placebos: pd.DataFrame, paired: pd.DataFrame, before: Floats) -> dict[str, Group]:
    equal = paired["n_tokens"].to_numpy() == placebos["n_tokens"].to_numpy()
    groups: dict[str, Sides] = {
        "terms": (terms, None),
        "placebo": (placebos, None),
        "terms_minus_placebo": (paired, placebos),
        "terms_minus_placebo_of_equal_tokens": (paired[equal], placebos[equal]),
    }
    return {name: _group(name, sides, before) for name, sides in groups.items()}


def _of_specialty(terms: pd.DataFrame, specialty: str) -> dict[str, Sides]:
    """Own and other terms, and both of the questions that hold both."""
    is_own = np.array([specialty in held for held in terms["specialties"]], dtype=bool)
    own, other = terms[is_own], terms[~is_own]
    both = set(own["question"]) & set(other["question"])
    contrast = own[own["question"].isin(both)], other[other["question"].isin(both)]
    return {"own": (own, None), "other": (other, None), "own_minus_other": contrast}


def _over_specialties(of_specialty: list[dict[str, Sides]], before: Floats) -> dict[str, Group]:
    """A question counts with the mean over the specialties of which it has mentions."""
    groups = {}
    for name in of_specialty[0] if of_specialty else ():
        pieces = [_weights(found[name]).assign(grid=i) for i, found in enumerate(of_specialty)]
        every = pd.concat(pieces, ignore_index=True)
        specialties = every[["question", "grid"]].drop_duplicates()["question"].value_counts()
        share = every["question"].map(specialties).to_numpy()
        groups[name] = _laid_out(name, every.assign(weight=every["weight"] / share), before)
    return groups


def _group(name: str, sides: Sides, before: Floats) -> Group:
    return _laid_out(name, _weights(sides).assign(grid=0), before)


def _weights(sides: Sides) -> pd.DataFrame:
    """Mentions with their share of their question, negative on the side that is subtracted."""
    parts = []
    for side, mentions in enumerate(sides):
        if mentions is not None:
            share = 1 / mentions.groupby("question")["question"].transform("size")
            weight = share.to_numpy(dtype=float) * (1 if side == 0 else -1)
            parts.append(mentions[["question", "word", "position"]].assign(side=side, weight=weight))
    return pd.concat(parts, ignore_index=True)


def _laid_out(name: str, rows: pd.DataFrame, before: Floats) -> Group:
    position, question = rows["position"].to_numpy(), rows["question"].to_numpy()
    weight = rows["weight"].to_numpy(dtype=float) / max(len(np.unique(question)), 1)
    at = rows["grid"].to_numpy() * len(before) + position
    # Under another train set the same words move otherwise: errors are taken from the mean of the train set's own.
    part = pd.factorize(2 * rows["grid"] + rows["side"])[0]
    contrast = Contrast.of(at, weight, part, question, rows["word"].to_numpy())
    counted = rows if name == "own_minus_other" else rows[rows["side"] == 0]
    adjusted = name in ("terms_minus_placebo", "own_minus_other")
    return Group(
        contrast,
        int(counted["position"].nunique()),
        tuple(contrast.at_equal(before[position, measure]) for measure in range(len(MEASURES))) if adjusted else (),
    )


def _balance(
    terms: pd.DataFrame, placebos: pd.DataFrame, paired: pd.DataFrame, cut: pd.DataFrame
) -> dict[str, int | float]:
    """How alike the terms that have a placebo and their placebos are, before any fine-tuning."""
    apart = placebos["n_tokens"].to_numpy() - paired["n_tokens"].to_numpy()
    return {
        "n_terms": len(terms),
        "n_terms_cut_off": int((cut["kind"] != _PLACEBO).sum()),
        "n_pairs": len(paired),
        "tokens_term": paired["n_tokens"].mean(),
        "tokens_placebo": placebos["n_tokens"].mean(),
        "same_tokens_share": (apart == 0).mean() if len(apart) else np.nan,
        "base_logprob_term": paired["per_token"].mean(),
        "base_logprob_placebo": placebos["per_token"].mean(),
        "start_term": paired["start"].mean(),
        "start_placebo": placebos["start"].mean(),
    }


@dataclass(frozen=True)
class Shifts:
    """The shifts of one model, recipe and context, mention by mention.

    Attributes:
        designs: What is averaged, for each scope; all of one context.
        values: (train sets, mentions, 1 + seeds, measures): the mean over seeds, then each seed.
    """

    model: str
    recipe: str
    designs: list[Design]
    values: NDArray[np.float32]


def shifts(
    model: str, recipe: str, designs: list[Design], read: Callable[[Adapter], pd.DataFrame], axes: Axes
) -> list[Shifts]:
    """The shifts of all adapters of one model and recipe, for each context.

    Args:
        model: The model.
        recipe: The recipe.
        designs: What to average, for each context and scope.
        read: Gives an adapter's `tables.TERM_LOGPROBS`.
        axes: The grid.
    """
    by_context: dict[str, list[Design]] = {}
    for laid_out in designs:
        by_context.setdefault(laid_out.context, []).append(laid_out)
    ids = {context: found[0].mention_ids for context, found in by_context.items()}
    frame = read(Adapter.base(model))
    base = {context: readings(frame, mention_ids, context) for context, mention_ids in ids.items()}
    shape = (len(axes.train_set), len(axes.seed))
    # Single precision, in which log-probabilities were computed: the largest array of the analysis.
    wide = (1 + shape[1], len(MEASURES))
    values = {context: np.empty((shape[0], len(i), *wide), dtype=np.float32) for context, i in ids.items()}
    for at, adapter in enumerate(axes.adapters(model, recipe)):
        frame = read(adapter)
        for context, mention_ids in ids.items():
            tuned = readings(frame, mention_ids, context) - base[context]
            values[context][at // shape[1], :, 1 + at % shape[1]] = tuned
    for held in values.values():
        held[:, :, 0] = held[:, :, 1:].mean(axis=2)
    return [Shifts(model, recipe, found, values[context]) for context, found in by_context.items()]


def table(blocks: Iterable[Shifts], axes: Axes, statistics: Statistics) -> pd.DataFrame:
    """Groups and contrasts for each train set, and for the specialties' train sets together (`all`).

    Groups: `terms`, `own` and `other` (of the train set's specialty, or not; controls have neither), `placebo`.
    Contrasts, each within a question: `terms_minus_placebo` (is it about medicine?), `own_minus_other` (is it about the
    specialty, or are these terms quicker to move?), `own_adapter_minus_others` (the same own terms under the other
    specialties' adapters: is it about this adapter, or does it move everything further?), and `own_by_own`
    (`own_minus_other` under the own adapter minus the same under the others': neither quick terms nor an adapter that
    moves everything can make it). Sensitivity: terms minus placebos of exactly as many tokens, and contrasts at
    equal base log-probability.

    Rows of `seed` `all` average the seeds (`seed_sd` is their standard deviation); intervals and `p` are those of
    `Contrast.estimate`, and `note` says why there are none. `p_holm` is Holm's over all train sets of one model,
    recipe, context, scope and measure, each `kind` being a family. The row over all train sets is a family of its own.

    Args:
        blocks: `shifts` of each model and recipe, which may be made as they are asked for.
        axes: The grid.
        statistics: Confidence.
    """
    frames = [_table(block, laid_out, axes, statistics) for block in blocks for laid_out in block.designs]
    result = pd.concat(frames, ignore_index=True)
    pooled = result[result["seed"] == ALL]
    family = [*(pooled[name] for name in (*_KEY, "measure", "kind")), pooled["train_set"] == ALL]
    result["p_holm"] = pooled.groupby(family)["p"].transform(resampling.holm)
    return result


def _table(block: Shifts, laid_out: Design, axes: Axes, statistics: Statistics) -> pd.DataFrame:
    found: dict[str, dict[str, _Cells]] = {name: {} for name in [*axes.train_set, ALL]}
    for train_set, name, group, values in rows_of(laid_out, block.values, axes):
        found[train_set] |= _cells(name, group, values, statistics)
    key = {"model": block.model, "recipe": block.recipe, "context": laid_out.context, "scope": laid_out.scope}
    return _framed(found, axes).assign(**key)[_COLUMNS]


def rows_of(
    laid_out: Design, values: NDArray[np.float32], axes: Axes
) -> Iterator[tuple[str, str, Group, NDArray[np.float32]]]:
    """Train set (or `all`), name, group and values of each row that the table has.

    Args:
        laid_out: The design.
        values: (train sets, mentions, ...) shifts.
        axes: The grid.

    Yields:
        The values to take the group's contrast of: (mentions, ...), or of specialties one after the other.
    """
    rows = axes.specialty_rows
    # Specialties come first in every grid that was not made by hand: no copy then.
    own = values[: len(rows)] if rows == list(range(len(rows))) else values[rows]
    mean = own.mean(axis=0)
    for name, group in laid_out.common.items():
        yield from zip(axes.train_set, repeat(name), repeat(group), values)
        yield ALL, name, group, mean
    for i, row in enumerate(rows):
        yield from ((axes.train_set[row], name, group, own[i]) for name, group in laid_out.of_specialty[i].items())
    yield from ((ALL, name, group, _flat(own)) for name, group in laid_out.over_specialties.items())
    if len(own) > 1:
        against = own - mean
        against *= len(own) / (len(own) - 1)
        for name, under_others in _UNDER_OTHERS.items():
            for i, row in enumerate(rows):
                yield axes.train_set[row], under_others, laid_out.of_specialty[i][name], against[i]
            yield ALL, under_others, laid_out.over_specialties[name], _flat(against)


def _framed(found: "dict[str, dict[str, _Cells]]", axes: Axes) -> pd.DataFrame:
    """One row a train set, group, seed (the mean first) and measure."""
    order = [(kind, name) for kind, names in _KINDS.items() for name in names]
    named = [(train_set, *key) for train_set, held in found.items() for key in order if key[1] in held]
    cells = [found[train_set][name] for train_set, _, name in named]
    n_seeds, n_measures = 1 + len(axes.seed), len(MEASURES)
    each = n_seeds * n_measures
    columns = dict(zip(("train_set", "kind", "group"), zip(*named, strict=True), strict=True))
    frame = pd.DataFrame({name: np.repeat(np.array(values, dtype=object), each) for name, values in columns.items()})
    frame["measure"] = np.tile(MEASURES, len(frame) // n_measures)
    frame["seed"] = np.tile(np.repeat([ALL, *map(str, axes.seed)], n_measures), len(named))
    frame["n_seeds"] = np.where(frame["seed"] == ALL, len(axes.seed), 1)
    for name in ("n_mentions", "n_words", "n_questions", "shift", "low", "high", "p", "note"):
        frame[name] = np.concatenate([np.broadcast_to(getattr(cell, name), each) for cell in cells])
    return frame.assign(seed_sd=_seed_sd(frame["shift"].to_numpy(dtype=float), n_seeds, n_measures))


def _seed_sd(shifts: Floats, n_seeds: int, n_measures: int) -> Floats:
    """The spread between seeds beside each mean over them; NaN elsewhere, and with one seed."""
    by_group = shifts.reshape(-1, n_seeds, n_measures)
    spread = np.full_like(by_group, np.nan)
    if n_seeds > 2:
        spread[:, 0] = by_group[:, 1:].std(axis=1, ddof=1)
    return spread.ravel()


_KINDS = {"group": GROUPS, "contrast": CONTRASTS, "sensitivity": SENSITIVITY}
_UNDER_OTHERS = {"own": "own_adapter_minus_others", "own_minus_other": "own_by_own"}
"""What a group of the own adapter's shifts is called where the other adapters' are subtracted from them."""
_COLUMNS = [
    *(*_KEY, "train_set", "seed", "measure", "kind", "group", "n_mentions", "n_words", "n_seeds", "n_questions"),
    *("shift", "low", "high", "p", "seed_sd", "note"),
]


def _flat(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values.reshape(-1, *values.shape[2:])


@dataclass(frozen=True)
class _Cells:
    """Columns of some rows of the table; counts are the same for all of them."""

    n_mentions: int
    n_words: int
    n_questions: int
    shift: Floats
    low: Floats
    high: Floats
    p: Floats
    note: NDArray[np.object_]


def _cells(name: str, group: Group, values: NDArray[np.float32], statistics: Statistics) -> dict[str, _Cells]:
    """A group's rows, by its name, over seeds and measures, and those at equal base.

    Args:
        name: Of the group.
        group: The group.
        values: (mentions, 1 + seeds, measures), or of specialties one after the other.
        statistics: Confidence.
    """
    held = values[group.contrast.at]
    cells = held.reshape(len(held), values.shape[1] * values.shape[2])
    found = {name: _estimated(group, [group.contrast], cells, statistics)}
    if group.adjusted and f"{name}_at_equal_base" in SENSITIVITY:
        found[f"{name}_at_equal_base"] = _estimated(group, group.adjusted, held, statistics)
    return found


def _estimated(
    group: Group, contrasts: Sequence[Contrast], held: NDArray[np.float32], statistics: Statistics
) -> _Cells:
    """Estimates of (observations, ..., contrasts), each contrast its own cells, or of (observations, cells) by one."""
    parts = [held] if len(contrasts) == 1 else [held[..., i] for i in range(len(contrasts))]
    found = [contrast.estimate(part, statistics.confidence) for contrast, part in zip(contrasts, parts, strict=True)]
    columns = {name: np.stack([getattr(part, name) for part in found], axis=1).ravel() for name in _ESTIMATED}
    note = np.where(np.isnan(columns["low"]), _TOO_FEW, "").astype(object)
    note[columns.pop("all_equal")] = _ALL_EQUAL
    first = contrasts[0]
    return _Cells(group.n_mentions, first.n_words, first.n_questions, **columns, note=note)


_ESTIMATED = ("shift", "low", "high", "p", "all_equal")


def grid_table(blocks: Iterable[Shifts], axes: Axes, statistics: Statistics) -> pd.DataFrame:
    """Train set x specialty of the terms: shift per token, seeds averaged; `q` is Benjamini-Hochberg's over a grid."""
    frames = [_grid(block, laid_out, axes, statistics) for block in blocks for laid_out in block.designs]
    return pd.concat(frames, ignore_index=True)


def _grid(block: Shifts, laid_out: Design, axes: Axes, statistics: Statistics) -> pd.DataFrame:
    values = block.values[:, :, 0, 0].T
    columns = []
    for specialty, groups in zip(axes.specialties, laid_out.of_specialty, strict=True):
        group = groups["own"]
        cells = _estimated(group, [group.contrast], values[group.contrast.at], statistics)
        columns.append(pd.DataFrame(vars(cells)).assign(term_specialty=specialty, train_set=axes.train_set))
    frame = pd.concat(columns, ignore_index=True)
    order = {name: i for i, name in enumerate(axes.train_set)}
    frame = frame.sort_values("train_set", key=lambda names: names.map(order), kind="stable", ignore_index=True)
    key = {"model": block.model, "recipe": block.recipe, "context": laid_out.context, "scope": laid_out.scope}
    leading = [*_KEY, "train_set", "term_specialty", "n_mentions", "n_words", "n_seeds", "n_questions"]
    frame = frame.assign(**key, n_seeds=len(axes.seed), q=benjamini_hochberg(frame["p"]))
    return frame[[*leading, "shift", "low", "high", "p", "note", "q"]]
