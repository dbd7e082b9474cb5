"""Every test of the verdict on simulated grids: false positives, coverage and power, written to docs/calibration.md.

PYTHONPATH=workflow/scripts python benchmarks/calibration.py [--grids 1000]
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from neuro2cardio.analysis import effects, worlds
from neuro2cardio.analysis.worlds import World

PAGE = Path(__file__).parents[1] / "docs/calibration.md"
WORLDS = {
    "nothing": World(),
    "train sets differ (sd 3)": World(train_sets=0.03),
    "adapters differ (sd 3)": World(adapters=0.03),
    "both, and interactions (sd 2)": World(train_sets=0.03, adapters=0.03, interactions=0.02),
    "common gain of 10": World(common=0.10, formats=0.10, train_sets=0.02),
    "own adapter +5": World(own=0.05, train_sets=0.03, adapters=0.02),
    "own adapter +10": World(own=0.10, train_sets=0.03, adapters=0.02),
}
HEAD = """# Calibration: what the verdict's tests say where the truth is known

Made by `make calibration` ({grids} simulated grids a row; `analysis/worlds.py` says how they are
made): test specialties of 34 to 94 questions as in S-MedQA, base accuracy 45%. The Monte Carlo error
of a share of 5% is {error:.1f} points. The false positives of a null are where no effect is planted;
where one is, the same column is the power.

It has no rows for the contrasts with controls, for questions of several specialties, and for grids
of several models.

| column | is |
|---|---|
| knowledge p<.05 | specialty knowledge found: false positives, or power where the own adapter gains |
| covers | intervals of specialty knowledge that hold the planted value |
| gain covers | intervals of the common gain that hold the planted value |
| one p<.05 | one specialty's own adapter stands out |
| better, not better | answers of claim 1 for one specialty: own against the best of the others |

"""


def main() -> None:
    """Simulate, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grids", type=int, default=1000)
    parser.add_argument("--specialties", type=int, nargs="+", default=[3, 15])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 3, 5])
    args = parser.parse_args()
    table = pd.DataFrame(rows(args.grids, args.specialties, args.seeds))
    error = 196 * np.sqrt(0.05 * 0.95 / args.grids)
    head = [" | ".join(table.columns), " | ".join("---" for _ in table.columns)]
    lines = [
        " | ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in row) for row in table.to_numpy().tolist()
    ]
    body = "\n".join(f"| {line} |" for line in [*head, *lines])
    PAGE.write_text(f"{HEAD.format(grids=args.grids, error=error)}{body}\n", encoding="utf-8")
    print(table.to_string(index=False))


def rows(grids: int, specialties: list[int], seeds: list[int]) -> Iterator[dict[str, object]]:
    """One row a world, number of specialties and number of seeds."""
    for n in specialties:
        for k in seeds:
            for name, world in WORLDS.items():
                found = pd.DataFrame([one(world, n, k, draw) for draw in range(grids)])
                shares = found.mean().to_dict()
                print({"specialties": n, "seeds": k, "world": name, **shares}, flush=True)
                yield {"specialties": n, "seeds": k, "world": name, **shares}


def one(world: World, specialties: int, seeds: int, draw: int) -> dict[str, bool | float]:
    """What the tests say of one simulated grid."""
    rng = np.random.default_rng([draw, specialties, seeds])
    grid = worlds.axes(specialties, seeds)
    asked = worlds.exam(grid, rng.integers(34, 95, specialties))
    block = worlds.scores(world, grid, asked, rng)
    matrix = effects.cells(block, grid, asked)
    knowledge, gain = effects.specialty_knowledge(matrix), effects.common_gain(block, grid)
    adapters = block.adapters[grid.specialty_rows]
    first = adapters[:, :, asked.members[grid.specialties[0]]]
    best = effects.against_best(first, 0, grid.specialties, effects.adapter_variance(adapters), 0.05, 0.95, rng)
    # Over all questions, the own adapter is one of the specialties' adapters for each of them.
    true_gain = world.common + world.own / specialties
    return {
        "knowledge p<.05": knowledge.p < 0.05,
        "covers": covers(knowledge, world.own),
        "gain covers": covers(gain, true_gain),
        "one p<.05": effects.knowledge_of(matrix, 0).p < 0.05,
        "better": best.answer == effects.BETTER,
        "not better": best.answer == effects.NOT_BETTER,
    }


def covers(estimate: effects.Estimate, truth: float) -> bool:
    """Whether the 95% interval holds the planted value."""
    low, high = estimate.interval(0.95)
    return low <= truth <= high


if __name__ == "__main__":
    main()
