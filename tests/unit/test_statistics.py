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
    np.testing.assert_allclose(resampling.holm(p), multipletests(p, method="holm")[1])
    np.testing.assert_allclose(resampling.benjamini_hochberg(p), multipletests(p, method="fdr_bh")[1])


@given(P_VALUES, st.data())
def test_a_missing_p_value_does_not_count_in_its_family(p, data):
    at = data.draw(st.integers(0, len(p)))
    for adjust in (resampling.holm, resampling.benjamini_hochberg):
        with_gap = adjust(np.insert(p, at, np.nan))
        assert np.isnan(with_gap[at])
        np.testing.assert_array_equal(np.delete(with_gap, at), adjust(p))


def test_bootstrap_spread_is_that_of_a_mean():
    values = rng().normal(size=(1, 1, 400))
    samples = resampling.crossed_bootstrap(values, 4000, rng(1))
    assert samples.std() == pytest.approx(values.std() / 20, rel=0.05)
    assert samples.mean() == pytest.approx(values.mean(), abs=0.005)


def test_cells_share_their_draws():
    values = rng().normal(size=(1, 3, 50))
    both = np.concatenate([values, values + 1])
    samples = resampling.crossed_bootstrap(both, 200, rng(1))
    np.testing.assert_allclose(samples[:, 1] - samples[:, 0], 1)


def test_same_seed_same_samples():
    values = rng().normal(size=(2, 3, 50))
    first, second = (resampling.crossed_bootstrap(values, 100, rng(5)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_a_question_that_is_not_in_a_cell_changes_nothing_there():
    values = rng().normal(size=(2, 2, 60))
    values[0, :, 30:] = np.nan
    samples = resampling.crossed_bootstrap(values, 3000, rng(1))
    assert samples[:, 0].mean() == pytest.approx(values[0, :, :30].mean(), abs=0.02)
    changed = values.copy()
    changed[1] += 100
    np.testing.assert_array_equal(resampling.crossed_bootstrap(changed, 3000, rng(1))[:, 0], samples[:, 0])


def test_interval_of_a_cell_without_questions_is_empty():
    values = np.full((2, 1, 20), np.nan)
    values[1] = 0.5
    low, high = resampling.percentile_interval(resampling.crossed_bootstrap(values, 100, rng()), 0.95)
    assert np.isnan([low[0], high[0]]).all()
    assert (low[1], high[1]) == (0.5, 0.5)


@pytest.mark.parametrize(("seeds", "spread"), [(1, 0.0), (3, 0.0), (8, 0.3)])
def test_interval_covers_the_truth_about_as_often_as_it_says(seeds, spread):
    """The pigeonhole bootstrap errs on the wide side; with few seeds that differ it would err on the narrow one."""
    source = rng(3)
    covered = 0
    runs = 300
    for _ in range(runs):
        of_seed, of_question = source.normal(0, spread, (seeds, 1)), source.normal(0, 1, (1, 60))
        values = of_seed + of_question + source.normal(0, 0.5, (seeds, 60))
        low, high = resampling.percentile_interval(resampling.crossed_bootstrap(values[None], 400, source), 0.95)
        covered += low[0] <= 0 <= high[0]
    assert 0.90 <= covered / runs <= 0.995


def test_sign_flip_is_the_exact_test_on_few_questions():
    values = np.array([[1.0, 1.0, 1.0, 1.0, 1.0, 0.0]])
    p = resampling.sign_flip(values, 20_000, rng())
    assert p[0] == pytest.approx(stats.binomtest(5, 5).pvalue, abs=0.01)


def test_sign_flip_is_uniform_under_the_null_and_never_zero():
    values = rng(2).normal(size=(400, 40))
    p = resampling.sign_flip(values, 999, rng())
    assert stats.kstest(p, "uniform").pvalue > 0.01
    assert resampling.sign_flip(np.ones((1, 100)), 999, rng())[0] == 1 / 1000


def test_sign_flip_passes_over_questions_that_are_not_there():
    values = rng().normal(0.4, 1, size=(1, 30))
    padded = np.concatenate([values, np.full((1, 30), np.nan)], axis=1)
    alone, beside = resampling.sign_flip(values, 20_000, rng()), resampling.sign_flip(padded, 20_000, rng(1))
    assert alone[0] == pytest.approx(beside[0], abs=0.02)
    assert np.isnan(resampling.sign_flip(np.full((1, 3), np.nan), 10, rng())[0])


def test_generators_of_different_names_are_different_and_of_one_name_the_same():
    first, again = (resampling.generator(0, "matrix", "Cardiology").random() for _ in range(2))
    assert first == again != resampling.generator(0, "matrix", "Neurology").random()
