"""Every test of the verdict on simulated grids: false positives, coverage and power, written to docs/calibration.md.

PYTHONPATH=workflow/scripts python benchmarks/calibration.py [--grids 1000] [--parts grid models ...]

Each part writes a table beside this script (calibration/<part>.csv); the page is made of all that are there.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
import sys
import tempfile
import textwrap

import numpy as np
import pandas as pd
from scipy.stats import norm

from neuro2cardio.analysis import (
    cells as matrices,
    dose,
    effect_tables,
    effects,
    paired,
    power,
    probes,
    term_worlds,
    worlds,
)
from neuro2cardio.analysis.transfer import Scores
from neuro2cardio.analysis.worlds import World
from neuro2cardio.config.analysis import SmallestEffect, Statistics
from neuro2cardio.core.adapters import Axes
from neuro2cardio.questions.test_set import TestSet

TABLES = Path(__file__).parent / "calibration"
PAGE = Path(__file__).parents[1] / "docs/calibration.md"
SMALLEST = SmallestEffect()
Row = dict[str, object]

WORLDS = {
    "nothing": World(),
    "train sets differ (sd 3)": World(train_sets=0.03),
    "adapters differ (sd 3)": World(adapters=0.03),
    "both, and interactions (sd 2)": World(train_sets=0.03, adapters=0.03, interactions=0.02),
    "common gain of 10, all of it format": World(common=0.10, formats=0.10, train_sets=0.02),
    "common gain of 10, none of it format": World(common=0.10, train_sets=0.02),
    "own adapter +5": World(own=0.05, train_sets=0.03, adapters=0.02),
    "own adapter +10": World(own=0.10, train_sets=0.03, adapters=0.02),
}


@dataclass(frozen=True)
class Other:
    """A grid unlike S-MedQA's: test questions of each specialty are drawn from `low` to `high`, but for `first`.

    With ``one_seed``, the truth about common gain and controls is what they are under the one seed that is drawn.
    """

    world: World = field(default_factory=World)
    low: int = 34
    high: int = 94
    first: int = 0
    doubles: float = 0.0
    one_seed: bool = False


OTHERS = {
    "10 questions a specialty": Other(low=10, high=10),
    "10 to 300 questions": Other(low=10, high=300),
    "5 questions of the first specialty": Other(first=5),
    "base accuracy 90%": Other(World(base=0.90)),
    "base accuracy 10%": Other(World(base=0.10)),
    "adapters differ (sd 6)": Other(World(adapters=0.06)),
    "train sets differ (sd 8)": Other(World(train_sets=0.08)),
    "interactions (sd 5)": Other(World(interactions=0.05)),
    "adapters nearly agree": Other(World(shares=(0.90, 0.05, 0.05), train_sets=0.02)),
    "adapters hardly agree": Other(World(shares=(0.10, 0.10, 0.80), train_sets=0.02)),
    "60% of questions have two specialties": Other(World(train_sets=0.02), doubles=0.6),
    "30% of questions have two specialties": Other(World(train_sets=0.02), doubles=0.3),
    "the same, own adapter +5": Other(World(own=0.05, train_sets=0.02), doubles=0.3),
    "600 questions a specialty": Other(low=600, high=600),
    "the same, own adapter +2": Other(World(own=0.02), low=600, high=600),
}
CORNERS = {
    "nothing": Other(),
    "train sets differ (sd 3)": Other(World(train_sets=0.03)),
    "common gain of 10, all of it format": Other(World(common=0.10, formats=0.10, train_sets=0.02)),
}
"""With two specialties, which have no error of specialty knowledge."""
OWN_ALONE = {
    "adapters nearly agree, own adapter +10": Other(World(shares=(0.90, 0.05, 0.05), own=0.10)),
    "own adapters alone change answers, +2": Other(World(shares=(0.9999, 0.00005, 0.00005), own=0.02)),
    "own adapters alone change answers, +10": Other(World(shares=(0.9999, 0.00005, 0.00005), own=0.10)),
}
"""The diagonal is not as quiet as the rest of the matrix."""
FEW_CHANGES = {
    "3% of answers change": Other(World(shares=(0.99, 0.005, 0.005))),
    "1% of answers change": Other(World(shares=(0.999, 0.0005, 0.0005))),
    "1% of answers change, 10 questions a specialty": Other(World(shares=(0.999, 0.0005, 0.0005)), low=10, high=10),
    "0.3% of answers change, 300 questions": Other(World(shares=(0.9999, 0.00005, 0.00005)), low=300, high=300),
}
SPARSE = {
    "10 questions a specialty",
    "5 questions of the first specialty",
    "base accuracy 90%",
    "base accuracy 10%",
    "adapters nearly agree",
    *OWN_ALONE,
    *FEW_CHANGES,
}
"""Worlds in which few answers differ."""
NUISANCES = {
    "10 to 300 questions, specialties' accuracy differs (sd 15)": Other(
        World(difficulty=0.15, train_sets=0.03), low=10, high=300
    ),
    "few train sets are much worse (sd 5)": Other(World(train_sets=0.05, luck="skewed")),
    "few train sets are far out (sd 5)": Other(World(train_sets=0.05, luck="uneven")),
    "seeds are better or worse in all train sets (sd 2)": Other(World(seeds=0.02, train_sets=0.02), one_seed=True),
    "own adapters gain on some and lose on others (sd 5)": Other(World(spread=0.05, train_sets=0.02)),
    "families of 4 questions with one stem": Other(World(family=4, train_sets=0.02)),
}
OF_ALL_SEEDS = {"one seed, and the mean over all seeds is asked for": Other(World(seeds=0.02, train_sets=0.02))}
"""Not what is said of a grid with one seed."""
MODELS = {
    "nothing": World(),
    "train sets differ (sd 3)": World(train_sets=0.03),
    "models differ (sd 3, own adapter sd 3), train sets sd 2": World(models=0.03, models_own=0.03, train_sets=0.02),
    "common gain of 10, all of it format": World(common=0.10, formats=0.10, train_sets=0.02, interactions=0.02),
    "own adapter +5": World(own=0.05, train_sets=0.03, adapters=0.02, models_own=0.02),
}


def main() -> None:
    """Simulate, and write tables and page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grids", type=int, default=1000)
    parser.add_argument("--parts", nargs="*", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--specialties", type=int, nargs="+", default=[3, 15])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 3, 5])
    args = parser.parse_args()
    for part in args.parts:
        rows = []
        for row in PARTS[part].rows(args):
            print(row, flush=True)
            rows.append(row)
        TABLES.mkdir(exist_ok=True)
        pd.DataFrame(rows).round(3).to_csv(TABLES / f"{part}.csv", index=False)
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """The page, of all tables that are there."""
    tables = {name: pd.read_csv(TABLES / f"{name}.csv") for name in PARTS if (TABLES / f"{name}.csv").is_file()}
    said = [HEAD, _summary(tables)]
    for name, table in tables.items():
        said.append(f"## {PARTS[name].title}\n\n{PARTS[name].text}\n\n{_markdown(table)}\n")
    return "\n".join(said)


def _summary(tables: dict[str, pd.DataFrame]) -> str:
    shares, sparse = [], []
    for name, every in tables.items():
        table = every[~every["world"].isin(OF_ALL_SEEDS)] if "world" in every else every
        few = table["world"].isin(SPARSE) if "world" in table else pd.Series(name == "cells", table.index)
        for column in table.filter(like="covers"):
            known = table[column].notna()
            shares.append(table.loc[known, column])
            sparse.append(few[known])
    covered, few = pd.concat(shares, ignore_index=True), pd.concat(sparse, ignore_index=True)
    above = covered > 0.97
    said = (
        f"Of {len(covered)} shares of intervals that hold the truth, {(covered < 0.93).sum()} are below 93% (few "
        f"train sets far out; one of two models), {covered.between(0.93, 0.97).sum()} between 93 and 97%, and "
        f"{above.sum()} above, on the careful side: {(above & few).sum()} of them in single cells and in worlds where "
        f"few answers differ, and {(above & ~few).sum()} elsewhere, up to {100 * covered[~few].max():.1f}%."
    )
    return f"{textwrap.fill(said, 100)}\n"


def _markdown(table: pd.DataFrame) -> str:
    lines = [list(table.columns), ["---"] * table.shape[1]]
    lines += [[_shown(value) for value in row] for row in table.astype(object).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(value: object) -> str:
    if isinstance(value, float) and value > 1:
        return f"{value:.1f}"
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.3f}"
    return str(value)


def grids(args: argparse.Namespace) -> Iterator[Row]:
    """Grids like S-MedQA's."""
    for specialties in args.specialties:
        for seeds in args.seeds:
            for name, world in WORLDS.items():
                lead = {"specialties": specialties, "seeds": seeds, "world": name}
                yield lead | simulated(Other(world), specialties, seeds, args.grids)


def others(args: argparse.Namespace) -> Iterator[Row]:
    """Grids unlike it."""
    for specialties in args.specialties:
        for name, other in OTHERS.items():
            lead = {"specialties": specialties, "seeds": 1, "world": name}
            yield lead | simulated(other, specialties, 1, args.grids)


def corners(args: argparse.Namespace) -> Iterator[Row]:
    """Two specialties, adapters that change hardly anything, and nuisances that the tests were not made for."""
    for specialties, seeds, found in (
        *((2, seeds, CORNERS) for seeds in (1, 3)),
        *((specialties, 1, OWN_ALONE | FEW_CHANGES) for specialties in args.specialties),
        *((specialties, seeds, NUISANCES) for specialties in args.specialties for seeds in (1, 3)),
        *((specialties, 1, OF_ALL_SEEDS) for specialties in args.specialties),
    ):
        for name, other in found.items():
            lead = {"specialties": specialties, "seeds": seeds, "world": name}
            yield lead | simulated(other, specialties, seeds, args.grids)


def again(args: argparse.Namespace) -> Iterator[Row]:
    """Other grids for the rows of single models that lie furthest out, and the permutation test for the same worlds."""
    for name, other in (("nothing", Other()), ("adapters nearly agree", OTHERS["adapters nearly agree"])):
        lead = {"specialties": 15, "seeds": 1, "world": name}
        found = simulated(other, 15, 1, 4 * args.grids, first=10**6)
        permuted = [_permuted(other.world, np.random.default_rng([draw, 15])) < 0.05 for draw in range(4 * args.grids)]
        yield lead | found | {"permuted": float(np.mean(permuted))}


def _permuted(world: World, rng: np.random.Generator, times: int = 199) -> float:
    """Two-sided p of the mean diagonal of the centred matrix, train sets permuted against 15 specialties."""
    grid = worlds.axes(15, 1)
    asked = worlds.test_set(grid, rng.integers(34, 95, 15))
    matrix = effects.centred(matrices.matrix(worlds.scores(world, grid, asked, rng), grid, asked))
    traces = np.abs([matrix[rng.permutation(15), np.arange(15)].sum() for _ in range(times)])
    return float((1 + (traces >= abs(np.trace(matrix))).sum()) / (1 + times))


def simulated(other: Other, specialties: int, seeds: int, draws: int, first: int = 0) -> Row:
    """Shares of so many grids."""
    grid = worlds.axes(specialties, seeds)
    found = []
    for draw in range(first, first + draws):
        rng = np.random.default_rng([draw, specialties, seeds])
        if draw % 10 == 0:
            # Sizes are drawn anew for every ten grids.
            sizes = rng.integers(other.low, other.high + 1, specialties)
            sizes[0] = other.first or sizes[0]
            asked = worlds.test_set(grid, sizes, other.doubles, rng)
        world = other.world
        if other.one_seed and seeds == 1:
            luck = world.seeds * rng.standard_normal()
            world = replace(world, seeds=0.0, common=world.common + luck, formats=world.formats + luck)
        found.append(one(world, worlds.scores(world, grid, asked, rng), grid, asked, rng))
    return pd.DataFrame(found).mean().to_dict()


def one(world: World, block: Scores, grid: Axes, asked: TestSet, rng: np.random.Generator) -> Row:
    """What the tests say of one simulated grid."""
    matrix, noise = matrices.matrix(block, grid, asked), matrices.noise(block, grid, asked)
    knowledge = effects.specialty_knowledge(matrix, noise, effect_tables.least_of_cells(grid, asked))
    single = effects.knowledge_of(matrix, 0, noise, effect_tables.least_of_cells(grid, asked, of_one=True))
    adapters = block.adapters[grid.specialty_rows]
    right = adapters[:, :, asked.members[grid.specialties[0]]]
    luck = effects.adapter_variance(adapters)
    best = effects.against_best(right, 0, grid.specialties, luck, SMALLEST.specialty / 100, 0.95, rng)
    # Over all questions, the own adapter is one of the specialties' adapters for each of their specialties.
    owns = world.owns(len(adapters))
    held = sum(own * asked.members[name].sum() for own, name in zip(owns, grid.specialties, strict=True))
    gain = world.common + held / len(block.base) / len(adapters)
    whole, known = np.isfinite(knowledge.se), np.isfinite(single.se)
    return {
        "knowledge": knowledge.p < 0.05 if whole else np.nan,
        "covers": covers(knowledge, world.own) if whole else np.nan,
        "equivalent": within(knowledge, SMALLEST.all / 100) if whole else np.nan,
        "gain covers": covers(effects.common_gain(block, grid), gain),
        "control covers": covers(effects.gain_of(block, grid, "shuffled-answers"), world.formats),
        "beyond covers": covers(effects.gain_beyond(block, grid, "shuffled-answers"), gain - world.formats),
        "one": single.p < 0.05 if known else np.nan,
        "one covers": covers(single, owns[0]) if known else np.nan,
        "better": best.answer == effects.BETTER,
        "not better": best.answer == effects.NOT_BETTER,
    }


def covers(estimate: effects.Estimate, truth: float) -> bool:
    """Whether the 95% interval holds the planted value."""
    low, high = estimate.interval(0.95)
    return low <= truth <= high


def within(estimate: effects.Estimate, margin: float) -> bool:
    """Whether the 95% interval lies within the smallest effect that matters."""
    low, high = estimate.interval(0.95)
    return -margin < low and high < margin


def models(args: argparse.Namespace) -> Iterator[Row]:
    """Several models as a sample of all models."""
    for specialties in args.specialties:
        for n in (2, 3, 4, 8):
            grid = worlds.axes(specialties, 1, n)
            for name, world in MODELS.items():
                found = [_pooled(world, grid, draw) for draw in range(args.grids)]
                yield {"specialties": specialties, "models": n, "world": name} | pd.DataFrame(found).mean().to_dict()


def _pooled(world: World, grid: Axes, draw: int) -> Row:
    rng = np.random.default_rng([draw, len(grid.specialties), len(grid.model)])
    asked = worlds.test_set(grid, rng.integers(34, 95, len(grid.specialties)))
    made = worlds.blocks(world, grid, asked, rng)
    gain = world.common + world.own / len(grid.specialties)
    truth = {"common_gain": gain, "gain_of": world.formats, "gain_beyond": gain - world.formats}
    truth["specialty_knowledge"] = world.own
    rows = {row["effect"]: row for row in effect_tables.over_models(made, grid, asked, Statistics())}
    shown = {"common_gain": "gain", "gain_of": "control", "gain_beyond": "beyond", "specialty_knowledge": "knowledge"}
    covered = {f"{shown[e]} covers": rows[e]["low"] <= value <= rows[e]["high"] for e, value in truth.items()}
    return {"knowledge": rows["specialty_knowledge"]["p"] < 0.05} | covered


def cells(args: argparse.Namespace) -> Iterator[Row]:
    """Single cells of the transfer matrix and of changes against other references: few or many answers differ."""
    for questions in (10, 57, 200, 899):
        for seeds in (1, 3):
            for differ in (0.03, 0.2, 0.6):
                rng = np.random.default_rng([questions, seeds, round(100 * differ)])
                found: Row = {"questions": questions, "seeds": seeds, "differ": differ}
                for name, better in (("nothing", 0.5), ("four of five are gains", 0.8)):
                    shape = (4 * args.grids, questions)
                    sign = (rng.random(shape) < differ) * np.where(rng.random(shape) < better, 1, -1)
                    # Seeds agree on seven of ten such questions.
                    share = rng.binomial(seeds, 0.7, shape) / seeds if seeds > 1 else np.ones(shape)
                    truth = differ * (2 * better - 1) * (0.7 if seeds > 1 else 1.0)
                    change = paired.change(sign * share, 0.95)
                    found[f"{name}: p<.05"] = float((change.p < 0.05).mean())
                    found[f"{name}: covers"] = float(((change.low <= truth) & (truth <= change.high)).mean())
                yield found


def base_rows(args: argparse.Namespace) -> Iterator[Row]:
    """Worked examples or another wording without training, 5 points better than the base model."""
    few_shot = World(base=0.50)
    for specialties in args.specialties:
        for seeds in (1, 3):
            for name in ("nothing", "train sets differ (sd 3)", "adapters differ (sd 3)"):
                found = [_base_row(WORLDS[name], few_shot, specialties, seeds, draw) for draw in range(args.grids)]
                yield {"specialties": specialties, "seeds": seeds, "world": name} | _mean(found)


def _base_row(world: World, few_shot: World, specialties: int, seeds: int, draw: int) -> Row:
    grid = worlds.axes(specialties, seeds)
    asked = worlds.test_set(grid, np.random.default_rng([draw, specialties]).integers(34, 95, specialties))
    # The same draws, so that the question's part is that of the adapters, and the base model's own is not.
    block, other = (worlds.scores(w, grid, asked, np.random.default_rng([draw, 3])) for w in (world, few_shot))
    block = replace(block, base_rows={"few-shot": other.adapters[-1, 0]})
    own, beyond = effects.gain_of(block, grid, "few-shot"), effects.gain_beyond(block, grid, "few-shot")
    return {"own gain covers": covers(own, 0.05), "beyond covers": covers(beyond, -0.05)}


DOSES = {
    "the same": (World(train_sets=0.03), World(train_sets=0.03)),
    "a common gain of 10 more": (World(train_sets=0.03), World(common=0.10, train_sets=0.03)),
    "5 more on the own specialty": (World(train_sets=0.03), World(own=0.05, train_sets=0.03)),
}
"""What is true of the smallest and of the largest dose."""


def doses(args: argparse.Namespace) -> Iterator[Row]:
    """What the largest dose adds to the smallest, pair by pair."""
    for specialties in args.specialties:
        for seeds in (1, 3):
            for name, (least, most) in DOSES.items():
                found = [_dosed(least, most, specialties, seeds, draw) for draw in range(args.grids)]
                yield {"specialties": specialties, "seeds": seeds, "larger dose": name} | _mean(found)


def _mean(found: list[Row]) -> Row:
    return dict(pd.DataFrame(found).mean())


def _dosed(least: World, most: World, specialties: int, seeds: int, draw: int) -> Row:
    """Half of what is random is the same for both doses, as it is for two models, and probes are independent."""
    one = worlds.axes(specialties, seeds)
    grid = one.model_copy(update={"model": ["m0", "m1"], "recipe": ["least", "most"]})
    sizes = np.random.default_rng([draw, specialties]).integers(34, 95, specialties)
    asked = worlds.test_set(grid, sizes)
    block, other = (worlds.blocks(w, grid, asked, np.random.default_rng([draw, 7])) for w in (least, most))
    pair = [replace(block[0], model="m", recipe="least"), replace(other[1], model="m", recipe="most")]
    given = [dose.Dose("least", "least", 100, 1), dose.Dose("most", "least", 1000, 1)]
    rows = dose.added(given, pair, one, asked, Statistics()).set_index("measure")
    gain = most.common - least.common + (most.own - least.own) / specialties
    truth = {"common_gain": gain, "specialty_knowledge": most.own - least.own}
    found: Row = {}
    for measure, value in truth.items():
        row = rows.loc[measure]
        found[f"{measure} p<.05"] = row["added_p"] < 0.05
        found[f"{measure} covers"] = row["added_low"] <= value <= row["added_high"]
    facts = [
        _beyond(specialties, 36, w.own, 0.1, np.random.default_rng([draw, i])) for i, w in enumerate((least, most))
    ]
    probed = probes.difference(*(facts[1] - facts[0]).reshape(2, -1))
    return found | {"probes p<.05": probed.p < 0.05, "probes covers": covers(probed, most.own)}


def powers(args: argparse.Namespace) -> Iterator[Row]:
    """What `snakemake power` says is found with 80%, planted."""
    for specialties, seeds, each in ((3, 1, 100), (5, 1, 40), (6, 3, 100), (15, 1, 60), (15, 3, 60), (15, 5, 30)):
        grid, sizes = worlds.axes(specialties, seeds), np.full(specialties, each)
        asked = worlds.test_set(grid, sizes)
        pilots = [worlds.scores(World(), grid, asked, np.random.default_rng([9, i])).adapters for i in range(5)]
        right = np.concatenate([pilot[grid.specialty_rows] for pilot in pilots], axis=2)
        said = power.table(sizes, seeds, 1, SMALLEST, power.measured(right), 0.95).set_index("statement")["found"] / 100
        for statement, effect in said.items():
            world = World(own=0.0 if statement == power.EQUIVALENT else effect)
            found = [
                _found(str(statement), effect, worlds.scores(world, grid, asked, rng), grid, asked, rng)
                for rng in (np.random.default_rng([draw, specialties, seeds]) for draw in range(args.grids))
            ]
            lead = {"specialties": specialties, "seeds": seeds, "questions each": each, "statement": statement}
            yield lead | {"said points": 100 * effect, "found": float(np.mean(found))}


def _found(statement: str, effect: float, block: Scores, grid: Axes, asked: TestSet, rng: np.random.Generator) -> bool:
    if statement == power.CLAIM_1:
        right = block.adapters[grid.specialty_rows][:, :, asked.members[grid.specialties[0]]]
        luck = effects.adapter_variance(block.adapters[grid.specialty_rows])
        best = effects.against_best(right, 0, grid.specialties, luck, 0.05, 0.95, rng)
        return best.answer == effects.BETTER
    matrix, noise = matrices.matrix(block, grid, asked), matrices.noise(block, grid, asked)
    least = effect_tables.least_of_cells(grid, asked, of_one=statement == power.ONE)
    if statement == power.ONE:
        return effects.knowledge_of(matrix, 0, noise, least).p < 0.05
    knowledge = effects.specialty_knowledge(matrix, noise, least)
    return within(knowledge, effect) if statement == power.EQUIVALENT else knowledge.p < 0.05


GROUPS = ("terms", "placebo", "terms_minus_placebo", "own_minus_other", "own_adapter_minus_others", "own_by_own")


def terms(args: argparse.Namespace) -> Iterator[Row]:
    """Term contrasts, false positives of worlds without effect."""
    for specialties in args.specialties:
        for name, world in term_worlds.NULLS.items():
            made = term_worlds.simulate(replace(world, specialties=specialties), args.grids, seed=specialties)
            outside = ((made["low"] > made["truth"]) | (made["high"] < made["truth"]))[made["low"].notna()]
            pooled = made["train_set"] == "all"
            for what, rows in (("all", pooled), ("one train set", ~pooled)):
                wrong = outside[rows].groupby(made["group"]).mean()
                yield {"specialties": specialties, "world": name, "row": what} | {
                    group: float(wrong[group]) if group in wrong else np.nan for group in GROUPS
                }


def injection(args: argparse.Namespace) -> Iterator[Row]:
    """Probes: what the own adapter adds on facts that it was trained on."""
    for specialties in args.specialties:
        for facts in (10, 36, 150):
            for name, learned, quality in (("nothing", 0.0, 0.0), ("a better own adapter", 0.0, 0.1), ("+10", 0.1, 0)):
                found = [_probed(specialties, facts, learned, quality, draw) for draw in range(args.grids)]
                lead = {"specialties": specialties, "facts a group": facts, "world": name}
                yield lead | pd.DataFrame(found).mean().to_dict()


def _probed(specialties: int, facts: int, learned: float, quality: float, draw: int) -> Row:
    """Facts a group over all specialties, three forms each; the forms of a fact agree as answers of one adapter do."""
    by_fact = _beyond(specialties, facts, learned, quality, np.random.default_rng([draw, specialties, facts]))
    found = probes.difference(by_fact[:facts], by_fact[facts:])
    return {"p<.05": found.p < 0.05, "covers": covers(found, learned)}


def _beyond(specialties: int, facts: int, learned: float, quality: float, rng: np.random.Generator) -> np.ndarray:
    """(facts trained on, then as many others) right answers of the own adapter minus those of the others."""
    fact = np.repeat(np.arange(2 * facts), 3)
    trained, of = fact < facts, fact % specialties
    own = of == np.arange(specialties)[:, None]
    chance = 0.45 + quality * own + learned * (own & trained)
    hard = 0.7 * rng.standard_normal(2 * facts)[fact] + 0.5 * rng.standard_normal((specialties, 2 * facts))[:, fact]
    right = hard + 0.5 * rng.standard_normal(chance.shape) < np.sqrt(0.99) * norm.ppf(chance)
    at = of, np.arange(len(fact))
    beyond = right[at] - (right.sum(axis=0) - right[at]) / (specialties - 1)
    return np.asarray(beyond.reshape(-1, 3).mean(axis=1))


def planted(args: argparse.Namespace) -> Iterator[Row]:
    """Tiny models trained for real in the worlds of the tests: how often the verdict is right."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import planted_worlds

    draws = min(args.grids, 20)
    with tempfile.TemporaryDirectory() as folder:
        base = planted_worlds.pretrained(Path(folder) / "base")
        for name, world in planted_worlds.WORLDS.items():
            made = [
                planted_worlds.said(base, world, draw, Path(folder) / name / str(draw), Statistics())
                for draw in range(draws)
            ]
            answers = [said["combinations"][0]["answer"] for said in made]
            common = pd.Series(answers).value_counts()
            said = "; ".join(f"{answer} ({n})" for answer, n in common.items())
            yield {"world": name, "draws": draws, "right": sum(map(world.right, answers)), "said": said}


@dataclass(frozen=True)
class Part:
    """A table of the page."""

    rows: Callable[[argparse.Namespace], Iterator[Row]]
    title: str
    text: str


PARTS = {
    "grids": Part(
        grids,
        "Grids like S-MedQA's",
        "Test specialties of 34 to 94 questions, base accuracy 45%.",
    ),
    "others": Part(
        others,
        "Grids unlike it",
        "As above unless named. Where the own adapter gains the 2 points that matter, `equivalent` is wrong.",
    ),
    "again": Part(
        again,
        "Rows that lie far out, again",
        "4,000 other grids of two rows from above. Rows of as many specialties and seeds share their random\n"
        "draws, and lie on one side together. `permuted` is the share of p < .05 where train sets are permuted\n"
        "against specialties instead, in 4,000 grids more.",
    ),
    "corners": Part(
        corners,
        "Corner cases and further nuisances",
        "Two specialties have no error of specialty knowledge, and the program says that they cannot tell.\n"
        "With one seed, common gain and controls are about that seed, and say so. The last two rows are the\n"
        "same intervals held against the mean over all seeds, which they are not about, and are not counted\n"
        "above: where a seed makes all train sets better or worse, too few hold it. Where few train sets are\n"
        "far out, a control and what it leaves are missed in up to 8%, for the control may be one of them.",
    ),
    "models": Part(
        models,
        "Several models",
        "Models as a sample of all models; half of a question's difficulty, of a train set's luck and of\n"
        "interactions are the same under every model, and one seed.",
    ),
    "cells": Part(
        cells,
        "Single cells",
        "Changes of `transfer_matrix.csv` and against other references (`paired.change`), given the adapters:\n"
        "4,000 cells a row, of which this share of questions are answered unlike. The interval adds two\n"
        "questions, and is careful where few differ.",
    ),
    "base_rows": Part(
        base_rows,
        "Base rows",
        "`few-shot` and `best-prompt`: their own gain, and what the specialties' adapters gain beyond it.",
    ),
    "doses": Part(
        doses,
        "Doses",
        "What the largest dose adds to the smallest (`dose.csv`): test specialties of 34 to 94 questions, 36\n"
        "facts trained on and 36 others. What is planted is common gain, or an advantage of the own adapter\n"
        "that facts trained on have too.",
    ),
    "powers": Part(
        powers,
        "Power",
        "What `snakemake power` says is found with 80%, in points, is planted, and this share of grids\n"
        "finds it (equivalence: nothing is planted, and the whole interval lies within those points).",
    ),
    "terms": Part(
        terms,
        "Terms",
        "Intervals that miss the truth, given the adapters that were trained: one seed, 60 (`few questions`:\n"
        "15) questions a specialty with 8 terms each (`few terms`: 2), words (sd 0.33) and train sets (sd\n"
        "0.3) with effects of their own; `few terms` has those of the demo (`benchmarks/term_effects.py`).\n"
        "Rows of one train set are means over all of them. Where three specialties and few terms have 0.069,\n"
        "4,000 other grids have 0.052: `term_worlds.simulate(replace(DEMO, terms=2), 4000, seed=77)`.",
    ),
    "probes": Part(
        injection,
        "Probes",
        "Facts trained on minus facts never trained on, own minus others' adapters, three forms a fact.",
    ),
    "planted": Part(
        planted,
        "Worlds in which models are trained for real",
        "Tiny models and adapters of five specialties (`tests/planted_worlds.py`), the verdict at its default\n"
        "confidence of 95%: `benchmarks/calibration.py --parts planted`, 20 draws a world. `make test` asks for\n"
        "five of five at 99%.",
    ),
}
HEAD = """# Calibration: what the verdict's tests say where the truth is known

Made by `make calibration` (`analysis/worlds.py` and `analysis/term_worlds.py` say how grids are
simulated), 1,000 grids a row: the Monte Carlo error of a share of 5% is 1.4 points (95%). Where no
effect is planted, a share of p < .05 is that of false positives; where one is, it is the power.

| column | is |
|---|---|
| knowledge | specialty knowledge has p < .05 |
| covers | intervals of specialty knowledge that hold the planted value |
| equivalent | its interval lies within 2 points |
| gain, control, beyond covers | intervals that hold the truth: common gain, that of a control, and what it leaves |
| one, one covers | the same for the own adapter of one specialty (needs four specialties) |
| better, not better | answers of claim 1 for one specialty: own against the best of the others, margin 5 points |

Intervals of common gain and controls are careful where two parts of an error are known by one or two
degrees of freedom each: two train sets and several seeds, or three train sets and two models.
`better` is conditional on the train sets, and with one seed on the adapters, that were trained:
where these differ much (sd 6 to 8), the first is the best of three by its luck, and is called so in
up to 6% of grids; of two it is in up to 9% (sd 3).
"""


if __name__ == "__main__":
    main()
