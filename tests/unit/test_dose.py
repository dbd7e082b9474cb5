"""Recipes that differ in their dose alone: found in the configuration, set side by side, drawn."""

from matplotlib.backends.backend_agg import FigureCanvasAgg
import numpy as np
import pandas as pd
import planted
import pytest

from neuro2cardio.analysis import adapter_checks, dose, effect_tables, figures, transfer, verdict
from neuro2cardio.config import settings
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.questions.test_set import TestSet

SPECIALTIES = ["cardiology", "neurology", "dermatology", "psychiatry"]
RECIPES = ("few", "many", "long", "full")
METHODS = ["cloze"]
NO_DIAGONAL = pd.DataFrame(columns=effect_tables.DIAGONAL)
NO_TERMS = pd.DataFrame(columns=["seed", "measure", "context", "scope", "model", "recipe", "train_set", "group", "low"])
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


def answered(gain, own, draw=0):
    """The answers of a grid in which a recipe's dose adds `gain` everywhere and `own` on the own specialty."""
    axes = planted.axes_of([*SPECIALTIES, "mixed"], recipes=RECIPES)
    test_set = TestSet.of(planted.questions(axes, each=200, also=0), axes.specialties)
    rng = np.random.default_rng(draw)
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
    return transfer.scores(marks, axes, METHODS), axes, test_set, Statistics()


def table(gain, own):
    """Its tables of effects and of checks."""
    effects = effect_tables.effects_table(*answered(gain, own))
    checks = pd.DataFrame({"model": ["small"], "recipe": ["many"], "train_set": ["mixed"], "seed": [1]})
    checks = checks.assign(method="cloze", broken=True, flags="tied")
    return effects, checks


GAIN = {"few": 0.02, "many": 0.2, "long": 0.1, "full": 0.3}
OWN = {"few": 0.0, "many": 0.3, "long": 0.0, "full": 0.0}


@pytest.fixture(scope="module")
def found():
    return dose.table(DOSES, *table(GAIN, OWN), added=dose.added(DOSES, *answered(GAIN, OWN)))


def test_effects_stand_in_the_order_of_the_questions_seen(found):
    assert found["recipe"].drop_duplicates().tolist() == ["few", "long", "many"]
    assert found["seen"].drop_duplicates().tolist() == [300, 900, 3000]
    assert set(found["measure"]) == {"common_gain", "specialty_knowledge"}
    common = found[found["measure"] == "common_gain"]
    assert common["estimate"].is_monotonic_increasing
    known = found[found["measure"] == "specialty_knowledge"].set_index("recipe")
    assert known.loc["many", "low"] > 0.1
    assert known.loc["few", "low"] < 0 < known.loc["few", "high"]


def test_the_largest_dose_is_compared_with_the_smallest_pair_by_pair(found):
    compared = found[found["against"].notna()].set_index("measure")
    assert set(compared["recipe"]) == {"many"} and set(compared["against"]) == {"few"}
    of = found.set_index(["recipe", "measure"])
    for measure in ("common_gain", "specialty_knowledge"):
        row, most, fewest = compared.loc[measure], of.loc[("many", measure)], of.loc[("few", measure)]
        assert row["added"] == pytest.approx(most["estimate"] - fewest["estimate"])
        assert row["added_p"] < 0.05 and row["added_low"] > 0
    # The own adapter's 30 points on a quarter of the questions are part of the common gain.
    assert compared.loc["common_gain", "added_low"] < 0.18 + 0.3 / 4 < compared.loc["common_gain", "added_high"]
    assert compared.loc["specialty_knowledge", "added_low"] < 0.3 < compared.loc["specialty_knowledge", "added_high"]


def test_what_a_dose_adds_covers_the_truth_and_equal_doses_differ_as_often_as_chance():
    same, wrong, held = dict.fromkeys(RECIPES, 0.1), [], []
    for draw in range(60):
        for row in dose.added(DOSES, *answered(same, same, draw)).itertuples():
            wrong.append(row.added_p < 0.05)
            held.append(row.added_low <= 0 <= row.added_high)
    assert np.mean(wrong) <= 0.1
    assert np.mean(held) == 1 - np.mean(wrong)


def test_the_verdict_has_a_sentence_on_what_a_dose_adds(found):
    effects, checks = table(GAIN, OWN)
    for broken, answers in ((0, ["more", "more"]), (1, ["undecided", "undecided"])):
        rows = found.assign(broken=broken)
        said = verdict.verdict(effects, NO_DIAGONAL, NO_TERMS, checks, Statistics(), "prompt", "strict", doses=rows)
        (entry,) = said["doses"]
        assert (entry["recipe"], entry["against"]) == ("many", "few")
        assert [s["answer"] for s in entry["statements"]] == answers
    assert "3,000 train questions seen instead of 300 add +" in verdict.text(said)
    assert (found["given"] == "").all(), "two seeds of several specialties"
    one = found.assign(given=np.where(found["measure"] == "common_gain", effect_tables.THIS_SEED, ""))
    said = verdict.verdict(effects, NO_DIAGONAL, NO_TERMS, checks, Statistics(), "prompt", "strict", doses=one)
    sentences = [s["sentence"] for s in said["doses"][0]["statements"]]
    assert ["about that seed" in sentence for sentence in sentences] == [True, False]
    same = found.assign(added=0.0, added_low=-0.01, added_high=0.01, broken=0)
    said = verdict.verdict(effects, NO_DIAGONAL, NO_TERMS, checks, Statistics(), "prompt", "strict", doses=same)
    assert {s["answer"] for s in said["doses"][0]["statements"]} == {"no difference larger than 2 points"}


def test_probes_are_compared_where_there_are_some():
    blocks, axes, _, statistics = answered(GAIN, OWN)
    names = [n for n in axes.specialties for _ in range(200)]
    facts = pd.DataFrame({"fact": range(len(names)), "form": "synonym", "specialty": names})
    facts["trained"] = np.arange(len(names)) % 2 == 0
    asked = TestSet.of(planted.questions(axes, each=200, also=0), axes.specialties)
    rows = dose.added(DOSES, blocks, axes, asked, statistics, (blocks, facts)).set_index("measure")
    # What the own adapter adds, it adds to both groups of facts.
    assert rows.loc["probes", "added_low"] < 0 < rows.loc["probes", "added_high"]


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
