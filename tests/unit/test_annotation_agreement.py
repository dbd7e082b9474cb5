"""Agreement coefficients against published values and definitions, and their intervals."""

import itertools

from hypothesis import given, strategies as st
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from neuro2cardio.annotation import agreement

LABELS = ["Cardiology", "Neurology", "Pediatrics", "Urology"]


def ratings(rng, n, raters=3, error=0.3, missing=0.1):
    truth = rng.integers(0, len(LABELS), n)
    table = {}
    for name in ("anna", "ben", "cleo", "dora")[:raters]:
        said = np.where(rng.random(n) < error, rng.integers(0, len(LABELS), n), truth)
        table[name] = [LABELS[s] if rng.random() > missing else "" for s in said]
    return pd.DataFrame(table)


def by_pairs(table: pd.DataFrame) -> float:
    """Alpha by its definition, pair by pair: slow, and without a formula in common with the library's."""
    units = [[label for label in row if label] for row in table.to_numpy().tolist()]
    units = [unit for unit in units if len(unit) > 1]
    every = [label for unit in units for label in unit]
    observed = sum(sum(a != b for a, b in itertools.permutations(unit, 2)) / (len(unit) - 1) for unit in units)
    expected = sum(a != b for a, b in itertools.permutations(every, 2)) / (len(every) - 1)
    return 1 - observed / expected


PUBLISHED = {
    "two raters, two labels": (("0100000010", "1110010000"), 0.095),
    "two raters, five labels": (("aabbdcccedda", "babbbccceddd"), 0.692),
    "four raters, five labels, some missing": (
        ("123321412...", "1233224125.3", ".3332342251.", "12332441251."),
        0.743,
    ),
}


@pytest.mark.parametrize("example", PUBLISHED)
def test_alpha_is_the_published_one(example):
    """The worked examples of Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, with three digits."""
    raters, expected = PUBLISHED[example]
    table = pd.DataFrame({f"rater{i}": [c.replace(".", "") for c in said] for i, said in enumerate(raters)})
    assert agreement.alpha(table).value == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("seed", range(5))
def test_alpha_is_that_of_its_definition(seed):
    table = ratings(np.random.default_rng(seed), 60)
    assert agreement.alpha(table).value == pytest.approx(by_pairs(table))


def test_each_bootstrap_draw_of_alpha_is_that_of_its_table():
    """The interval, from tables resampled one by one with the same random numbers."""
    table = ratings(np.random.default_rng(0), 30, missing=0)
    found = agreement.alpha(table, draws=50, seed=1)
    weights = np.random.default_rng(1).multinomial(30, np.full(30, 1 / 30), size=50)
    each = [by_pairs(table.loc[np.repeat(table.index, w)]) for w in weights]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(each, [0.025, 0.975])))


@given(st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from(LABELS)), min_size=2, max_size=40))
def test_kappa_is_scikit_learns(pairs):
    first, second = zip(*pairs, strict=True)
    found = agreement.kappa(first, second, draws=10)
    if len({*first, *second}) == 1:
        assert np.isnan(found.value)
    else:
        assert found.value == pytest.approx(cohen_kappa_score(first, second))


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """The kappa of a large sample is inside the 95% intervals of nearly all small ones."""
    rng = np.random.default_rng(11)
    large = ratings(rng, 200_000, raters=2, missing=0)
    truth = cohen_kappa_score(large["anna"], large["ben"])
    inside = 0
    for seed in range(100):
        small = ratings(rng, 150, raters=2, missing=0)
        found = agreement.kappa(small["anna"].tolist(), small["ben"].tolist(), draws=300, seed=seed)
        inside += found.low <= truth <= found.high
    assert inside >= 88


def test_perfect_agreement_is_one_and_unrated_questions_do_not_count():
    table = pd.DataFrame(
        {"anna": ["Cardiology", "Neurology", "", "Urology"], "ben": ["Cardiology", "Neurology", "Urology", ""]}
    )
    found = agreement.table(table).set_index("statistic")
    assert found.loc["krippendorff_alpha", ["value", "n"]].tolist() == [1.0, 2]
    assert found.loc["cohen_kappa", ["value", "n"]].tolist() == [1.0, 2]


def test_one_rater_or_one_label_has_no_agreement():
    assert agreement.table(pd.DataFrame({"anna": ["Cardiology"]})).empty
    same = pd.DataFrame({"anna": ["Cardiology"] * 3, "ben": ["Cardiology"] * 3})
    assert agreement.table(same)["value"].isna().all()


def test_the_same_seed_gives_the_same_interval():
    table = ratings(np.random.default_rng(0), 60)
    pd.testing.assert_frame_equal(agreement.table(table, seed=3), agreement.table(table, seed=3))
    assert len(agreement.table(table)) == 1 + 3
