"""What a grid is said to find is what it finds in simulated grids."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from neuro2cardio.analysis import cells, effects, power, term_worlds, worlds
from neuro2cardio.analysis.worlds import World
from neuro2cardio.config.analysis import SmallestEffect
from neuro2cardio.core.specialties import SPECIALTIES


@pytest.mark.parametrize(("specialties", "seeds", "each"), [(15, 3, 60), (6, 1, 100)])
def test_specialty_knowledge_is_found_as_often_as_said(specialties, seeds, each):
    sizes = [each] * specialties
    grid = worlds.axes(specialties, seeds)
    asked = worlds.test_set(grid, np.array(sizes))
    pilot = worlds.scores(World(), grid, asked, np.random.default_rng(0)).adapters[grid.specialty_rows]
    rows = power.table(sizes, seeds, 1, SmallestEffect(), power.measured(pilot), 0.95).set_index("statement")
    said = rows.loc["specialty knowledge, over all", "found"] / 100
    found = []
    for draw in range(150):
        block = worlds.scores(World(own=said), grid, asked, np.random.default_rng(draw))
        found.append(effects.specialty_knowledge(cells.matrix(block, grid, asked)).p < 0.05)
    # 80%, give or take 5 and the Monte Carlo error of 150 grids.
    assert 0.68 <= np.mean(found) <= 0.92


def test_more_questions_and_seeds_find_smaller_effects():
    few, many, seeds = (
        power.table([n] * 15, k, 1, SmallestEffect(), power.Assumptions(), 0.95)["found"]
        for n, k in ((60, 1), (240, 1), (60, 5))
    )
    assert (many < few).all() and (seeds < few).all()


def test_seeds_that_are_said_to_be_enough_are():
    sizes, given = [300] * 15, power.Assumptions()
    rows = power.table(sizes, 1, 1, SmallestEffect(), given, 0.95)
    needed = power.seeds_needed(rows, sizes, SmallestEffect(), given, 0.95)
    assert needed.notna().any() and (needed.dropna() >= 1).all()
    for row, k in needed.dropna().items():
        assert power.table(sizes, k, 1, SmallestEffect(), given, 0.95)["found"][row] <= rows["matters"][row]


@pytest.mark.parametrize("per_question", [2, 8])
def test_term_contrasts_are_found_as_often_as_said(per_question):
    names, rng = list(SPECIALTIES[:3]), np.random.default_rng(1)
    mentions, asked = term_worlds.made_up(term_worlds.TermWorld(questions=60, terms=per_question), names, rng)
    found = power.of_terms(mentions, asked, names, 1, 0.95, "strict").set_index("statement")["found"]
    for group, planted, said in zip(("terms_minus_placebo", "own_by_own"), ("medicine", "own"), found, strict=True):

        def simulated(effect: float, draws: int, group=group, planted=planted) -> pd.DataFrame:
            world = replace(term_worlds.DEMO, **{planted: effect})
            made = term_worlds.on_mentions(world, names, mentions, asked, draws, rng)
            return made[(made["train_set"] == "all") & (made["group"] == group)]

        # Under another adapter, its own terms are among the others: the contrast is more than what is planted.
        times = simulated(1.0, 1)["truth"].item()
        assert 0.72 <= (simulated(said / times, 300)["p"] < 0.05).mean() <= 0.88


def test_a_pilots_intervals_are_taken_instead_of_assumed_ones():
    row = {"train_set": "all", "seed": "all", "measure": "mean", "low": 0.1, "high": 0.5}
    shifts = pd.DataFrame([row | {"group": "terms_minus_placebo"}, row | {"group": "own_by_own", "high": np.nan}])
    more = shifts.assign(train_set="cardiology", high=3.0)
    found = power.of_measured_terms(pd.concat([shifts, more]), 0.95)
    # Half the interval, by (1.96 + 0.84) / 1.96; what has no interval has no row.
    assert found["found"].tolist() == [pytest.approx(0.2 * 2.802 / 1.96, abs=0.001)]
    assert found["statement"].item().startswith("clinical terms rise")


def test_a_grid_that_cannot_answer_is_told_what_could():
    given = power.Assumptions()
    rows = power.table([20] * 5, 1, 4, SmallestEffect(), given, 0.95)
    rows["seeds_needed"] = power.seeds_needed(rows, [20] * 5, SmallestEffect(), given, 0.95)
    terms = pd.DataFrame({"statement": ["clinical terms rise"], "found": [0.2], "unit": ["nats per token"]})
    said = power.text(pd.concat([rows, terms], ignore_index=True), [20] * 5, 1, given, "Terms: from a pilot.")
    assert said.startswith("5 specialties of 20 test questions") and said.endswith("Terms: from a pilot.\n")
    assert "more seeds alone do not help" in said and "nats per token" in said
    assert "This grid cannot answer: specialty knowledge, over all" in said
    assert "test questions a specialty" in said and "no pilot was found" in said
