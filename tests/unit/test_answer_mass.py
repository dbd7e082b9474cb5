"""The probability on the offered letters: summed from predictions, pooled over seeds, and warned about where low."""

import numpy as np
import pandas as pd
import planted
import pytest

from neuro2cardio.analysis import answer_mass
from neuro2cardio.core import adapters, tables

AXES = planted.axes_of(["cardiology"], seeds=(1, 2))


@pytest.fixture
def table(tmp_path):
    """Made of predictions with these masses for the base model's letters, and 0.9 for all adapters'."""

    def make(base: float) -> pd.DataFrame:
        asked = planted.questions(AXES, each=10)
        planted.predictions(tmp_path, AXES, asked, lambda *_: 0.1, methods=("cloze", "letter", "generate"))
        sums = []
        for adapter in AXES.everything():
            frame = adapters.read(tmp_path, adapter, tables.PREDICTIONS)
            letters = frame["method"] == "letter"
            frame.loc[letters, "answer_mass"] = base if adapter.recipe == "base" else 0.9
            if adapter.recipe == "base":
                generated = frame.index[frame["method"] == "generate"]
                frame.loc[generated[:10], "chosen"] = -1
            sums.append(answer_mass.of_adapter(frame))
        return answer_mass.table(sums).set_index(["recipe", "method"])

    return make


def test_masses_and_unparsed_texts_are_pooled_by_train_set_and_method(table):
    found = table(0.25)
    assert found.loc[("base", "letter"), "answer_mass"] == pytest.approx(0.25)
    assert found.loc[("completion", "letter"), "answer_mass"] == pytest.approx(0.9)
    assert found.loc[("completion", "letter"), "n_seeds"] == 2
    assert found.loc[("completion", "letter"), "n_prompts"] == 2 * 10 * 4
    assert found.loc[("base", "generate"), "unparsed_share"] == pytest.approx(10 / 40)
    assert np.isnan(found.loc[("base", "cloze"), "answer_mass"])
    assert np.isnan(found.loc[("base", "letter"), "unparsed_share"])


def test_a_base_model_that_does_not_answer_is_named(table):
    assert answer_mass.warnings(table(0.6).reset_index()) == []
    (said,) = answer_mass.warnings(table(0.2).reset_index())
    assert "base model small" in said
    assert "0.20" in said
