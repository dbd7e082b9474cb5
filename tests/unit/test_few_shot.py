import numpy as np
import pandas as pd
import planted
import pytest

from neuro2cardio.analysis import effect_tables, transfer
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.core.adapters import Adapter
from neuro2cardio.core.base_rows import BASE_ROWS
from neuro2cardio.core.errors import InputError
from neuro2cardio.questions import few_shot
from neuro2cardio.questions.test_set import TestSet


def table(n_train, n_test=5):
    ids = [f"train-{i}" for i in range(n_train)] + [f"test-{i}" for i in range(n_test)]
    return pd.DataFrame({"question_id": ids, "split": ["train"] * n_train + ["test"] * n_test})


def test_worked_examples_are_train_questions_and_do_not_depend_on_the_order_of_the_table():
    questions = table(30)
    drawn = few_shot.draw(questions, 5)["question_id"].tolist()
    assert len(set(drawn)) == 5
    assert all(question_id.startswith("train-") for question_id in drawn)
    assert few_shot.draw(questions.iloc[::-1], 5)["question_id"].tolist() == drawn
    assert few_shot.draw(questions, 3)["question_id"].tolist() == drawn[:3]


def test_too_few_train_questions_for_worked_examples_are_named():
    with pytest.raises(InputError, match=r"inference.base_shots: 5 is more than the 4 train questions"):
        few_shot.draw(table(4), 5)


@pytest.mark.parametrize("row", BASE_ROWS)
def test_the_base_model_asked_another_way_is_a_row_beside_the_base_model(row):
    axes = planted.axes_of(["cardiology", "neurology"])
    test_set = TestSet.of(planted.questions(axes, each=20), axes.specialties)
    n = len(test_set.question_ids)
    marks = {adapter: np.zeros((1, n)) for adapter in axes.everything()}
    statistics = Statistics()
    without = transfer.matrix(transfer.scores(marks, axes, ["cloze"]), axes, test_set, statistics)
    marks |= {Adapter.base_row(model, row): np.ones((1, n)) for model in axes.model}
    matrix = transfer.matrix(transfer.scores(marks, axes, ["cloze"]), axes, test_set, statistics)
    rows = matrix[matrix["train_set"] == row]
    assert row not in set(without["train_set"])
    assert (rows["recipe"] == "base").all()
    assert rows["test_specialty"].tolist() == list(test_set.members)
    assert (rows["change"] == 1).all()
    assert (matrix.loc[matrix["train_set"] == "base", "accuracy"] == 0).all()


@pytest.mark.parametrize("row", BASE_ROWS)
def test_a_base_row_explains_a_gain_without_the_luck_of_a_train_set(row):
    axes = planted.axes_of(["cardiology", "neurology", "dermatology"])
    test_set = TestSet.of(planted.questions(axes, each=60), axes.specialties)
    rng = np.random.default_rng(0)
    right = (rng.random(len(test_set.question_ids)) < 0.6).astype(float)
    marks = dict.fromkeys(axes.everything(), right[None])
    marks |= {Adapter.base(model): right[None] * (rng.random(right.shape) < 0.8) for model in axes.model}
    marks |= {Adapter.base_row(model, row): right[None] for model in axes.model}
    found = effect_tables.effects_table(transfer.scores(marks, axes, ["cloze"]), axes, test_set, Statistics())
    beyond = found[(found["effect"] == "gain_beyond") & (found["of"] == row)].iloc[0]
    # Equal answers to 180 questions: only the least error of questions is left.
    assert beyond["estimate"] == 0
    assert -0.02 < beyond["low"] < 0 < beyond["high"] < 0.02
    assert found.loc[(found["effect"] == "gain_of") & (found["of"] == row), "estimate"].iloc[0] > 0.05


def test_the_predictions_after_worked_examples_lie_beside_those_of_the_base_model(tmp_path):
    assert Adapter.base_row("small", "few-shot").path(tmp_path) == tmp_path / "small" / "few-shot.parquet"
    assert Adapter.base("small").path(tmp_path) == tmp_path / "small" / "base.parquet"
