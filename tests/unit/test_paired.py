"""Intervals of paired differences where few questions differ: they cover, and never contradict their own test."""

from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays
import numpy as np
import pytest
from scipy import stats

from neuro2cardio.analysis import paired


def cell(plus, minus, n):
    """One cell with so many questions gained and lost."""
    return np.array([[1.0] * plus + [-1.0] * minus + [0.0] * (n - plus - minus)])


@settings(max_examples=60)
@given(
    arrays.arrays(
        float, st.tuples(st.integers(1, 4), st.integers(10, 60)), elements=st.sampled_from([-1, -1 / 3, 0, 1])
    ),
    st.sampled_from([0.9, 0.95, 0.99]),
)
def test_interval_and_p_never_contradict_each_other(values, confidence):
    found = paired.change(values, confidence)
    excludes = (found.low > 0) | (found.high < 0)
    np.testing.assert_array_equal(excludes, found.p < 1 - confidence)
    assert (found.low < found.high).all() and (np.abs([found.low, found.high]) <= 1).all()


def test_it_is_bonett_and_prices_interval_for_one_seed():
    found = paired.change(cell(9, 2, 60), 0.95)
    plus, minus = 10 / 62, 3 / 62
    half = stats.t.ppf(0.975, 59) * np.sqrt((plus + minus - (plus - minus) ** 2) / 62)
    assert (found.low[0], found.high[0]) == pytest.approx((plus - minus - half, plus - minus + half))
    assert found.mean[0] == pytest.approx(7 / 60) and found.discordant[0] == 11


@pytest.mark.parametrize(("one_sided", "significant"), [(3, False), (4, False), (5, False), (7, True)])
def test_few_one_sided_questions_are_judged_as_the_exact_test_judges_them(one_sided, significant):
    found = paired.change(cell(one_sided, 0, 57), 0.95)
    exact = stats.binomtest(one_sided, one_sided).pvalue
    assert (found.p[0] < 0.05) == (exact < 0.05) == significant == (found.low[0] > 0)


def test_below_the_least_number_of_questions_there_is_no_interval():
    found = paired.change(np.array([[0.5] * (paired.MIN_QUESTIONS - 1) + [np.nan] * 5]), 0.95)
    assert np.isnan([found.low[0], found.high[0], found.p[0]]).all() and found.mean[0] == 0.5


@pytest.mark.parametrize(("n", "differ"), [(12, 0.3), (57, 0.08), (200, 0.3)])
@pytest.mark.parametrize("seeds", [1, 3])
def test_false_positives_and_coverage(n, differ, seeds):
    """2,000 cells a world; seeds answer alike in 7 of 10 questions."""
    rng = np.random.default_rng(1)
    luck = np.where(rng.random((2000, seeds, n)) < 0.7, rng.random((2000, 1, n)), rng.random((2000, seeds, n)))
    for truth in (0.0, 0.05):
        gained, lost = (differ + truth) / 2, (differ - truth) / 2
        found = paired.change(np.where(luck < gained, 1.0, np.where(luck > 1 - lost, -1.0, 0.0)).mean(axis=1), 0.95)
        assert ((found.low <= truth) & (truth <= found.high)).mean() > 0.935
        if truth == 0:
            assert (found.p < 0.05).mean() < 0.06
