"""Errors clustered by question and word: closed forms, a library's, and false positives in made-up worlds."""

from dataclasses import replace

from hypothesis import given, settings, strategies as st
import numpy as np
import pytest
from scipy import stats
import statsmodels.api as sm
from statsmodels.stats.sandwich_covariance import cov_cluster_2groups

from neuro2cardio.analysis import clustering, term_worlds
from neuro2cardio.analysis.clustering import Contrast

DRAWS = 500


def mean_of(question, word):
    """The mean over questions of their mentions' means."""
    question, word = np.asarray(question), np.asarray(word)
    each = np.bincount(question)[question]
    weight = 1 / (len(set(question.tolist())) * each)
    return Contrast.of(np.arange(len(word)), weight, np.zeros(len(word), dtype=np.int64), question, word)


def test_with_words_that_never_recur_it_is_students_interval_of_question_means():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, 1))
    found = mean_of(np.arange(40), np.arange(40)).estimate(values, 0.95)
    low, high = stats.t.interval(0.95, 39, values.mean(), stats.sem(values[:, 0]))
    assert (found.shift[0], found.low[0], found.high[0]) == pytest.approx((values.mean(), low, high))
    assert found.p[0] == pytest.approx(stats.ttest_1samp(values[:, 0], 0).pvalue)


def test_the_two_way_variance_is_statsmodels_up_to_the_small_sample_correction():
    rng = np.random.default_rng(1)
    question, word = np.repeat(np.arange(400), 3), rng.integers(0, 300, 1200)
    values = rng.normal(size=1200) + rng.normal(size=400)[question] + rng.normal(size=300)[word]
    found = mean_of(question, word).estimate(values[:, None], 0.95)
    fitted = sm.OLS(values, np.ones((1200, 1))).fit()
    theirs = cov_cluster_2groups(fitted, question, word, use_correction=False)[0].item()
    ours = ((found.high - found.low)[0] / 2 / stats.t.ppf(0.975, 250)) ** 2
    assert ours == pytest.approx(theirs, rel=0.03)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.9, 0.95, 0.99]))
def test_interval_and_p_never_contradict_each_other(seed, confidence):
    rng = np.random.default_rng(seed)
    question, word = np.repeat(np.arange(20), 3), rng.integers(0, 25, 60)
    found = mean_of(question, word).estimate(rng.normal(0.2, 1, size=(60, 8)), confidence)
    np.testing.assert_array_equal((found.low > 0) | (found.high < 0), found.p < 1 - confidence)


@pytest.mark.parametrize(("questions", "words"), [(clustering.MIN_QUESTIONS - 1, 30), (30, clustering.MIN_WORDS - 1)])
def test_too_few_questions_or_words_have_no_interval(questions, words):
    rng = np.random.default_rng(0)
    contrast = mean_of(np.arange(60) % questions, np.arange(60) % words)
    found = contrast.estimate(rng.normal(size=(60, 1)), 0.95)
    assert np.isnan([found.low[0], found.high[0], found.p[0]]).all()
    assert np.isfinite(found.shift[0]) and not found.all_equal[0]


def test_equal_values_are_said_to_be_equal_and_have_no_interval():
    found = mean_of(np.arange(60), np.arange(60) % 20).estimate(np.full((60, 1), 0.1), 0.95)
    assert found.all_equal[0] and np.isnan(found.low[0]) and found.shift[0] == pytest.approx(0.1)


def test_a_difference_that_comes_from_the_covariate_alone_is_gone_at_equal_covariate():
    rng = np.random.default_rng(2)
    question, word = np.tile(np.arange(200), 2), rng.integers(0, 400, 400)
    part = np.repeat([0, 1], 200)
    weight = np.where(part == 0, 1, -1) / 200
    base = rng.normal(-5, 1, 400) - 0.7 * (part == 0)
    values = (-0.4 * base + rng.normal(0, 0.3, 400) + 0.2 * (part == 0))[:, None]
    contrast = Contrast.of(np.arange(400), weight, part, question, word)
    plain, adjusted = contrast.estimate(values, 0.95), contrast.at_equal(base).estimate(values, 0.95)
    assert plain.shift[0] == pytest.approx(0.48, abs=0.12)
    assert adjusted.low[0] < 0.2 < adjusted.high[0] and adjusted.high[0] < plain.shift[0]
    # The regression of questions' differences, as a maintained library makes it.
    apart, of_base = values[:200, 0] - values[200:, 0], base[:200] - base[200:]
    assert adjusted.shift[0] == pytest.approx(sm.OLS(apart, sm.add_constant(of_base)).fit().params[0])


@pytest.mark.parametrize("name", term_worlds.NULLS)
def test_false_positives_and_coverage_in_worlds_without_effect(name):
    """Rows of one train set share their draws, so that 500 draws are what the Monte Carlo error comes from."""
    found = term_worlds.simulate(term_worlds.NULLS[name], DRAWS, seed=1)
    found = found[found["low"].notna()]
    covered = ((found["low"] <= found["truth"]) & (found["truth"] <= found["high"])).groupby(found["group"]).mean()
    assert (covered > 0.925).all(), covered
    null = found[found["truth"].abs() < 1e-9]
    wrong = (null["p"] < 0.05).groupby(null["group"]).mean()
    assert {"terms_minus_placebo", "own_minus_other", "own_by_own"} <= set(wrong.index)
    assert (wrong < 0.075).all(), wrong


def test_without_clustering_by_word_the_same_worlds_give_false_positives():
    """What the two-way errors are for: 600 mentions of 40 words are not 600 independent ones."""
    rng = np.random.default_rng(3)
    question, word = np.repeat(np.arange(120), 5), rng.integers(0, 40, 600)
    values = 0.33 * rng.standard_normal((40, 2000))[word] + 0.2 * rng.standard_normal((600, 2000))
    contrast = mean_of(question, word)
    blind = replace(contrast, spread=mean_of(question, np.arange(600)).spread)
    both, questions_alone = (np.mean(c.estimate(values, 0.95).p < 0.05) for c in (contrast, blind))
    assert both < 0.06 and questions_alone > 0.15


def test_planted_effects_are_found_and_a_quick_adapter_is_not_taken_for_one():
    planted = term_worlds.TermWorld(word=0.33, question=0.2, adapter=0.3, own=0.2, medicine=0.3)
    found = term_worlds.simulate(planted, 200, seed=2)
    whole = found[found["train_set"] == "all"].groupby("group")["p"].apply(lambda p: (p < 0.05).mean())
    assert whole["own_by_own"] > 0.9 and whole["terms_minus_placebo"] > 0.9
    quick = term_worlds.simulate(term_worlds.TermWorld(word=0.33, adapter=0.3), 200, seed=3)
    one = quick[quick["train_set"] != "all"].groupby("group")["p"].apply(lambda p: (p < 0.05).mean())
    assert one["own_by_own"] < 0.08 < 0.5 < one["own_adapter_minus_others"]
