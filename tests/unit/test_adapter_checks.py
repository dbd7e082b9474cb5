"""Broken adapters are found, and sound ones are not called broken."""

import math

import numpy as np
import pandas as pd
import planted
import pytest

from neuro2cardio.analysis import adapter_checks, answers
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.core import adapters, tables
from neuro2cardio.core.errors import InputError
from neuro2cardio.models import training_checks
from neuro2cardio.questions.test_set import TestSet

AXES = planted.axes_of(["cardiology", "neurology"], seeds=(1,))
ADAPTER = adapters.Adapter("small", "completion", "cardiology", 1)
RECORD = {"vocabulary": 49152}


def curve(loss, grad_norm=None):
    """A training curve with these losses."""
    n = len(loss)
    return pd.DataFrame(
        {"step": range(1, n + 1), "loss": loss, "grad_norm": [1.0] * n if grad_norm is None else grad_norm}
    )


SOUND = curve(np.linspace(4.8, 1.5, 40))


def checks(folder, spoil=None, training=SOUND, methods=("cloze", "letter"), spoil_base=False):
    """The table of a small grid, the cardiology adapter's predictions and training being what is given."""
    asked = planted.questions(AXES, each=40)
    planted.predictions(folder, AXES, asked, lambda *_: 0.1, methods=methods)
    test_set = TestSet.of(asked, AXES.specialties)
    answered, trained = [], []
    for adapter in AXES.everything():
        frame = adapters.read(folder, adapter, tables.PREDICTIONS)
        if spoil and (adapter == ADAPTER or (spoil_base and adapter.train_set == "base")):
            frame = spoil(frame)
        answered.append(adapter_checks.of_answers(frame, answers.answers(frame), test_set))
        if adapter.train_set != "base":
            trained.append(adapter_checks.of_training(adapter, training if adapter == ADAPTER else SOUND, RECORD))
    return adapter_checks.table(answered, trained)


def all_tied(frame):
    return frame.assign(option_logprobs=[[-math.log(49152)] * 4] * len(frame), chosen=0)


def always_letter_a(frame):
    chosen = (0 - frame["permutation"]) % 4
    logprobs = np.full((len(frame), 4), -3.0)
    logprobs[np.arange(len(frame)), chosen] = -0.1
    return frame.assign(option_logprobs=logprobs.tolist(), chosen=chosen)


def flags_of(table, method="cloze"):
    rows = table[(table["train_set"] == "cardiology") & (table["method"] == method)]
    return set(rows["flags"].item().split())


def test_a_sound_grid_has_no_flag_and_nothing_to_say(tmp_path):
    table = checks(tmp_path)
    assert not table["broken"].any() and (table["flags"] == "").all()
    assert list(table.columns) == adapter_checks.COLUMNS
    assert len(table) == 3 * 2
    assert adapter_checks.sentence(table) == ""


@pytest.mark.parametrize(
    ("training", "flags"),
    [
        (curve([4.8, *[10.8] * 39]), {"loss_at_uniform"}),
        (curve([4.8] + [10.8] * 39, [1.0, 1.0] + [0.0] * 38), {"loss_at_uniform", "no_gradient"}),
        # A random model starts at ln(vocabulary), and gets better.
        (curve(np.linspace(10.8, 10.4, 40)), set()),
        # A train set learned by heart: no loss left, and no gradient.
        (curve(np.linspace(4.0, 0.0, 40), [1.0] * 20 + [0.0] * 20), set()),
    ],
)
def test_training_that_came_to_nothing_is_flagged(tmp_path, training, flags):
    table = checks(tmp_path, training=training)
    assert flags_of(table) == flags
    assert adapter_checks.broken(table) == ([ADAPTER] if flags else [])


def test_ties_are_flagged_and_named(tmp_path):
    table = checks(tmp_path, all_tied)
    assert "tied" in flags_of(table) and table["tied_share"].max() == 1
    said = adapter_checks.sentence(table)
    assert said.startswith("1 of 2 adapters are broken") and "small, completion, Cardiology, seed 1" in said
    assert adapter_checks.broken(table, model="small", recipe="completion", method="letter") == [ADAPTER]


def test_one_letter_for_everything_is_flagged_unless_the_base_model_does_the_same(tmp_path):
    assert "one_option" in flags_of(checks(tmp_path / "a", always_letter_a), "letter")
    both = checks(tmp_path / "b", always_letter_a, spoil_base=True)
    assert "one_option" not in flags_of(both, "letter")
    base = both[(both["train_set"] == "base") & (both["method"] == "letter")]
    assert base["flags"].item() != "" and not base["broken"].item()


def test_a_run_without_a_record_of_its_vocabulary_is_not_called_broken():
    row = adapter_checks.of_training(ADAPTER, curve([4.8] + [10.8] * 39), {})
    assert np.isnan(row["uniform_loss"])


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (curve([4.0, 3.0, float("nan"), 2.0]), "not finite: nothing was learned from step 3"),
        (curve([4.0, 3.0, 2.0, 1.0], [1.0, float("nan"), 1.0, 1.0]), "not finite: nothing was learned from step 2"),
        (curve([4.3] + [10.8] * 9, [1.0] + [0.0] * 9), "gradient is zero from step 2 of 10 to the end"),
    ],
)
def test_a_job_that_learned_nothing_is_stopped_with_its_learning_rate(bad, said):
    with pytest.raises(InputError, match=said) as error:
        training_checks.require_learning(bad, Recipe(loss="full", learning_rate=0.05))
    assert "learning_rate (it is 0.05)" in str(error.value)


def test_a_train_set_learned_by_heart_is_not_stopped():
    training_checks.require_learning(curve(np.linspace(4, 0, 10), [1.0] * 3 + [0.0] * 7), Recipe(loss="full"))


def test_the_base_model_after_worked_examples_has_a_row_and_is_never_broken(tmp_path):
    asked = planted.questions(AXES, each=40)
    planted.predictions(tmp_path, AXES, asked, lambda *_: 0.1)
    test_set = TestSet.of(asked, AXES.specialties)
    frame = adapters.read(tmp_path, adapters.Adapter.base("small"), tables.PREDICTIONS)
    shots = all_tied(frame.assign(train_set="few-shot"))
    made = adapter_checks.table(
        [adapter_checks.of_answers(rows, answers.answers(rows), test_set) for rows in (frame, shots)], []
    ).set_index("train_set")
    assert made.loc["few-shot", "tied_share"] == 1 and "tied" in made.loc["few-shot", "flags"]
    assert not made["broken"].any() and adapter_checks.sentence(made.reset_index()) == ""
