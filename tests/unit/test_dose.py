"""Recipes that differ in their dose alone: found in the configuration, set side by side, drawn."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
import numpy as np
import pandas as pd
import planted
import pytest

from neuro2cardio.analysis import adapter_checks, dose, effect_tables, figures, transfer
from neuro2cardio.config import settings
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.questions.test_set import TestSet

SPECIALTIES = ["cardiology", "neurology", "dermatology", "psychiatry"]
RECIPES = ("few", "many", "long", "full")
METHODS = ["cloze"]
DOSES = [dose.Dose("many", "few", 1000, 3), dose.Dose("few", "few", 100, 3), dose.Dose("long", "few", 100, 9)]


def config(**recipes):
    grid = {"models": ["m"], "recipes": list(recipes), "specialties": ["Cardiology", "Neurology"]}
    return settings.load(
        {
            "experiment": "grid",
            "grid": grid,
            "dataset": {"origin": {"source": "s-medqa"}},
            "models": {"m": {"source": "hub", "id": "an/llm"}},
            "recipes": recipes,
        }
    )


def test_recipes_that_differ_in_questions_and_epochs_alone_are_a_series():
    one = {"loss": "completion", "train_size": 100}
    whole = config(
        few=one,
        many=one | {"train_size": None, "micro_batch_size": 2},
        long=one | {"epochs": 9},
        full=one | {"loss": "full"},
        deep=one | {"rank": 32},
    )
    assert whole.dose_series == {"few": ["few", "many", "long"]}
    assert config(few=one, same=one).dose_series == {}
    assert config(few=one).dose_series == {}


def table(gain, own):
    """The table of a grid in which a recipe's dose adds `gain` everywhere and `own` on the own specialty."""
    axes = planted.axes_of([*SPECIALTIES, "mixed"], recipes=RECIPES)
    test_set = TestSet.of(planted.questions(axes, each=200, also=0), axes.specialties)
    rng = np.random.default_rng(0)
    luck = rng.random(len(test_set.question_ids))
    marks = {}
    for adapter in axes.everything():
        if adapter.recipe == "base":
            marks[adapter] = (luck < 0.3).astype(float)[None]
            continue
        name = next((s for s in axes.specialties if s.lower() == adapter.train_set), None)
        chance = 0.3 + gain[adapter.recipe] + (own[adapter.recipe] * test_set.members[name] if name else 0)
        noise = np.where(rng.random(len(luck)) < 0.8, luck, rng.random(len(luck)))
        marks[adapter] = (noise < chance).astype(float)[None]
    blocks = transfer.scores(marks, axes, METHODS)
    effects = effect_tables.effects_table(blocks, axes, test_set, Statistics())
    checks = pd.DataFrame({"model": ["small"], "recipe": ["many"], "train_set": ["mixed"], "seed": [1]})
    checks = checks.assign(method="cloze", broken=True, flags="tied")
    return effects, checks


@pytest.fixture(scope="module")
def found():
    gain = {"few": 0.02, "many": 0.2, "long": 0.1, "full": 0.3}
    own = {"few": 0.0, "many": 0.3, "long": 0.0, "full": 0.0}
    return dose.table(DOSES, *table(gain, own))


def test_effects_stand_in_the_order_of_the_questions_seen(found):
    assert found["recipe"].drop_duplicates().tolist() == ["few", "long", "many"]
    assert found["seen"].drop_duplicates().tolist() == [300, 900, 3000]
    assert set(found["measure"]) == {"common_gain", "specialty_knowledge"}
    common = found[found["measure"] == "common_gain"]
    assert common["estimate"].is_monotonic_increasing
    known = found[found["measure"] == "specialty_knowledge"].set_index("recipe")
    assert known.loc["many", "low"] > 0.1
    assert known.loc["few", "low"] < 0 < known.loc["few", "high"]


def test_a_dose_with_a_broken_adapter_says_so(found):
    assert found.groupby("recipe")["broken"].max().to_dict() == {"few": 0, "long": 0, "many": 1}


def test_facts_learned_join_where_there_are_probes():
    gain = dict.fromkeys(RECIPES, 0.1)
    row = {"form": "all", "specialty": "all", "facts": dose.probes.INJECTION, "adapter": dose.probes.BEYOND}
    asked = pd.DataFrame([{"model": "small", "recipe": r, "method": "cloze", **row} for r in RECIPES])
    numbers = {"estimate": 0.1, "low": 0.0, "high": 0.2, "p": 0.05, "smallest_detectable": 0.1, "n_questions": 72}
    asked = pd.concat([asked, asked.assign(form="synonym")]).assign(**numbers, n_adapters=4)
    rows = dose.table(DOSES, *table(gain, dict.fromkeys(RECIPES, 0.0)), asked)
    assert (rows["measure"] == "probes").sum() == len(DOSES)


def test_the_figure_has_a_panel_a_measure_and_a_line_a_series(found):
    figure = figures.dose_figure(found, {"model": "small", "method": "cloze"})
    FigureCanvasAgg(figure).draw()
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["Common gain", "Specialty knowledge"]
    panel = figure.axes[0]
    ticks = [label.get_text() for label in panel.get_xticklabels()]
    assert ticks == ["300", "900", "3,000"]
    line = panel.lines[1]
    np.testing.assert_allclose(line.get_ydata(), 100 * found.loc[found["measure"] == "common_gain", "estimate"])


def test_checks_without_broken_adapters_are_fine():
    effects, checks = table(dict.fromkeys(RECIPES, 0.1), dict.fromkeys(RECIPES, 0.0))
    assert not adapter_checks.broken(checks.assign(broken=False))
    assert (dose.table(DOSES, effects, checks.assign(broken=False))["broken"] == 0).all()
