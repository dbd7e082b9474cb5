from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as arrays
import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from neuro2cardio.analysis import resampling

P_VALUES = arrays.arrays(float, st.integers(1, 30), elements=st.floats(0, 1))


def rng(seed=0):
    return np.random.default_rng(seed)


def test_wilson_is_the_closed_form():
    low, high = resampling.wilson(0.3, 50, 0.95)
    z = stats.norm.ppf(0.975)
    centre = (0.3 + z**2 / 100) / (1 + z**2 / 50)
    half = z * np.sqrt(0.3 * 0.7 / 50 + z**2 / (4 * 50**2)) / (1 + z**2 / 50)
    assert (low, high) == pytest.approx((centre - half, centre + half))


@settings(max_examples=20)  # statsmodels collects garbage on each call
@given(P_VALUES)
def test_adjusted_p_values_are_those_of_statsmodels(p):
    # Below 1e-300, where floats are subnormal, they do not have the digits of a relative tolerance.
    np.testing.assert_allclose(resampling.holm(p), multipletests(p, method="holm")[1], atol=1e-300)
    np.testing.assert_allclose(resampling.benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1], atol=1e-300)


@given(P_VALUES, st.data())
def test_a_missing_p_value_does_not_count_in_its_family(p, data):
    at = data.draw(st.integers(0, len(p)))
    for adjust in (resampling.holm, resampling.benjamini_hochberg):
        with_gap = adjust(np.insert(p, at, np.nan))
        assert np.isnan(with_gap[at])
        np.testing.assert_array_equal(np.delete(with_gap, at), adjust(p))


def test_generators_of_different_names_are_different_and_of_one_name_the_same():
    first, again = (resampling.generator(0, "matrix", "Cardiology").random() for _ in range(2))
    assert first == again != resampling.generator(0, "matrix", "Neurology").random()
