"""Conformal sets: the guarantee holds on simulated data, the arithmetic is a maintained library's, limits are named."""

import math

from hypothesis import given, strategies as st
from mapie.classification import SplitConformalClassifier
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin

from neuro2cardio.annotation import conformal
from neuro2cardio.config.annotation import Conformal
from neuro2cardio.core.errors import InputError
from neuro2cardio.core.specialties import SPECIALTIES

K = len(SPECIALTIES)
DRAWS = 1000


def simulated(rng, n, labels=1):
    """Label probabilities of a mediocre annotator and true labels drawn from other probabilities (n x 15)."""
    logits = rng.normal(size=(n, K)) * 1.5
    believed = np.exp(logits + rng.normal(size=(n, K)))
    keys = logits + rng.gumbel(size=(n, K))
    order = np.argsort(-keys, axis=1)
    wanted = np.zeros((n, K), bool)
    for j in range(labels):
        rows = np.arange(n) if j == 0 else np.flatnonzero(rng.random(n) < 0.4)
        wanted[rows, order[rows, j]] = True
    return believed / believed.sum(axis=1, keepdims=True), wanted


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("labels", [1, 3])
def test_coverage_holds_over_a_thousand_calibrations(level, labels):
    """The mean coverage of 1,000 draws lies in [level, level + 1/(n+1)], within Monte Carlo error."""
    rng = np.random.default_rng(7)
    n_calibration, n_test, target = 60, 40, "all" if labels > 1 else "primary"
    probabilities, wanted = simulated(rng, DRAWS * (n_calibration + n_test), labels)
    shape = (DRAWS, n_calibration + n_test, K)
    covered = []
    for p, w in zip(probabilities.reshape(shape), wanted.reshape(shape), strict=True):
        thresholds = conformal.calibrate(p[:n_calibration], w[:n_calibration], level, target)
        sets = thresholds.sets(p[n_calibration:])
        covered.append((sets | ~w[n_calibration:]).all(axis=1).mean())
    error = 3 * np.std(covered) / math.sqrt(DRAWS)
    exact = math.ceil((n_calibration + 1) * level) / (n_calibration + 1)
    assert level - error <= np.mean(covered) <= level + 1 / (n_calibration + 1) + error
    assert np.mean(covered) == pytest.approx(exact, abs=error)


def test_coverage_by_specialty_holds_within_each():
    """One specialty is much harder: a common threshold misses it, thresholds by specialty do not."""
    rng = np.random.default_rng(3)
    common, separate = [], []
    for _ in range(DRAWS):
        truth = rng.integers(0, 2, 400)
        logits = rng.normal(size=(400, K))
        logits[np.arange(400), truth] += np.where(truth == 0, 4.0, 1.0)
        p = np.exp(logits)
        p /= p.sum(axis=1, keepdims=True)
        wanted = np.eye(K, dtype=bool)[truth]
        hard = np.flatnonzero(truth[200:] == 1) + 200
        for by_specialty, found in ((False, common), (True, separate)):
            thresholds = conformal.calibrate(p[:200], wanted[:200], 0.9, "primary", by_specialty)
            found.append(thresholds.sets(p[hard])[:, 1].mean())
    assert np.mean(common) < 0.85
    assert np.mean(separate) == pytest.approx(0.9, abs=3 * np.std(separate) / math.sqrt(DRAWS) + 1 / 100)


class Fixed(ClassifierMixin, BaseEstimator):
    """A classifier whose input is its output."""

    def __init__(self):
        self.classes_ = np.arange(K)
        self.is_fitted_ = True

    def fit(self, x, y):
        return self

    def predict_proba(self, x):
        return x

    def predict(self, x):
        return x.argmax(axis=1)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("n", [20, 57, 200])
def test_sets_equal_those_of_mapie(level, n):
    rng = np.random.default_rng(n)
    probabilities, wanted = simulated(rng, n + 50)
    mapie = SplitConformalClassifier(Fixed(), confidence_level=level, conformity_score="lac", prefit=True)
    mapie.conformalize(probabilities[:n], wanted[:n].argmax(axis=1))
    _, theirs = mapie.predict_set(probabilities[n:])
    thresholds = conformal.calibrate(probabilities[:n], wanted[:n], level, "primary")
    np.testing.assert_array_equal(thresholds.sets(probabilities[n:]), theirs[:, :, 0])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99]))
def test_the_quantile_leaves_the_right_number_above_or_refuses(scores, level):
    n = len(scores)
    rank = math.ceil(round((n + 1) * level, 9))
    if rank > n:
        with pytest.raises(InputError):
            conformal.quantile(np.array(scores), level)
    else:
        assert conformal.quantile(np.array(scores), level) == sorted(scores)[rank - 1]


@pytest.mark.parametrize(("level", "smallest"), [(0.5, 1), (0.8, 4), (0.9, 9), (0.95, 19), (0.99, 99)])
def test_the_smallest_calibration_set_of_a_level(level, smallest):
    assert conformal.smallest_calibration(level) == smallest
    conformal.quantile(np.zeros(smallest), level)
    with pytest.raises(InputError, match=f"label at least {smallest}"):
        conformal.quantile(np.zeros(smallest - 1), level)


def test_too_small_a_calibration_set_names_the_level_it_reaches():
    with pytest.raises(InputError, match=r"8 questions are too few .* reach 8/9 = 0\.8889, no error below 0\.1111"):
        conformal.quantile(np.zeros(8), 0.9)


def test_a_specialty_with_too_few_questions_is_in_every_set():
    rng = np.random.default_rng(0)
    p, _ = simulated(rng, 40)
    wanted = np.eye(K, dtype=bool)[np.r_[np.zeros(35, int), np.ones(5, int)]]
    thresholds = conformal.calibrate(p, wanted, 0.9, "primary", by_specialty=True)
    assert np.isfinite(thresholds.values[0])
    assert thresholds.sets(p)[:, 1:].all()


def test_evaluation_against_hand_counts():
    a, b = SPECIALTIES[:2]
    p = np.zeros((4, K))
    p[:, 0], p[:, 1] = [0.9, 0.9, 0.2, 0.0], [0.1, 0.6, 0.8, 0.0]
    thresholds = conformal.Thresholds(0.9, "all", np.full(K, 0.5), np.full(K, 99))
    table = conformal.evaluate(thresholds, p, [[a], [a, b], [a], [b]])
    row = table.iloc[0]
    assert (row["n"], row["coverage"], row["size"], row["empty"]) == (4, 0.5, 1.0, 0.25)
    assert row["f1"] == pytest.approx((1 + 1 + 0 + 0) / 4)
    assert table["specialty"].tolist() == ["all", a, b]


def votes_table(rng, n):
    p, wanted = simulated(rng, n)
    ids = [f"{int(x):016x}" for x in rng.integers(0, 2**64, n, dtype=np.uint64)]
    truth = {i: [SPECIALTIES[w.argmax()]] for i, w in zip(ids, wanted, strict=True)}
    winners = [SPECIALTIES[row.argmax()] for row in p]
    rows = {"question_id": ids, "winner": winners, "labels": [list(SPECIALTIES)] * n, "probabilities": p.tolist()}
    return pd.DataFrame(rows), truth


def test_nothing_is_measured_on_what_was_calibrated_on():
    table, truth = votes_table(np.random.default_rng(5), 300)
    sets, evidence = conformal.label_sets(table, truth, Conformal(level=0.9))
    parts = sets["part"].value_counts()
    assert parts["calibration"] + parts["evaluation"] == 300
    assert evidence["n"][0] == parts["evaluation"]
    assert evidence["coverage"][0] >= evidence["lowest_expected"][0]
    assert 110 < parts["calibration"] < 190


def test_the_halves_do_not_follow_the_order_of_ids():
    """The first questions by id are what `max_questions` and test sets are made of; both halves must have some."""
    ids = [f"{i:016x}" for i in range(100)]
    first = conformal.halves(ids, 0.5)
    assert 30 < first.sum() < 70
    assert (conformal.halves(ids[::-1], 0.5)[::-1] == first).all()


def test_without_truth_the_sets_hold_the_winner_alone():
    table, _ = votes_table(np.random.default_rng(5), 10)
    table.loc[3, "winner"] = ""
    sets, evidence = conformal.label_sets(table, {}, Conformal())
    assert [len(labels) for labels in sets["labels"]] == [1, 1, 1, 0, *[1] * 6]
    assert evidence.empty


def test_labels_outside_the_15_take_no_part():
    table = pd.DataFrame({"labels": [["Urology", "Neurology"]], "probabilities": [[0.7, 0.3]]})
    assert conformal.matrix(table).sum() == pytest.approx(0.3)


def test_equal_thresholds_by_specialty_have_no_lowest_expected_coverage():
    truth = [[name] for name in SPECIALTIES for _ in range(20)]
    probabilities = np.full((len(truth), len(SPECIALTIES)), 0.5)
    found = {}
    for by_specialty in (False, True):
        wanted = conformal.members(truth, "primary")
        thresholds = conformal.calibrate(probabilities, wanted, 0.8, "primary", by_specialty)
        assert len(set(thresholds.values)) == 1
        found[by_specialty] = conformal.evaluate(thresholds, probabilities, truth)["lowest_expected"][0]
    assert 0.6 < found[False] < 0.8
    assert np.isnan(found[True])


@pytest.mark.parametrize("level", [0.8, 0.9])
def test_whole_sets_by_specialty_keep_their_level(level):
    """A question of several labels needs all of them at once, and each specialty its own."""
    rng = np.random.default_rng(2)
    together, of_each, size, of_one = [], [], [], []
    for _ in range(40):
        p, wanted = simulated(rng, 3000, labels=3)
        thresholds = conformal.calibrate(p[:1500], wanted[:1500], level, "all", by_specialty=True)
        sets, held = thresholds.sets(p[1500:]), wanted[1500:]
        together.append((sets | ~held).all(axis=1).mean())
        of_each.append((sets & held).sum(axis=0) / held.sum(axis=0))
        size.append(sets.sum(axis=1).mean())
        of_one.append(conformal.calibrate(p[:1500], wanted[:1500], level, "all").sets(p[1500:]).sum(axis=1).mean())
    print(f"level {level}: {np.mean(together):.3f} held, {np.mean(size):.1f} labels ({np.mean(of_one):.1f} otherwise)")
    assert level <= np.mean(together) < level + 0.04
    assert (np.mean(of_each, axis=0) >= level).all()


def test_the_level_of_primary_labels_by_specialty_is_left_as_it_is():
    rng = np.random.default_rng(4)
    p, wanted = simulated(rng, 2000)
    thresholds = conformal.calibrate(p, wanted, 0.8, "primary", by_specialty=True)
    for i in range(K):
        assert thresholds.values[i] == conformal.quantile(1 - p[wanted[:, i], i], 0.8)
