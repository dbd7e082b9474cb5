"""Agreement coefficients against the libraries that define them here, and their intervals."""

from hypothesis import given, strategies as st
import krippendorff
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


@pytest.mark.parametrize("seed", range(5))
def test_alpha_is_the_librarys_on_the_whole_table(seed):
    table = ratings(np.random.default_rng(seed), 80)
    codes = table.map(lambda label: LABELS.index(label) if label else np.nan).to_numpy(float).T
    expected = krippendorff.alpha(reliability_data=codes, level_of_measurement="nominal")
    assert agreement.alpha(table).value == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(3))
def test_each_bootstrap_draw_of_alpha_is_the_librarys(seed):
    """A bootstrap's low end, from resampled tables given to the library one by one with the same random numbers."""
    rng = np.random.default_rng(seed)
    table = ratings(rng, 40, missing=0)
    found = agreement.alpha(table, draws=200, seed=1)
    counts = np.array([[(row == name).sum() for name in LABELS] for _, row in table.iterrows()])
    weights = np.random.default_rng(1).multinomial(40, np.full(40, 1 / 40), size=200)
    each = [
        krippendorff.alpha(value_counts=np.repeat(counts, w, axis=0), level_of_measurement="nominal") for w in weights
    ]
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
