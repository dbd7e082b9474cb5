import numpy as np
import pandas as pd
import planted
import pytest

from neuro2cardio.analysis import transfer
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.core.adapters import Adapter
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


def test_the_base_model_after_worked_examples_is_a_row_beside_the_base_model():
    axes = planted.axes_of(["cardiology", "neurology"])
    exam = TestSet.of(planted.questions(axes, each=20), axes.specialties)
    n = len(exam.question_ids)
    marks = {adapter: np.zeros((1, n)) for adapter in axes.everything()}
    setup = Statistics()
    without = transfer.matrix(transfer.scores(marks, axes, ["cloze"]), axes, exam, setup)
    marks |= {Adapter.few_shot(model): np.ones((1, n)) for model in axes.model}
    matrix = transfer.matrix(transfer.scores(marks, axes, ["cloze"]), axes, exam, setup)
    rows = matrix[matrix["train_set"] == "few-shot"]
    assert "few-shot" not in set(without["train_set"])
    assert (rows["recipe"] == "base").all()
    assert rows["test_specialty"].tolist() == list(exam.members)
    assert (rows["change"] == 1).all()
    assert (matrix.loc[matrix["train_set"] == "base", "accuracy"] == 0).all()


def test_the_predictions_after_worked_examples_lie_beside_those_of_the_base_model(tmp_path):
    assert Adapter.few_shot("small").path(tmp_path) == tmp_path / "small" / "few-shot.parquet"
    assert Adapter.base("small").path(tmp_path) == tmp_path / "small" / "base.parquet"
