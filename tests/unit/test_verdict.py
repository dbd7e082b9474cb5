"""The verdict is right in a world with specialty knowledge and in a world without, and its words follow its numbers."""

from dataclasses import replace
from math import nan

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from neuro2cardio.analysis import cells, effect_tables, effects, transfer, verdict, worlds
from neuro2cardio.analysis.worlds import World
from neuro2cardio.config.analysis import Statistics

SETUP = Statistics()
SHIFTS = pd.DataFrame(columns=["seed", "measure", "context", "scope", "model", "recipe", "train_set", "group", "low"])
CHECKS = pd.DataFrame(columns=["model", "recipe", "train_set", "seed", "method", "flags", "broken"])
NUISANCES = {"train_sets": 0.03, "adapters": 0.02}


def said(
    world: World, seed: int, specialties: int = 15, seeds: int = 3, each: int = 60, statistics=SETUP, claim_1=True
) -> dict:
    grid = worlds.axes(specialties, seeds)
    asked = worlds.test_set(grid, np.full(specialties, each))
    block = worlds.scores(world, grid, asked, np.random.default_rng(seed))
    found = effect_tables.effects_table([block], grid, asked, statistics)
    diagonal = effect_tables.diagonal([block] if claim_1 else [], grid, asked, statistics)
    return verdict.verdict(found, diagonal, SHIFTS, CHECKS, statistics, "prompt", "strict")


def answers(world: World, n: int, **grid: int) -> list[str]:
    return [said(world, seed, **grid, claim_1=False)["combinations"][0]["answer"] for seed in range(n)]


def test_knowledge_that_carries_only_to_itself_is_found():
    world = World(common=0.05, own=0.10, formats=0.05, **NUISANCES)
    assert answers(world, 20) == [verdict.SPECIALTY_KNOWLEDGE] * 20


def test_with_it_no_specialty_is_said_not_to_be_better():
    found = [said(World(own=0.10, **NUISANCES), seed)["combinations"][0]["statements"] for seed in range(10)]
    each = [s["answer"] for statements in found for s in statements if s["id"].startswith("best_own:")]
    assert len(each) == 150
    # 5% may be, and its Monte Carlo error.
    assert np.mean([answer == effects.NOT_BETTER for answer in each]) <= 0.08


@pytest.mark.parametrize(
    ("world", "answer"),
    [
        (World(common=0.12, formats=0.12, train_sets=0.01), verdict.FORMAT),
        (World(common=0.12, formats=0.0, train_sets=0.01), verdict.NOT_FORMAT),
    ],
)
def test_a_common_gain_is_explained_by_format_or_not(world, answer):
    assert answers(world, 5) == [answer] * 5


@pytest.mark.parametrize(("each", "sure"), [(12, False), (400, True)])
def test_adapters_that_change_no_answer_are_equivalent_where_there_are_questions_enough_to_tell(each, sure):
    grid = worlds.axes(4, 2)
    asked = worlds.test_set(grid, np.full(4, each))
    block = worlds.scores(World(), grid, asked, np.random.default_rng(0))
    same = replace(block, adapters=np.broadcast_to(block.base, block.adapters.shape))
    found = effect_tables.effects_table([same], grid, asked, SETUP)
    diagonal = effect_tables.diagonal([same], grid, asked, SETUP)
    (entry,) = verdict.verdict(found, diagonal, SHIFTS, CHECKS, SETUP, "prompt", "strict")["combinations"]
    by_id = {statement["id"]: statement["answer"] for statement in entry["statements"]}
    assert by_id["common_gain"].startswith("no gain larger") == sure
    assert by_id["specialty_knowledge"].startswith("no specialty knowledge") == sure
    assert (found["low"] < 0).all() and (found["high"] > 0).all() and (found["p"] == 1).all()


def test_train_sets_of_different_quality_are_no_specialty_knowledge():
    found = answers(World(train_sets=0.05, adapters=0.03, interactions=0.02), 100, each=30)
    assert np.mean([answer == verdict.SPECIALTY_KNOWLEDGE for answer in found]) <= 0.09


def test_where_nothing_is_there_it_is_undecided_or_equivalent_by_its_power():
    small = answers(World(), 10, specialties=5, seeds=1, each=20)
    large = answers(World(), 10, each=600)
    assert set(small) <= {verdict.UNDECIDED, verdict.SPECIALTY_KNOWLEDGE} and small.count(verdict.UNDECIDED) >= 8
    assert large.count("no specialty knowledge larger than 2 points (equivalent)") >= 8


def test_an_undecided_grid_is_never_worded_as_support_for_claim_1():
    entry = said(World(), 0, specialties=5, seeds=1, each=20)["combinations"][0]
    (best,) = [s for s in entry["statements"] if s["id"] == "best_own"]
    assert best["answer"] == "undecided" and "tied" not in best["sentence"]
    assert "would have been found with 80%" in best["sentence"]


def test_the_best_of_many_specialties_is_not_claimed_where_one_of_them_had_to_stand_out_by_chance():
    rows, family = [], 0
    for seed in range(40):
        (entry,) = said(World(), seed, specialties=8, seeds=1, each=40)["combinations"]
        rows += [s for s in entry["statements"] if s["id"].startswith("best_own:")]
        family += next(s["answer"] for s in entry["statements"] if s["id"] == "best_own") == "some are the best"
    assert family <= 5
    # A corrected p is never below 5% where the interval holds zero.
    assert all(s["p_adjusted"] >= 0.05 or s["low"] > 0 for s in rows)
    (entry,) = said(World(own=0.4), 0, seeds=1)["combinations"]
    (best,) = (s for s in entry["statements"] if s["id"] == "best_own")
    assert best["answer"] == "some are the best" and "when corrected for asking of 15" in best["sentence"]


def test_a_lead_over_the_best_of_the_others_has_its_own_interval():
    # Not that of how the own adapter stands out, which the same row of diagonal.csv has in `low` and `high`.
    for statement in said(World(own=0.03, **NUISANCES), 0, each=40)["combinations"][0]["statements"]:
        if statement["id"].startswith("best_own:"):
            assert statement["low"] <= statement["estimate"] <= statement["high"]


def test_interval_and_p_of_one_statement_never_contradict_each_other():
    for seed in range(30):
        for statement in said(World(own=0.03, **NUISANCES), seed, each=40)["combinations"][0]["statements"]:
            if statement["p"] is not None and statement["low"] is not None:
                assert (statement["p"] < 0.05) == (statement["low"] > 0 or statement["high"] < 0)


@pytest.mark.parametrize("shares", [(0.5, 0.2, 0.3), (0.999, 0.0005, 0.0005)])
@pytest.mark.parametrize("seeds", [1, 3])
def test_what_stands_in_two_tables_is_the_same_in_both(shares, seeds):
    grid = worlds.axes(4, seeds)
    asked = worlds.test_set(grid, np.full(4, 30))
    drawn = np.random.default_rng(seeds)
    block = worlds.scores(World(shares=shares), grid, asked, drawn)
    block = replace(block, base_rows={"few-shot": np.where(drawn.random(120) < 0.1, 1 - block.base, block.base)})
    found = effect_tables.effects_table([block], grid, asked, SETUP).set_index(["effect", "of"])
    own = effect_tables.diagonal([block], grid, asked, SETUP).set_index("test_specialty")
    named = ["low", "high", "p", "smallest_detectable"]
    assert own.loc["all", named].tolist() == found.loc[(effect_tables.KNOWLEDGE, ""), named].tolist()
    cells = transfer.matrix([block], grid.model_copy(update={"recipe": ["r"]}), asked, SETUP)
    (cell,) = cells[(cells["train_set"] == "few-shot") & (cells["test_specialty"] == "all")].to_dict("records")
    row = found.loc[(effect_tables.GAIN_OF, "few-shot")]
    assert [cell[name] for name in ("change", "change_low", "change_high", "p")] == pytest.approx(
        row[["estimate", "low", "high", "p"]].tolist()
    )


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_gain_of_one_specialty_is_that_of_its_cell_and_about_the_adapters_that_were_trained(seeds):
    grid = worlds.axes(1, seeds)
    asked = worlds.test_set(grid, np.array([40]))
    block = worlds.scores(World(common=0.2), grid, asked, np.random.default_rng(0))
    found = effect_tables.effects_table([block], grid, asked, SETUP)
    gain = found[found["effect"] == effect_tables.COMMON_GAIN].iloc[0]
    cells = transfer.matrix([block], grid.model_copy(update={"recipe": ["r"]}), asked, SETUP)
    cell = cells[cells["train_set"] == grid.train_set[0]]
    assert gain["given"] == effect_tables.THESE_ADAPTERS
    for name, column in {"estimate": "change", "low": "change_low", "high": "change_high", "p": "p"}.items():
        assert cell[column].tolist() == pytest.approx([gain[name]] * 2)


def test_with_one_seed_gains_are_about_that_seed_and_say_so():
    one, three = (said(World(common=0.1), 0, specialties=4, seeds=seeds)["combinations"][0] for seeds in (1, 3))
    sentences = [entry["statements"][0]["sentence"] for entry in (one, three)]
    assert ["With one seed" in sentence for sentence in sentences] == [True, False]


def test_specialty_knowledge_is_what_an_interval_of_the_confidence_that_is_set_excludes():
    found = 0
    for seed in range(20):
        made = said(World(own=0.02), seed, each=40, statistics=Statistics(confidence=0.8))
        (knowledge,) = [s for s in made["combinations"][0]["statements"] if s["id"] == "specialty_knowledge"]
        assert (knowledge["answer"] == verdict.SPECIALTY_KNOWLEDGE) == (knowledge["low"] > 0)
        found += 0.05 < knowledge["p"] < 0.2 and knowledge["low"] > 0
    assert found


def test_each_statement_names_the_row_that_it_is_read_from():
    grid = worlds.axes(5, 2)
    asked = worlds.test_set(grid, np.full(5, 30))
    block = worlds.scores(World(common=0.1), grid, asked, np.random.default_rng(0))
    tables = {
        "effects.csv": effect_tables.effects_table([block], grid, asked, SETUP),
        "diagonal.csv": effect_tables.diagonal([block], grid, asked, SETUP),
    }
    made = verdict.verdict(*tables.values(), SHIFTS, CHECKS, SETUP, "prompt", "strict")
    for statement in made["combinations"][0]["statements"]:
        rows = tables[statement["table"]].fillna({"of": ""})
        for key, value in statement["row"].items():
            rows = rows[rows[key].astype(str) == value]
        assert len(rows) == 1, statement


def test_broken_adapters_are_no_result():
    grid = worlds.axes(15, 3)
    asked = worlds.test_set(grid, np.full(15, 60))
    block = worlds.scores(World(own=0.2), grid, asked, np.random.default_rng(0))
    checks = pd.DataFrame([["m", "r", "neurology", 1, "letter", "no_gradient", True]], columns=CHECKS.columns)
    found = effect_tables.effects_table([block], grid, asked, SETUP)
    diagonal = effect_tables.diagonal([block], grid, asked, SETUP)
    made = verdict.verdict(found, diagonal, SHIFTS, checks, SETUP, "prompt", "strict")
    assert made["combinations"][0]["answer"] == verdict.UNDECIDED and made["combinations"][0]["broken"] == 1
    assert made["broken"]


@pytest.mark.parametrize(
    ("low", "high", "answer"),
    [(0.1, 3, "up"), (-3, -0.1, "down"), (-1.9, 1.9, "none"), (-2.1, 1, "undecided"), (nan, nan, "undecided")],
)
def test_words_follow_from_an_interval(low, high, answer):
    assert verdict.direction(low, high, 2, ("up", "down", "none")) == answer


def test_three_specialties_say_what_they_could_have_seen_and_two_say_that_they_cannot():
    three, two = (said(World(), 1, specialties=n) for n in (3, 2))
    sentences = [
        next(s for s in made["combinations"][0]["statements"] if s["id"] == "specialty_knowledge")["sentence"]
        for made in (three, two)
    ]
    assert "would have been found with 80%" in sentences[0]
    assert "fewer than three specialties cannot tell it" in sentences[1]


def test_over_models_their_differences_are_the_error():
    one = effects.Estimate.single(0.1, 0.01, 100)
    independent = effects.Estimate.single(0.1, 0.005, 100)
    apart = [effects.Estimate.single(v, 0.01, 100) for v in (-0.1, 0.3, 0.1, 0.1)]
    assert effects.over_models(apart, independent).interval(0.95)[0] < 0
    # Student's interval of the models' values, where questions and train sets have nothing in common.
    expected = stats.t.interval(0.95, 3, 0.1, np.std([e.value for e in apart], ddof=1) / 2)
    assert effects.over_models(apart, independent).interval(0.95) == pytest.approx(expected)
    # What all models share is no less for there being many of them.
    assert effects.over_models([one] * 4, one).se == pytest.approx(0.01)
    assert np.isnan(effects.over_models([one], one).se)


@pytest.mark.parametrize(("few", "least", "most"), [(1, 0.935, 0.98), (2, 0.944, 0.965), (14, 0.945, 0.955)])
def test_an_error_of_several_parts_covers_whatever_their_shares(few, least, most):
    """The share of normal estimates within the interval, averaged over what the two variances may come out as."""
    at = (np.arange(500) + 0.5) / 500
    few_known, known = stats.chi2.ppf(at, few) / few, np.random.default_rng(0).chisquare(200, len(at)) / 200
    covered, satterthwaite = [], []
    for share in (0.02, 0.3, 0.9, 0.98):
        parts = [
            (effects.Part(share * a, few), effects.Part((1 - share) * b, 200))
            for a, b in zip(few_known, known, strict=True)
        ]
        found = [effects.Estimate(0.0, both) for both in parts]
        half = np.array([estimate.interval(0.95)[1] for estimate in found])
        covered.append(np.mean(2 * stats.norm.cdf(half) - 1))
        half = [stats.t.ppf(0.975, estimate.df) * estimate.se for estimate in found]
        satterthwaite.append(np.mean(2 * stats.norm.cdf(half) - 1))
    print(f"{few}: {min(covered):.3f} to {max(covered):.3f}; by Satterthwaite {min(satterthwaite):.3f}")
    assert least < min(covered) and max(covered) < most


@pytest.mark.parametrize("value", [0.0, 0.003, 0.05, 0.3, 10.0, 1e9])
def test_interval_and_p_of_an_error_of_several_parts_agree(value):
    found = effects.Estimate(value, (effects.Part(0.02**2, 1), effects.Part(0.01**2, 2), effects.Part(0.03**2, 500)))
    low = found.interval(1 - found.p)[0] if found.p < 1 else 0.0
    assert low == pytest.approx(0, abs=1e-6 * max(value, 1)) or found.p < 1e-9
    assert (found.p < 0.05) == (found.interval(0.95)[0] > 0)


def test_an_error_of_one_part_is_students():
    one = effects.Estimate(0.1, (effects.Part(0.02**2, 3), effects.Part(0.0, 40)))
    assert one.interval(0.95) == pytest.approx(effects.Estimate.single(0.1, 0.02, 3).interval(0.95))
    assert one.p == pytest.approx(2 * stats.t.sf(5, 3))


def test_train_sets_and_models_that_are_equal_by_luck_are_not_certain():
    # As many right answers of each train set, to other questions: neither luck nor what is shared is left.
    right = np.repeat([[1, 1, 1, 0, 0, 0, 0], [0, 1, 0, 1, 0, 1, 0], [0, 0, 1, 0, 1, 0, 1]], 4, axis=1)[:, None]
    adapters, control = right.astype(float), np.tile([0, 0, 0, 0, 1, 0, 0], 4)
    found = effects.with_luck(adapters, adapters.mean(axis=(0, 1)) - control, 4 / 3)
    assert found.value > 0 and found.se > 0 and 0.01 < found.p < 1
    shared = effects.Estimate(0.1, (effects.Part(1e-4, 60),))
    equal = effects.over_models([effects.Estimate(0.1, (effects.Part(2e-4, 60),))] * 2, shared)
    assert equal.se == pytest.approx(0.01) and equal.p == pytest.approx(2 * stats.t.sf(10, 1))


def test_what_a_seed_adds_to_all_train_sets_is_no_gain():
    grid, world, held = worlds.axes(6, 3), World(seeds=0.05), []
    asked = worlds.test_set(grid, np.full(6, 100))
    for draw in range(150):
        block = worlds.scores(world, grid, asked, np.random.default_rng(draw))
        low, high = effects.common_gain(block, grid).interval(0.95)
        held.append(low <= 0 <= high)
    # 95%, give or take the Monte Carlo error; three in four without the seeds' part.
    assert np.mean(held) >= 0.9


def test_the_luck_of_few_train_sets_is_whole_in_the_error_over_many_models():
    luck, questions = effects.Part(6e-4, 2), effects.Part(1e-4, 500)
    averaged = effects.Estimate(0.1, (luck, questions))
    each = [effects.Estimate(v, (effects.Part(10e-4, 2), questions)) for v in 0.1 + 0.02 * np.array([-1, 1] * 4)]
    found = effects.over_models(each, averaged)
    between = np.var([e.value for e in each], ddof=1) / 8
    assert luck in found.parts
    # A model's own luck is in the averaged luck and between models, and counts once.
    assert found.se**2 == pytest.approx(6e-4 + 1e-4 + between - 4e-4 / 7)
    # With fewer models than train sets, the luck that they share is what is added to the variance between them.
    few = effects.over_models(each[:2], averaged)
    assert few.se**2 == pytest.approx(2e-4 + 1e-4 + np.var([e.value for e in each[:2]], ddof=1) / 2)


def test_the_luck_of_one_control_is_not_taken_for_what_format_leaves():
    world = World(common=0.10, formats=0.10, train_sets=0.03)
    found = answers(world, 100, seeds=1, each=30)
    # Without the control's luck, 20 of 100.
    assert np.mean([answer == verdict.NOT_FORMAT for answer in found]) <= 0.09


def test_a_question_of_two_specialties_has_two_own_adapters():
    grid, own = worlds.axes(3, 1), 0.2
    held = np.array([[1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]], dtype=bool).repeat(15, axis=1)
    members = dict(zip(grid.specialties, held, strict=True)) | {"all": np.ones(60, bool)}
    asked = replace(worlds.test_set(grid, np.array([20, 20, 20])), members=members)
    right = np.concatenate([0.4 + own * held, np.full((1, 60), 0.4)])[:, None]
    block = transfer.Scores("m", "r", "letter", np.full(60, 0.4), right)
    assert effects.specialty_knowledge(cells.matrix(block, grid, asked)).value == pytest.approx(own)


def test_questions_of_several_specialties_make_the_error_as_large_as_it_is():
    rng, grid = np.random.default_rng(0), worlds.axes(4, 1)
    asked = worlds.test_set(grid, np.array([20, 40, 30, 50]), 0.6, rng)
    whole, one, hopeful = [], [], []
    for _ in range(400):
        block = transfer.Scores("m", "r", "letter", np.zeros(140), rng.standard_normal((5, 1, 140)))
        matrix, noise = cells.matrix(block, grid, asked), cells.noise(block, grid, asked)
        whole.append(effects.specialty_knowledge(matrix, noise))
        one.append(effects.knowledge_of(matrix, 1, noise))
        hopeful.append(effects.specialty_knowledge(matrix).se ** 2)
    for found in (whole, one):
        true = np.var([e.value for e in found])
        assert np.mean([e.se**2 for e in found]) == pytest.approx(true, rel=0.2)
    assert np.mean(hopeful) < 0.85 * np.mean([e.se**2 for e in whole])


@pytest.mark.parametrize(("specialties", "own"), [(3, 0.1), (5, 0.1), (15, 0.02), (15, 0.1)])
def test_own_adapters_that_change_answers_where_no_other_does_have_an_error(specialties, own):
    """The rest of the matrix is without noise, and says nothing of how many own answers change by chance."""
    grid, world = worlds.axes(specialties, 1), World(own=own, shares=(0.9999, 0.00005, 0.00005))
    asked, held = worlds.test_set(grid, np.full(specialties, 60)), []
    for draw in range(200):
        block = worlds.scores(world, grid, asked, np.random.default_rng(draw))
        matrix, least = cells.matrix(block, grid, asked), effect_tables.least_of_cells(grid, asked)
        by_all, by_rest = (
            effects.specialty_knowledge(matrix, noise, least).interval(0.95)
            for noise in (cells.noise(block, grid, asked), None)
        )
        held.append([low <= own <= high for low, high in (by_all, by_rest)])
    covered, by_the_rest_alone = np.mean(held, axis=0)
    print(f"{specialties} specialties, {own}: {covered:.3f}; by the rest of the matrix alone {by_the_rest_alone:.3f}")
    assert covered >= 0.91 and by_the_rest_alone < covered - 0.05


def test_what_a_control_leaves_is_covered_with_three_train_sets_of_different_luck():
    grid, world, held = worlds.axes(3, 1), World(train_sets=0.06), []
    asked = worlds.test_set(grid, np.full(3, 60))
    for draw in range(300):
        block = worlds.scores(world, grid, asked, np.random.default_rng(draw))
        low, high = effects.gain_beyond(block, grid, "shuffled-answers").interval(0.95)
        held.append(low <= 0 <= high)
    # 95%, give or take the Monte Carlo error.
    assert 0.92 <= np.mean(held) <= 0.98


def test_the_lead_that_claim_1_could_have_found_is_found_about_as_often_as_it_says():
    grid, rng = worlds.axes(15, 3), np.random.default_rng(0)
    asked = worlds.test_set(grid, np.full(15, 60))
    member = asked.members[grid.specialties[0]]

    def against_best(own: float) -> effects.AgainstBest:
        right = worlds.scores(World(own=own), grid, asked, rng).adapters[:15][:, :, member]
        return effects.against_best(right, 0, grid.specialties, nan, 0.05, 0.95, rng)

    detectable = np.mean([against_best(0.2).detectable for _ in range(5)])
    assert 0.7 <= np.mean([against_best(detectable).answer == effects.BETTER for _ in range(60)]) <= 0.97
