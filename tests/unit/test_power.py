"""What a grid is said to find is what it finds in simulated grids."""

import numpy as np
import pytest

from neuro2cardio.analysis import effects, power, worlds
from neuro2cardio.analysis.worlds import World
from neuro2cardio.config.analysis import SmallestEffect


@pytest.mark.parametrize(("specialties", "seeds", "each"), [(15, 3, 60), (6, 1, 100)])
def test_specialty_knowledge_is_found_as_often_as_said(specialties, seeds, each):
    sizes = [each] * specialties
    grid = worlds.axes(specialties, seeds)
    asked = worlds.exam(grid, np.array(sizes))
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


def test_a_grid_that_cannot_answer_is_told_what_could():
    given = power.Assumptions()
    rows = power.table([20] * 5, 1, 4, SmallestEffect(), given, 0.95)
    said = power.text(rows, [20] * 5, 1, given)
    assert "This grid cannot answer: specialty knowledge, over all" in said
    assert "test questions a specialty" in said and "no pilot was found" in said
