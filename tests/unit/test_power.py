"""What a grid is said to find is what it finds in simulated grids."""

import numpy as np
import pandas as pd
import pytest

from neuro2cardio.analysis import effects, power, term_worlds, worlds
from neuro2cardio.analysis.worlds import World
from neuro2cardio.config.analysis import SmallestEffect


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
        found.append(effects.specialty_knowledge(effects.cells(block, grid, asked)).p < 0.05)
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


def test_term_contrasts_are_found_as_often_as_said():
    found = power.of_terms([40] * 3, 1, 0.95).set_index("statement")["found"]
    noise = {"questions": 40, "word": 0.33, "question": 0.2}
    for group, planted, said in zip(("terms_minus_placebo", "own_by_own"), ("medicine", "own"), found, strict=True):

        def simulated(effect: float, draws: int, group=group, planted=planted) -> pd.DataFrame:
            made = term_worlds.simulate(term_worlds.TermWorld(**noise, **{planted: effect}), draws, 1)
            return made[(made["train_set"] == "all") & (made["group"] == group)]

        # Under another adapter, its own terms are among the others: the contrast is more than what is planted.
        times = simulated(1.0, 1)["truth"].item()
        assert 0.72 <= (simulated(said / times, 300)["p"] < 0.05).mean() <= 0.88


def test_a_grid_that_cannot_answer_is_told_what_could():
    given = power.Assumptions()
    rows = power.table([20] * 5, 1, 4, SmallestEffect(), given, 0.95)
    rows["seeds_needed"] = power.seeds_needed(rows, [20] * 5, SmallestEffect(), given, 0.95)
    rows = pd.concat([rows, power.of_terms([20] * 5, 1, 0.95)], ignore_index=True)
    said = power.text(rows, [20] * 5, 1, given)
    assert "more seeds alone do not help" in said and "nats per token" in said
    assert "This grid cannot answer: specialty knowledge, over all" in said
    assert "test questions a specialty" in said and "no pilot was found" in said
