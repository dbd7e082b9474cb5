from hypothesis import given, settings, strategies as st
import numpy as np
import pandas as pd
import planted
import pytest

from neuro2cardio.analysis import answers, effect_tables, position_bias, transfer
from neuro2cardio.config.analysis import Statistics
from neuro2cardio.core import adapters, specialties, tables
from neuro2cardio.core.errors import InputError
from neuro2cardio.questions.test_set import TestSet

SETUP = Statistics()
NAMES = ["cardiology", "neurology", "rheumatology"]


def own(train_set, held):
    return train_set in [specialties.slug(name) for name in held]


def run(folder, axes, asked, methods=("cloze",), statistics=SETUP):
    test_set = TestSet.of(asked, axes.specialties)
    given = {
        adapter: answers.answers(adapters.read(folder, adapter, tables.PREDICTIONS)) for adapter in axes.everything()
    }
    blocks, tied = (
        transfer.scores({a: read(found, test_set, list(methods)) for a, found in given.items()}, axes, list(methods))
        for read in (answers.marks, answers.ties)
    )
    return transfer.matrix(blocks, axes, test_set, statistics, tied), effect_tables.diagonal(
        blocks, axes, test_set, statistics
    )


def one_question(method, rows):
    """Predictions of one question: (permutation, option_logprobs, chosen) for each order."""
    frame = pd.DataFrame(rows, columns=["permutation", "option_logprobs", "chosen"])
    return frame.assign(model="m", recipe="r", train_set="t", seed=1, method=method, question_id="q", correct=False)


def test_log_probabilities_are_averaged_over_orders_option_by_option():
    rows = [(0, [-1.0, -1.1, -9.0], 0), (1, [-2.0, -0.5, -9.0], 1), (2, [-1.0, -1.2, -0.9], 2)]
    assert answers.answers(one_question("letter", rows))["chosen"].tolist() == [1]


@pytest.mark.parametrize(
    ("votes", "winner"),
    [([2, 2, 0, 1], 2), ([3, 0, 0, 3], 3), ([-1, -1, -1, 2], -1), ([1, -1, -1, 1], 1), ([-1, -1, -1, -1], -1)],
)
def test_generated_answers_are_put_to_the_vote(votes, winner):
    rows = [(order, [], chosen) for order, chosen in enumerate(votes)]
    assert answers.answers(one_question("generate", rows))["chosen"].tolist() == [winner]


@pytest.mark.parametrize(
    ("method", "rows", "expected"),
    [
        ("cloze", [(0, [-2.0, -2.0, -2.0, -2.0], 0)], 0.25),
        ("cloze", [(0, [-2.0, -1.0, -1.0, -2.0], 1)], 0.5),
        ("cloze", [(0, [-1.0, -1.5, -1.0, -1.0], 0)], 0.0),
        # The same three numbers in other orders: equal, though their sums differ in the last bits.
        ("letter", [(0, [-0.1, -0.3, -9, -9], 0), (1, [-0.2, -0.1, -9, -9], 1), (2, [-0.3, -0.2, -9, -9], 1)], 0.5),
        ("generate", [(0, [], 0), (1, [], 3), (2, [], 2), (3, [], 1)], 0.25),
        ("generate", [(0, [], 1), (1, [], -1), (2, [], 1), (3, [], -1)], 0.5),
    ],
)
def test_a_tie_of_k_options_counts_one_kth(method, rows, expected):
    test_set = TestSet.of(planted.questions(planted.axes_of(["cardiology"]), each=1).assign(answer=1), ["Cardiology"])
    given_answers = answers.answers(one_question(method, rows).assign(question_id="q00000"))
    assert answers.marks(given_answers, test_set, [method]).item() == pytest.approx(expected)


def test_a_model_that_tells_nothing_apart_has_the_accuracy_of_guessing_wherever_the_right_option_stands(tmp_path):
    axes = planted.axes_of(NAMES)
    asked = planted.questions(axes, each=30).assign(answer=0)
    planted.predictions(tmp_path, axes, asked, lambda t, held: 0.1, methods=("cloze", "letter"))
    for adapter in axes.everything():
        frame = adapters.read(tmp_path, adapter, tables.PREDICTIONS)
        frame["option_logprobs"], frame["chosen"] = [[-6.2] * 4] * len(frame), 0
        tables.write(frame, adapter.path(tmp_path), tables.PREDICTIONS)
    matrix, _ = run(tmp_path, axes, asked, methods=("cloze", "letter"))
    np.testing.assert_allclose(matrix["accuracy"], 0.25)
    assert (matrix["tied_share"] == 1).all()
    test_set = TestSet.of(asked, axes.specialties)
    counts = [
        position_bias.letters(adapters.read(tmp_path, a, tables.PREDICTIONS), test_set) for a in axes.everything()
    ]
    bias = position_bias.table(counts, SETUP)
    np.testing.assert_allclose(bias[["recall", "chosen_share"]], 0.25)


@settings(max_examples=40)
@given(st.lists(st.lists(st.floats(-50, 0), min_size=4, max_size=4), min_size=1, max_size=4))
def test_the_order_of_rows_does_not_matter(logprobs):
    rows = [(order, values, 0) for order, values in enumerate(logprobs)]
    forward, backward = (answers.answers(one_question("letter", r))["chosen"].item() for r in (rows, rows[::-1]))
    mean = np.mean(logprobs, axis=0)
    assert mean[forward] == pytest.approx(mean.max()) == mean[backward]


@pytest.mark.parametrize("logprobs", [[], [-1.0, float("nan")]])
def test_an_option_without_log_probability_is_an_error(logprobs):
    with pytest.raises(InputError, match=r"question q, method letter: an option has no log-probability"):
        answers.answers(one_question("letter", [(0, logprobs, 0)]))


def test_accuracies_are_plain_means_and_a_question_counts_in_each_of_its_specialties(tmp_path):
    axes, asked = planted.axes_of([*NAMES, "mixed"]), planted.questions(planted.axes_of(NAMES), each=20)
    planted.predictions(tmp_path, axes, asked, lambda t, held: 0.1)
    matrix, _ = run(tmp_path, axes, asked)
    frames = [adapters.read(tmp_path, a, tables.PREDICTIONS) for a in axes.adapters("small", "completion")]
    rows = pd.concat(frames).merge(asked, on="question_id")
    for row in matrix[matrix["train_set"] != "base"].itertuples():
        held = rows[rows["train_set"] == row.train_set]
        if row.test_specialty != "all":
            held = held[[row.test_specialty in s for s in held["specialties"]]]
        assert row.accuracy == pytest.approx(held["correct"].mean())
        assert row.n_questions == held["question_id"].nunique()
        assert row.tied_share == 0
    several = asked["specialties"].map(len) > 1
    by_specialty = matrix[(matrix["train_set"] == "mixed") & (matrix["test_specialty"] != "all")]
    assert several.any() and by_specialty["n_questions"].sum() == len(asked) + several.sum()


def test_planted_transfer_is_found_and_only_there(tmp_path):
    axes = planted.axes_of([*NAMES, "mixed"], seeds=(1, 2, 3))
    asked = planted.questions(axes, each=150, also=0)

    def neuro_to_cardio(train_set, held):
        return 0.35 if train_set == "neurology" and held == ["Cardiology"] else 0.0

    planted.predictions(tmp_path, axes, asked, neuro_to_cardio)
    matrix, diagonal = run(tmp_path, axes, asked)
    cells = matrix[(matrix["train_set"] != "base") & (matrix["test_specialty"] != "all")]
    found = cells[cells["q"] < 0.05]
    assert found[["train_set", "test_specialty"]].to_numpy().tolist() == [["neurology", "Cardiology"]]
    assert (found["change_low"] > 0.2).all() and (found["change_high"] < 0.5).all()
    row = diagonal.set_index("test_specialty").loc["Cardiology"]
    assert row["best_other"] == "neurology" and row["best_high"] < 0
    assert row["answer"] == "not better by more than the margin"
    assert (diagonal.set_index("test_specialty")["answer"] != "better").all()


def test_planted_diagonal_is_recovered(tmp_path):
    names = [*NAMES, "dermatology", "nephrology"]
    axes, asked = planted.axes_of([*names, "mixed"]), planted.questions(planted.axes_of(names), each=200)
    planted.predictions(tmp_path, axes, asked, lambda t, held: 0.05 + 0.2 * own(t, held))
    _, diagonal = run(tmp_path, axes, asked)
    whole = diagonal.set_index("test_specialty").loc["all"]
    assert 0.1 < whole["advantage"] < 0.25 and whole["p"] < 0.01


def test_equal_predictions_give_no_change_and_equal_tables(tmp_path):
    axes, asked = planted.axes_of(NAMES), planted.questions(planted.axes_of(NAMES), each=20)
    base = planted.axes_of(NAMES, seeds=(1,))
    planted.predictions(tmp_path, base, asked, lambda t, held: 0.0)
    frame = adapters.read(tmp_path, adapters.Adapter.base("small"), tables.PREDICTIONS)
    for adapter in axes.adapters("small", "completion"):
        tables.write(frame.assign(**adapter._asdict()), adapter.path(tmp_path), tables.PREDICTIONS)
    matrix, diagonal = run(tmp_path, axes, asked)
    tuned = matrix[matrix["train_set"] != "base"]
    assert (tuned[["change", "n_discordant"]] == 0).all(axis=None) and (tuned["p"] == 1).all()
    # No difference among 20 questions does not mean that there is none among others.
    assert (tuned["change_low"] < -0.01).all() and (tuned["change_high"] > 0.01).all()
    assert (diagonal["advantage"].dropna() == 0).all() and (diagonal["answer"] != "better").all()
    pd.testing.assert_frame_equal(matrix, run(tmp_path, axes, asked)[0])


def test_numbers_of_a_cell_do_not_depend_on_the_other_specialties_of_the_grid(tmp_path):
    axes, asked = planted.axes_of(NAMES), planted.questions(planted.axes_of(NAMES), each=20)
    planted.predictions(tmp_path, axes, asked, lambda t, held: 0.1 * own(t, held))
    columns = ["accuracy", "change", "change_low", "change_high", "p"]
    whole, part = (
        run(tmp_path, a, asked)[0].set_index(["train_set", "test_specialty"])[columns]
        for a in (axes, planted.axes_of(NAMES[:2]))
    )
    cell = ("neurology", "Cardiology")
    pd.testing.assert_series_equal(whole.loc[cell], part.loc[cell])


def test_a_stray_file_beside_the_grid_is_never_read(tmp_path):
    axes, asked = planted.axes_of(NAMES), planted.questions(planted.axes_of(NAMES), each=15)
    planted.predictions(tmp_path, axes, asked, lambda t, held: 0.1)
    stray = tmp_path / "small/completion/dermatology/seed-1.parquet"
    stray.parent.mkdir()
    stray.write_bytes(b"not a table")
    run(tmp_path, axes, asked)


def test_predictions_of_other_questions_are_an_error(tmp_path):
    axes, asked = planted.axes_of(NAMES), planted.questions(planted.axes_of(NAMES), each=15)
    planted.predictions(tmp_path, axes, asked.iloc[1:], lambda t, held: 0.1)
    with pytest.raises(
        InputError, match=r"small/base/base/-1, method cloze: 44 questions answered.*45 of the test split"
    ):
        run(tmp_path, axes, asked)


def test_a_file_of_another_adapter_is_an_error(tmp_path):
    axes, asked = planted.axes_of(NAMES), planted.questions(planted.axes_of(NAMES), each=15)
    planted.predictions(tmp_path, axes, asked, lambda t, held: 0.1)
    folder = tmp_path / "small/completion"
    (folder / "neurology/seed-1.parquet").write_bytes((folder / "cardiology/seed-1.parquet").read_bytes())
    with pytest.raises(InputError, match=r"neurology/seed-1.parquet: train_set should be 'neurology'"):
        run(tmp_path, axes, asked)


def test_a_specialty_without_test_questions_is_an_error():
    asked = planted.questions(planted.axes_of(NAMES), each=5)
    with pytest.raises(InputError, match="no test questions of Dermatology"):
        TestSet.of(asked, ["Cardiology", "Dermatology"])


def test_one_specialty_has_a_matrix_and_an_empty_diagonal(tmp_path):
    axes = planted.axes_of(["cardiology", "mixed"])
    asked = planted.questions(axes, each=20)
    planted.predictions(tmp_path, axes, asked, lambda t, held: 0.1)
    matrix, diagonal = run(tmp_path, axes, asked)
    assert set(matrix["train_set"]) == {"base", "cardiology", "mixed"} and diagonal.empty


def test_position_bias_is_measured(tmp_path):
    axes = planted.axes_of(["cardiology", "neurology"])
    asked = planted.questions(axes, each=200)
    planted.predictions(tmp_path, axes, asked, lambda t, held: 0.0, methods=("cloze", "letter"), pull=0.5)
    test_set = TestSet.of(asked, axes.specialties)
    frames = [adapters.read(tmp_path, adapter, tables.PREDICTIONS) for adapter in axes.everything()]
    table = position_bias.table([position_bias.letters(frame, test_set) for frame in frames], SETUP)
    assert set(table["method"]) == {"letter"} and set(table["train_set"]) == {"base", *axes.train_set}
    base = table[table["train_set"] == "base"].set_index("letter")
    assert base.loc["A", "recall"] == pytest.approx(0.5 + 0.5 * 0.4, abs=0.05)
    assert base.loc["B", "recall"] == pytest.approx(0.5 * 0.4, abs=0.05)
    assert base["chosen_share"].sum() == pytest.approx(1)
    assert base.loc["A", "flip_rate"] == pytest.approx(1 - 0.5**4 - 0.25 * 4 * 0.5**4, abs=0.12)


def test_without_pull_no_letter_is_preferred(tmp_path):
    axes = planted.axes_of(["cardiology"])
    asked = planted.questions(axes, each=50)
    planted.predictions(tmp_path, axes, asked, lambda t, held: 0.0, methods=("letter", "generate"))
    test_set = TestSet.of(asked, axes.specialties)
    counts = [
        position_bias.letters(adapters.read(tmp_path, a, tables.PREDICTIONS), test_set) for a in axes.everything()
    ]
    table = position_bias.table(counts, SETUP)
    assert (table["flip_rate"] == 0).all() and (table["recall_sd"] < 1e-12).all()


def test_position_bias_letters_name_what_stood_where():
    axes = planted.axes_of(["cardiology"])
    test_set = TestSet.of(planted.questions(axes, each=1).assign(answer=3), axes.specialties)
    predictions = pd.DataFrame({"method": "letter", "question_id": "q00000", "permutation": range(4), "chosen": 3})
    predictions["option_logprobs"] = [[-3.0, -3.0, -3.0, -1.0]] * 4
    counts = position_bias.letters(predictions.assign(model="m", recipe="r", train_set="t", seed=1), test_set)
    assert counts["hits"].tolist() == [1, 1, 1, 1] and counts["flipped"].tolist() == [0, 0, 0, 0]


def test_without_letters_there_is_a_position_bias_table_with_no_rows(tmp_path):
    axes = planted.axes_of(["cardiology"], seeds=(1,))
    asked = planted.questions(axes, each=10)
    planted.predictions(tmp_path, axes, asked, lambda t, held: 0.0)
    test_set = TestSet.of(asked, axes.specialties)
    counts = [
        position_bias.letters(adapters.read(tmp_path, a, tables.PREDICTIONS), test_set) for a in axes.everything()
    ]
    table = position_bias.table(counts, SETUP)
    assert table.empty and {"recall", "flip_rate"} <= set(table.columns)
