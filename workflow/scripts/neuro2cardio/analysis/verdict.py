"""What a grid says, sentence by sentence: words follow from the numbers of one row of one table (docs/verdict.md)."""

from collections.abc import Iterator, Mapping, Sequence
from math import isnan
from typing import Any

import pandas as pd

from ..config.analysis import SmallestEffect, Statistics
from ..core.base_rows import BEST_PROMPT, FEW_SHOT
from ..questions.test_set import ALL
from . import adapter_checks, dose, effects, probes
from .effect_tables import COMMON_GAIN, GAIN_BEYOND, GAIN_OF, KNOWLEDGE, OVER_MODELS, THESE_ADAPTERS, THIS_SEED
from .formatting import signed

SPECIALTY_KNOWLEDGE, UNDECIDED = "specialty knowledge", "undecided"
NOT_FORMAT, FORMAT = "common gain, not explained by format", "common gain, explained by format"
EXPLAINS, LEAVES, NO_GAIN = "explains it", "does not explain it", "no gain to explain"
_MEANING = {
    "shuffled-answers": "medical questions with answers drawn at random (format without knowledge)",
    "general": "questions without medicine (the task without the domain)",
    "mixed": "an equal share of all specialties",
    FEW_SHOT: "the base model after worked examples, without any training",
    BEST_PROMPT: "the base model with its own best wording, chosen on validation questions, without any training",
}
_KEY = ("model", "recipe", "method")
_CLAIM_2 = {
    "terms_rise": ("terms", "Clinical terms of all specialties"),
    "terms_medicine": ("terms_minus_placebo", "Clinical terms, more than placebo words of the same questions,"),
    "terms_own": ("own_by_own", "Terms of the own specialty under its own adapter, beyond both,"),
}

Row = Mapping[str, Any]


def verdict(
    found: pd.DataFrame,
    diagonal: pd.DataFrame,
    shifts: pd.DataFrame,
    checks: pd.DataFrame,
    statistics: Statistics,
    context: str,
    scope: str,
    asked: pd.DataFrame | None = None,
    doses: pd.DataFrame | None = None,
) -> dict[str, Any]:
    """The verdict as docs/verdict.md describes it.

    Args:
        found: `effect_tables.effects_table`.
        diagonal: `effect_tables.diagonal`.
        shifts: `term_shift.table`, `seed` as text.
        checks: `adapter_checks.table`.
        statistics: Confidence and the smallest effects that matter.
        context: Where term log-probabilities are read.
        scope: The lexicon of the primary analysis.
        asked: `probes.table`, where facts were asked another way.
        doses: `dose.table`, where recipes differ in their dose.
    """
    entries = []
    for key, rows in found.groupby(list(_KEY), sort=False):
        named = dict(zip(_KEY, key, strict=True))
        own = _of(diagonal, named)
        broken = len(adapter_checks.broken(checks, **named)) if named["model"] != OVER_MODELS else 0
        entries.append(_entry(named, rows, own, broken, statistics))
        if asked is not None and named["model"] != OVER_MODELS:
            entries[-1]["statements"] += _probes(named, _of(asked, named), statistics, broken)
    return {
        "version": 1,
        "confidence": statistics.confidence,
        "smallest_effect": statistics.smallest_effect.model_dump(),
        "families": _families(found),
        "broken": adapter_checks.sentence(checks),
        "combinations": [entry for entry in entries if entry["model"] != OVER_MODELS],
        "over_models": [entry for entry in entries if entry["model"] == OVER_MODELS],
        "doses": [] if doses is None else list(_doses(doses, statistics)),
        "terms": list(_terms(shifts, context, scope)),
    }


def text(said: Mapping[str, Any]) -> str:
    """The verdict in words, for a terminal."""
    lines = [said["broken"]] if said["broken"] else []
    for entry in (*said["over_models"], *said["combinations"]):
        lines.append(f"{_model(entry)}, {entry['recipe']}, {entry['method']}: {entry['answer']}.")
        lines += [f"  {s['sentence']}" for s in entry["statements"] if not s["id"].startswith("best_own:")]
    for entry in said["doses"]:
        lines.append(f"{_model(entry)}, {entry['method']}: from {entry['against']} to {entry['recipe']}.")
        lines += [f"  {s['sentence']}" for s in entry["statements"]]
    for entry in said["terms"]:
        lines.append(f"{entry['model']}, {entry['recipe']}: probability of clinical terms.")
        lines += [f"  {s['sentence']}" for s in entry["statements"]]
    return "\n".join(lines) + "\n"


def _model(entry: Mapping[str, Any]) -> str:
    return "all models" if entry["model"] == OVER_MODELS else str(entry["model"])


def _entry(
    named: dict[str, str], rows: pd.DataFrame, diagonal: pd.DataFrame, broken: int, statistics: Statistics
) -> dict[str, Any]:
    by_effect = {(row["effect"], row["of"] or ""): row for row in rows.fillna({"of": ""}).to_dict("records")}
    gain = _common_gain(by_effect[COMMON_GAIN, ""], statistics.smallest_effect)
    controls = [
        _control(of, by_effect[GAIN_BEYOND, of], by_effect[GAIN_OF, of], gain, statistics.smallest_effect)
        for effect, of in by_effect
        if effect == GAIN_BEYOND
    ]
    best = [] if diagonal.empty else list(_best_own(named, diagonal, statistics))
    knowledge = _knowledge(by_effect[KNOWLEDGE, ""], statistics)
    statements = [gain, *controls, *best[:1], knowledge, *best[1:]]
    answer = overall({s["id"]: s["answer"] for s in statements}, statistics.smallest_effect.all)
    if broken:
        # What is broken is not counted as a result.
        answer = UNDECIDED
    return {**named, "answer": answer, "broken": broken, "statements": statements}


def overall(answers: Mapping[str, str], smallest: float) -> str:
    """The one answer of a model, recipe and method, from those of its statements."""
    if answers["specialty_knowledge"] == SPECIALTY_KNOWLEDGE:
        return SPECIALTY_KNOWLEDGE
    format_control = answers.get("control:shuffled-answers")
    if answers["common_gain"] == "gain" and format_control in (LEAVES, EXPLAINS):
        return NOT_FORMAT if format_control == LEAVES else FORMAT
    if answers["specialty_knowledge"].startswith("no specialty knowledge"):
        return f"no specialty knowledge larger than {smallest:g} points (equivalent)"
    return UNDECIDED


def direction(low: float, high: float, smallest: float, words: tuple[str, str, str]) -> str:
    """Up, down, none larger than what matters, or undecided, by an interval in points."""
    up, down, none = words
    if isnan(low) or isnan(high):
        return UNDECIDED
    if low > 0:
        return up
    if high < 0:
        return down
    return none if -smallest < low and high < smallest else UNDECIDED


def _common_gain(row: Row, smallest: SmallestEffect) -> dict[str, Any]:
    none = f"no gain larger than {smallest.all:g} points"
    answer = direction(100 * row["low"], 100 * row["high"], smallest.all, ("gain", "loss", none))
    words = {"gain": "a common gain", "loss": "a common loss", none: none, UNDECIDED: "undecided"}
    sentence = (
        f"Common gain: fine-tuning on one specialty changes accuracy over all {row['n_questions']} test questions by "
        f"{_points(row)} ({row['n_adapters']} adapters of {row['n_train_sets']} specialties): {words[answer]}."
        f"{_about(row['given'], ', and so is what controls change')}"
    )
    return _statement("common_gain", sentence, answer, row, "effects.csv")


def _control(of: str, beyond: Row, own: Row, gain: Mapping[str, Any], smallest: SmallestEffect) -> dict[str, Any]:
    """How much of the common gain one control explains.

    It explains the gain where what it leaves is surely less than half of it (or than what matters), and does not where
    it surely leaves something.
    """
    low, high = 100 * beyond["low"], 100 * beyond["high"]
    if gain["answer"] != "gain":
        answer = NO_GAIN
    elif high < max(smallest.all, gain["estimate"] / 2):
        answer = EXPLAINS
    else:
        answer = LEAVES if low > 0 else UNDECIDED
    what = _MEANING.get(of, "a train set that is not a specialty")
    endings = {EXPLAINS: "it explains the common gain", LEAVES: "it does not explain all of the common gain"}
    sentence = (
        f"Control {of}, {what}: changes accuracy by {_points(own)}; the specialties' adapters gain {_points(beyond)} "
        f"beyond it (n={beyond['n_questions']}): {endings.get(answer, answer)}."
    )
    return _statement(f"control:{of}", sentence, answer, beyond, "effects.csv")


def _knowledge(row: Row, statistics: Statistics) -> dict[str, Any]:
    none = f"no specialty knowledge larger than {statistics.smallest_effect.all:g} points"
    known = (SPECIALTY_KNOWLEDGE, "less than expected", none)
    answer = direction(100 * row["low"], 100 * row["high"], statistics.smallest_effect.all, known)
    adjusted = row["p_holm"]
    if answer in known[:2] and not adjusted < 1 - statistics.confidence:
        answer = UNDECIDED
    if isnan(row["low"]):
        sentence = "Specialty knowledge: fewer than three specialties cannot tell it from the train sets' quality."
    else:
        sentence = (
            f"Specialty knowledge: beyond train set and test specialty, the own adapter adds {_points(row)}, "
            f"p={_p(row['p'])} ({row['n_questions']} questions, {row['n_adapters']} adapters): {answer}. An effect of "
            f"{100 * row['smallest_detectable']:.1f} points would have been found with 80%."
        )
    return _statement("specialty_knowledge", sentence, answer, row, "effects.csv")


def _probes(named: Row, rows: pd.DataFrame, statistics: Statistics, broken: int) -> list[dict[str, Any]]:
    """Whether facts that were trained on are known when they are asked another way; nothing with one specialty."""
    pooled = rows[(rows["form"] == ALL) & (rows["specialty"] == ALL)]
    by = {(row["facts"], row["adapter"]): {**row, **named} for row in pooled.to_dict("records")}
    row = by.get((probes.INJECTION, probes.BEYOND))
    if row is None:
        return []
    smallest = statistics.smallest_effect.all
    none = f"no facts learned beyond {smallest:g} points"
    words = ("facts learned", "facts trained on are known less than others", none)
    answer = direction(100 * row["low"], 100 * row["high"], smallest, words)
    if broken or (answer in words[:2] and not row["p_holm"] < 1 - statistics.confidence):
        answer = UNDECIDED
    own, others, own_else, others_else = (
        _points(by[facts, adapter])
        for facts in (probes.TRAINED, probes.UNTRAINED)
        for adapter in (probes.OWN, probes.OTHERS)
    )
    n = row["n_facts"]
    injected = rows[(rows["facts"] == probes.INJECTION) & (rows["form"] != ALL)]
    by_form = ", ".join(f"{r['form']} {_points(r)}" for r in injected.to_dict("records"))
    sentence = (
        f"Probes: {n} facts trained on, asked another way: own adapter {own}, others {others}; {n} facts of the same "
        f"specialties never trained on: own adapter {own_else}, others {others_else}. Beyond both, the own adapter "
        f"adds {_points(row)} on facts that it was trained on, p={_p(row['p'])}: {answer}. By form: {by_form}."
        f"{_about(THESE_ADAPTERS)}"
    )
    return [_statement("probes", sentence, answer, row, "probes.csv", ("form", "specialty", "facts", "adapter"))]


def _best_own(named: Mapping[str, str], rows: pd.DataFrame, statistics: Statistics) -> Iterator[dict[str, Any]]:
    each = rows[rows["test_specialty"] != ALL]
    count = each["answer"].value_counts()
    better, not_better = int(count.get(effects.BETTER, 0)), int(count.get(effects.NOT_BETTER, 0))
    surely = int((each["best_p_holm"] < 1 - statistics.confidence).sum())
    answer = "some are the best" if surely else effects.NOT_BETTER if not_better == len(each) else UNDECIDED
    margin = statistics.smallest_effect.specialty
    given = "these train sets" if (each["n_seeds"] > 1).all() else THESE_ADAPTERS
    sentence = (
        f"Claim 1, is the own adapter the best: of {len(each)} specialties, it is better than every other in {better} "
        f"({surely} when corrected for asking of {len(each)}), "
        f"not better by more than {margin:g} points in {not_better}, undecided in {len(each) - better - not_better}."
        f"{_about(given)} With {int(each['n_questions'].median())} questions a specialty, a lead of "
        f"{100 * each['smallest_detectable'].median():.0f} points over all others would have been found with 80%."
    )
    whole = {"n_questions": int(each["n_questions"].sum()), **named, "test_specialty": ALL}
    yield _statement("best_own", sentence, answer, whole, "diagonal.csv", ("test_specialty",))
    for row in each.to_dict("records"):
        of = {**row, "estimate": row["own_minus_best"], "low": row["best_low"], "high": row["best_high"], "p": None}
        sentence = (
            f"{row['test_specialty']}: own adapter minus the best of the others ({row['best_other']}) {_points(of)}, "
            f"n={row['n_questions']}: {row['answer']}."
        )
        said = _statement(
            f"best_own:{row['test_specialty']}", sentence, row["answer"], of, "diagonal.csv", ("test_specialty",)
        )
        yield said | {"p_adjusted": _number(row["best_p_holm"])}


_OF_DOSES = {
    COMMON_GAIN: "the common gain",
    KNOWLEDGE: "specialty knowledge",
    dose.PROBES: "how much better facts trained on are known than others",
}


def _doses(doses: pd.DataFrame, statistics: Statistics) -> Iterator[dict[str, Any]]:
    """What the largest dose of each series adds to the smallest."""
    compared = doses[doses["against"].notna()]
    for key, rows in compared.groupby([*_KEY, "against"], sort=False):
        named = dict(zip((*_KEY, "against"), key, strict=True))
        less = _of(doses, {**{name: named[name] for name in ("model", "method")}, "recipe": named["against"]}).iloc[0]
        statements = [_added(row, less.to_dict(), statistics.smallest_effect) for row in rows.to_dict("records")]
        yield named | {"statements": statements}


def _added(row: Row, less: Row, smallest: SmallestEffect) -> dict[str, Any]:
    none = f"no difference larger than {smallest.all:g} points"
    of = {**row, "estimate": row["added"], "low": row["added_low"], "high": row["added_high"], "p": row["added_p"]}
    of["smallest_detectable"] = row["added_detectable"]
    answer = direction(100 * of["low"], 100 * of["high"], smallest.all, ("more", "less", none))
    if row["broken"] or less["broken"]:
        # What is broken is not counted as a result.
        answer = UNDECIDED
    sentence = (
        f"Dose: {row['seen']:,.0f} train questions seen instead of {less['seen']:,.0f} add {_points(of)} to "
        f"{_OF_DOSES[row['measure']]}, p={_p(of['p'])} ({row['n_questions']:.0f} questions): {answer}."
        f"{_about(row['given'])}"
    )
    return _statement(f"dose:{row['measure']}", sentence, answer, of, "dose.csv", ("measure",))


def _terms(shifts: pd.DataFrame, context: str, scope: str) -> Iterator[dict[str, Any]]:
    chosen = shifts[(shifts["seed"] == ALL) & (shifts["measure"] == "mean")]
    chosen = chosen[(chosen["context"] == context) & (chosen["scope"] == scope)]
    for (model, recipe), rows in chosen.groupby(["model", "recipe"], sort=False):
        pooled = rows[rows["train_set"] == ALL].set_index("group")
        each = rows[(rows["train_set"] != ALL) & (rows["group"] == "terms")]
        statements = []
        for name, (group, what) in _CLAIM_2.items():
            if group not in pooled.index or pd.isna(pooled.loc[group, "shift"]):
                continue
            row = {**pooled.loc[group].to_dict(), "group": group, "model": model, "recipe": recipe}
            rising = f" In {int((each['low'] > 0).sum())} of {len(each)} train sets they rise."
            extra = rising if group == "terms" else ""
            statements.append(_term_statement(name, what, row, extra))
        if statements:
            yield {"model": model, "recipe": recipe, "statements": statements}


def _term_statement(name: str, what: str, row: Row, extra: str) -> dict[str, Any]:
    answer = direction(row["low"], row["high"], 0.0, ("rise", "fall", "rise"))
    interval = "no interval" if isnan(row["low"]) else f"[{signed(row['low'], 3)}, {signed(row['high'], 3)}]"
    sentence = (
        f"{what} change by {signed(row['shift'], 3)} nats per token {interval} "
        f"({row['n_mentions']} mentions in {row['n_questions']} questions): {answer}.{extra}"
        f"{_about(THESE_ADAPTERS)}"
    )
    keys = ("context", "scope", "train_set", "seed", "measure", "group")
    said = _statement(name, sentence, answer, row, "term_shift.csv", keys)
    nats = {"estimate": row["shift"], "low": row["low"], "high": row["high"]}
    return said | {key: _number(value) for key, value in nats.items()}


def _statement(
    name: str, sentence: str, answer: str, row: Row, table: str, keys: Sequence[str] = ("effect", "of")
) -> dict[str, Any]:
    return {
        "id": name,
        "sentence": sentence,
        "answer": answer,
        **{key: _number(100 * row[key] if row.get(key) is not None else None) for key in ("estimate", "low", "high")},
        "p": _number(row.get("p")),
        "p_adjusted": _number(row.get("p_holm")),
        "smallest_detectable": _number(100 * row["smallest_detectable"] if "smallest_detectable" in row else None),
        "n_questions": int(row["n_questions"]),
        "n_adapters": int(row["n_adapters"]) if "n_adapters" in row else None,
        "table": table,
        "row": {key: str(row[key]) for key in (*_KEY, *keys) if key in row},
    } | ({} if "estimate" in row else {"estimate": None})


def _families(found: pd.DataFrame) -> dict[str, Any]:
    rows = found[(found["effect"] == KNOWLEDGE) & (found["model"] != OVER_MODELS)]
    return {"n": len(rows), "combinations": rows[list(_KEY)].to_dict("records")}


def _of(table: pd.DataFrame, named: Mapping[str, str]) -> pd.DataFrame:
    for name, value in named.items():
        table = table[table[name] == value]
    return table


def _about(given: object, more: str = "") -> str:
    """What a sentence is about alone, for want of others: `given` of `effect_tables.EFFECTS`, or such words."""
    if given == THIS_SEED:
        return f" With one seed this is about that seed{more}."
    # Read from a file, nothing is NaN.
    known = isinstance(given, str) and given
    return f" This is about {given}, not about others from the same specialties." if known else ""


def _points(row: Row) -> str:
    value = signed(100 * row["estimate"], 1)
    if isnan(row["low"]):
        return f"{value} points (no interval)"
    return f"{value} points [{signed(100 * row['low'], 1)}, {signed(100 * row['high'], 1)}]"


def _p(value: float) -> str:
    return "<.001" if value < 0.001 else f"{value:.3f}"


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(f"{float(value):.6g}")
