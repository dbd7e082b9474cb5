"""What travels in the report page: answers as the tables mark them, and what is left of them where room is short."""

import numpy as np
import pandas as pd
import planted
import pytest

from neuro2cardio.analysis import answers
from neuro2cardio.core import tables
from neuro2cardio.core.adapters import Adapter
from neuro2cardio.questions.test_set import TestSet
from neuro2cardio.report import packed_answers

METHODS = ("cloze", "letter", "generate")


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Test questions and one adapter's answers, some of them ties and texts that name no option."""
    axes = planted.axes_of(("cardiology", "neurology"), seeds=(1,))
    asked = planted.questions(axes, each=20)
    folder = tmp_path_factory.mktemp("predictions")
    planted.predictions(folder, axes, asked, lambda *_: 0.1, methods=METHODS, pull=0.3)
    frame = tables.read(Adapter("small", "completion", "neurology", 1).path(folder), tables.PREDICTIONS)
    tied = (frame["method"] == "cloze") & (frame.index % 3 == 0)
    frame.loc[tied, "option_logprobs"] = pd.Series([[-1.0, -1.0, -1.0, -2.0]] * len(frame))[tied]
    frame.loc[(frame["method"] == "generate") & (frame.index % 2 == 0), "chosen"] = -1
    return asked, axes, frame.sample(frac=1, random_state=0)


def test_the_page_marks_answers_as_the_tables_do(scored):
    asked, axes, frame = scored
    test_set = TestSet.of(asked, axes.specialties)
    expected = answers.answers(frame)
    right = asked.set_index("question_id").loc[test_set.question_ids, "answer"].to_numpy()
    for method, read in packed_answers.by_method(frame, list(test_set.question_ids), right, 4):
        np.testing.assert_allclose(read.right, answers.marks(expected, test_set, [method])[0])
        chosen = expected[expected["method"] == method].set_index("question_id").loc[test_set.question_ids, "chosen"]
        np.testing.assert_array_equal(read.answers.chosen, np.where(chosen < 0, packed_answers.NOTHING, chosen))


def test_a_question_without_an_answer_is_neither_right_nor_wrong(scored):
    asked, _, frame = scored
    ids, right = [*asked["question_id"], "another"], np.array([*asked["answer"], 0])
    for _, read in packed_answers.by_method(frame, ids, right, 4):
        assert np.isnan(read.right[-1]) and not np.isnan(read.right[:-1]).any()
        assert read.answers.chosen[-1] == packed_answers.NOTHING


@pytest.mark.parametrize(
    ("budget", "widths", "left_out"), [(10_000, [10, 10, 10], 0), (300, [10, 1, 1], 0), (50, [10], 2)]
)
def test_short_of_room_adapters_keep_their_chosen_options_then_nothing(budget: int, widths: list[int], left_out: int):
    n = np.zeros((40, 4), np.uint8)
    whole = packed_answers.Answers(n[:, 0], n, n[:, 0], n)
    room = packed_answers.Room(budget)
    room.add_base({"recipe": "base"}, whole)
    for train_set in ("cardiology", "neurology"):
        room.add({"recipe": "completion", "train_set": train_set}, whole)
    assert [own.width for _, own in room.entries] == widths
    assert [len(own.packed()) for _, own in room.entries] == [40 * width for width in widths]
    assert room.left_out == left_out
