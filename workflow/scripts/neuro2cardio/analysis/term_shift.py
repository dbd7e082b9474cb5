"""How fine-tuning shifts the log-probability of clinical terms, of which specialty, and of words that are no term.

Every shift is adapter minus base model on the same mention, in nats. Mentions are averaged within a question, and the
question is the unit of every interval and test.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
import pandas as pd
from scipy.sparse import csr_array

from ..config.analysis import Statistics
from ..core.adapters import Adapter, Axes
from ..core.errors import InputError
from ..core.tables import SCOPES
from ..questions.test_set import ALL, TestSet
from . import resampling
from .resampling import Floats, benjamini_hochberg

MEASURES = ("mean", "sum", "first")
"""Log-probability per token (the primary measure), of the whole mention, and of its first token."""
GROUPS = ("terms", "own", "other", "placebo")
CONTRASTS = ("terms_minus_placebo", "own_minus_other", "own_adapter_minus_others")
SENSITIVITY = ("terms_minus_placebo_of_equal_tokens",)

_PLACEBO = "placebo"
_FIXED = ("terms", "placebo", "pairs", "equal pairs")
_KEY = ["model", "recipe", "context", "scope"]


@dataclass(frozen=True)
class Design:
    """Which mentions are averaged into which group of which question, for one model, context and scope.

    The groups are `terms`, `placebo`, `pairs` (term minus its placebo), `equal pairs` (of as many tokens), then one a
    specialty of the grid.

    Attributes:
        mention_ids: (mentions,), the order of `readings`.
        weights: (groups x questions, mentions): 1 for each mention of a group; in `pairs`, -1 for the placebo.
        counts: (groups, questions), mentions of a group in a question, or pairs of them.
        balance: How well the placebos match, as one row of a table.
    """

    context: str
    scope: str
    mention_ids: pd.Index
    weights: csr_array
    counts: NDArray[np.int64]
    balance: dict[str, str | int | float]

    def totals(self, shifts: Floats) -> Floats:
        """(groups, questions, measures): sums of (mentions, measures) shifts."""
        return (self.weights @ np.nan_to_num(shifts)).reshape(*self.counts.shape, shifts.shape[1])


def readings(frame: pd.DataFrame, mention_ids: pd.Index, context: str) -> Floats:
    """(mentions, measures): one adapter's log-probabilities, NaN where a mention was cut off.

    Raises:
        InputError: The frame does not hold exactly these mentions in this context.
    """
    rows = _aligned(frame, mention_ids, context)
    n_tokens = rows["n_tokens"].to_numpy(dtype=float)
    total, first = (rows[name].to_numpy(dtype=float) for name in ("logprob_sum", "logprob_first"))
    per_token = np.divide(total, n_tokens, out=np.full_like(total, np.nan), where=n_tokens > 0)
    return np.stack([per_token, total, first], axis=1)


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
    base: pd.DataFrame, mentions: pd.DataFrame, exam: TestSet, specialties: list[str], context: str, scope: str
) -> Design:
    """Lay out the groups of mentions of the test questions, going by the base model's tokens.

    Args:
        base: The base model's `tables.TERM_LOGPROBS`.
        mentions: `tables.MENTIONS`; those of other questions than the exam's are passed over.
        exam: The test questions.
        specialties: The grid's; each is a group of its own.
        context: `prompt` or `bare`.
        scope: `strict`, or `broad` for the terms of both lexicons.
    """
    asked = mentions[mentions["question_id"].isin(exam.question_ids)]
    mention_ids = pd.Index(asked["mention_id"])
    asked = asked.assign(
        n_tokens=_aligned(base, mention_ids, context)["n_tokens"].to_numpy(),
        per_token=readings(base, mention_ids, context)[:, 0],
        question=exam.question_ids.get_indexer(asked["question_id"]),
        position=np.arange(len(asked)),
    )
    in_scope = (asked["kind"] == _PLACEBO) | (asked["scope"].isin(SCOPES[: SCOPES.index(scope) + 1]))
    whole = asked[in_scope & (asked["n_tokens"] > 0)]
    pairs = match_placebos(whole)
    whole = whole.set_index("mention_id")
    terms, placebos, paired = whole[whole["kind"] != _PLACEBO], whole.loc[pairs], whole.loc[pairs.index]
    cut = asked[in_scope & (asked["n_tokens"] == 0)]
    weights, counts = _weights(terms, placebos, paired, specialties, (len(exam.question_ids), len(asked)))
    balance = {"context": context, "scope": scope} | _balance(terms, placebos, paired, cut)
    return Design(context, scope, mention_ids, weights, counts, balance)


def _weights(
    terms: pd.DataFrame, placebos: pd.DataFrame, paired: pd.DataFrame, specialties: list[str], shape: tuple[int, int]
) -> tuple[csr_array, NDArray[np.int64]]:
    """The sparse sums of `Design`, and the counts to divide them by."""
    questions, mentions = shape
    equal = paired["n_tokens"].to_numpy() == placebos["n_tokens"].to_numpy()
    members = [terms, placebos, paired, paired[equal]]
    members += [terms[[name in held for held in terms["specialties"]]] for name in specialties]
    counts = np.array([np.bincount(rows["question"], minlength=questions) for rows in members])
    entries = [(group, rows, 1.0) for group, rows in enumerate(members)]
    entries += [(_FIXED.index("pairs"), placebos, -1.0), (_FIXED.index("equal pairs"), placebos[equal], -1.0)]
    row = np.concatenate([group * questions + rows["question"].to_numpy() for group, rows, _ in entries])
    column = np.concatenate([rows["position"].to_numpy() for _, rows, _ in entries])
    weight = np.concatenate([np.full(len(rows), weight) for _, rows, weight in entries])
    return csr_array((weight, (row, column)), shape=(len(members) * questions, mentions)), counts


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
    """The shifts of one model and recipe, averaged over the mentions of a group in a question.

    Attributes:
        design: What was averaged.
        means: (train sets, seeds, groups, questions, measures), NaN where a question has no mention of the group.
        others: (train sets, seeds, questions, measures), terms that are not of the train set's own specialty. NaN
            for controls, which have none.
    """

    model: str
    recipe: str
    design: Design
    means: Floats
    others: Floats

    @property
    def key(self) -> dict[str, str]:
        """The columns that lead each row of a result table."""
        laid_out = self.design
        return {"model": self.model, "recipe": self.recipe, "context": laid_out.context, "scope": laid_out.scope}


def shifts(
    model: str, recipe: str, designs: list[Design], read: Callable[[Adapter], pd.DataFrame], axes: Axes
) -> list[Shifts]:
    """Average the shifts of all adapters of one model and recipe; each is read once and reduced before the next.

    Args:
        model: The model.
        recipe: The recipe.
        designs: What to average, for each context and scope.
        read: Gives an adapter's `tables.TERM_LOGPROBS`.
        axes: The grid.
    """
    base = _by_context(read(Adapter.base(model)), designs)
    totals: list[list[Floats]] = [[] for _ in designs]
    for adapter in axes.adapters(model, recipe):
        tuned = _by_context(read(adapter), designs)
        for laid_out, found in zip(designs, totals, strict=True):
            found.append(laid_out.totals(tuned[laid_out.context] - base[laid_out.context]))
    shape = (len(axes.train_set), len(axes.seed))
    return [
        _averaged(model, recipe, laid_out, np.stack(found).reshape(*shape, *found[0].shape), axes)
        for laid_out, found in zip(designs, totals, strict=True)
    ]


def _by_context(frame: pd.DataFrame, designs: list[Design]) -> dict[str, Floats]:
    ids = {laid_out.context: laid_out.mention_ids for laid_out in designs}
    return {context: readings(frame, mention_ids, context) for context, mention_ids in ids.items()}


def _averaged(model: str, recipe: str, laid_out: Design, totals: Floats, axes: Axes) -> Shifts:
    others = np.full_like(totals[:, :, 0], np.nan)
    for group, row in enumerate(axes.specialty_rows, start=len(_FIXED)):
        n_others = laid_out.counts[0] - laid_out.counts[group]
        others[row] = _ratio(totals[row, :, 0] - totals[row, :, group], n_others[None, :, None])
    return Shifts(model, recipe, laid_out, _ratio(totals, laid_out.counts[:, :, None]), others)


def _ratio(total: Floats, count: NDArray[np.int64]) -> Floats:
    count = np.broadcast_to(count, total.shape)
    return np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)


def table(blocks: list[Shifts], axes: Axes, setup: Statistics) -> pd.DataFrame:
    """Groups and contrasts for each train set, and for the specialties' train sets together (`all`).

    Groups: `terms`, `own` and `other` (of the train set's specialty, or not; controls have neither), `placebo`.
    Contrasts, each within a question: `terms_minus_placebo` (is it about medicine?), `own_minus_other` (is it about the
    specialty?), and `own_adapter_minus_others` (the same own terms under the other specialties' adapters: is it about
    this adapter, or are these terms quicker to move?). Sensitivity: terms minus placebos of exactly as many tokens.

    Rows of `seed` `all` pool the seeds: their interval resamples questions crossed with seeds, `p` flips signs of
    questions, and `p_holm` is Holm's over all train sets of one model, recipe, context, scope and measure, each
    `kind` being a family. The row over all train sets is a family of its own.
    """
    result = pd.concat([_table(block, axes, setup) for block in blocks], ignore_index=True)
    pooled = result[result["seed"] == ALL]
    family = [*(pooled[name] for name in (*_KEY, "measure", "kind")), pooled["train_set"] == ALL]
    result["p_holm"] = pooled.groupby(family)["p"].transform(resampling.holm)
    return result


def _table(block: Shifts, axes: Axes, setup: Statistics) -> pd.DataFrame:
    cells = [cell for measure in range(len(MEASURES)) for cell in _cells(block, measure, axes)]
    values = np.stack([held for _, held in cells])
    names = pd.MultiIndex.from_product([[ALL, *map(str, axes.seed)], range(len(cells))], names=["seed", "cell"])
    head = pd.DataFrame([cells[i][0] for i in names.get_level_values("cell")])
    head["seed"] = names.get_level_values("seed")
    head["n_seeds"] = np.where(head["seed"] == ALL, len(axes.seed), 1)
    head = head.assign(**block.key)
    estimated = _estimates(values, setup, resampling.generator(setup.seed, "term shift"))
    leading = [*_KEY, "train_set", "seed", "measure", "kind", "group", "n_mentions", "n_seeds"]
    return pd.concat([head[leading], estimated], axis=1)


def _cells(block: Shifts, measure: int, axes: Axes) -> list[tuple[dict[str, str | int], Floats]]:
    """Every row of the table with its values (seeds, questions)."""
    means, others = block.means[..., measure], block.others[..., measure]
    groups: dict[str, dict[str, tuple[Floats, int]]] = {}
    per_question = block.design.counts
    counts = per_question.sum(axis=1)
    for row, train_set in enumerate(axes.train_set):
        terms, placebo, pairs, equal = (means[row, :, group] for group in range(len(_FIXED)))
        groups[train_set] = {
            "terms": (terms, counts[0]),
            "placebo": (placebo, counts[1]),
            "terms_minus_placebo": (pairs, counts[2]),
            "terms_minus_placebo_of_equal_tokens": (equal, counts[3]),
        }
    for group, row in enumerate(axes.specialty_rows, start=len(_FIXED)):
        rivals = [other for other in axes.specialty_rows if other != row]
        own = means[row, :, group]
        found = {
            "own": (own, counts[group]),
            "other": (others[row], counts[0] - counts[group]),
            "own_minus_other": (own - others[row], per_question[0][~np.isnan(own - others[row]).any(axis=0)].sum()),
        }
        if rivals:
            found["own_adapter_minus_others"] = (own - means[rivals, :, group].mean(axis=0), counts[group])
        groups[axes.train_set[row]] |= found
    own_sets = [groups[axes.train_set[row]] for row in axes.specialty_rows]
    for name in own_sets[0]:
        # What differs from one train set to the next is, over all of them, about all terms.
        held = {int(s[name][1]) for s in own_sets}
        n_mentions = held.pop() if len(held) == 1 else counts[0]
        groups.setdefault(ALL, {})[name] = (_mean([s[name][0] for s in own_sets]), n_mentions)
    return [
        (
            {
                "train_set": train_set,
                "measure": MEASURES[measure],
                "kind": kind,
                "group": name,
                "n_mentions": int(held[name][1]),
            },
            held[name][0],
        )
        for train_set, held in groups.items()
        for kind, names in (("group", GROUPS), ("contrast", CONTRASTS), ("sensitivity", SENSITIVITY))
        for name in names
        if name in held
    ]


def _mean(parts: list[Floats]) -> Floats:
    """Mean of arrays of one shape over those that have a value."""
    stacked = np.stack(parts)
    return _ratio(np.nansum(stacked, axis=0), (~np.isnan(stacked)).sum(axis=0))


def _estimates(values: Floats, setup: Statistics, rng: np.random.Generator) -> pd.DataFrame:
    """Shift, interval, p and number of questions of (cells, seeds, questions): all cells pooled, then seed by seed."""
    by_seed = resampling.question_bootstrap(values, setup.draws, rng)
    samples = np.concatenate([resampling.resample_seeds(by_seed, rng)[:, :, None], by_seed], axis=2)
    low, high = resampling.percentile_interval(samples.swapaxes(1, 2), setup.confidence)
    by_question = np.concatenate([values.mean(axis=1, keepdims=True), values], axis=1).swapaxes(0, 1)
    by_question = by_question.reshape(-1, values.shape[2])
    n_questions = (~np.isnan(by_question)).sum(axis=1)
    return pd.DataFrame(
        {
            "n_questions": n_questions,
            "shift": _ratio(np.nansum(by_question, axis=1), n_questions),
            "low": low.ravel(),
            "high": high.ravel(),
            "p": resampling.sign_flip(by_question, setup.draws, rng),
        }
    )


def grid_table(blocks: list[Shifts], axes: Axes, setup: Statistics) -> pd.DataFrame:
    """Train set x specialty of the terms: shift per token, seeds pooled; `q` is Benjamini-Hochberg's over the grid."""
    frames = []
    for block in blocks:
        values = block.means[:, :, len(_FIXED) :, :, 0].swapaxes(1, 2)
        values = values.reshape(-1, *values.shape[2:])
        rng = resampling.generator(setup.seed, "term shift grid")
        head = pd.MultiIndex.from_product([axes.train_set, axes.specialties], names=["train_set", "term_specialty"])
        n_mentions = np.tile(block.design.counts[len(_FIXED) :].sum(axis=1), len(axes.train_set))
        frame = head.to_frame(index=False).assign(**block.key, n_mentions=n_mentions, n_seeds=len(axes.seed))
        estimated = _estimates(values, setup, rng).head(len(frame))
        leading = [*_KEY, "train_set", "term_specialty", "n_mentions", "n_seeds"]
        frames.append(pd.concat([frame[leading], estimated], axis=1).assign(q=lambda t: benjamini_hochberg(t["p"])))
    return pd.concat(frames, ignore_index=True)
