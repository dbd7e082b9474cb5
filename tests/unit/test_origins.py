"""Files that are plausible and wrong: of another run, another adapter, another train set, or edited."""

import json
import shutil

import pandas as pd
import pytest

from neuro2cardio.analysis import origins
from neuro2cardio.core import tables
from neuro2cardio.core.adapters import Axes
from neuro2cardio.core.base_rows import BASE
from neuro2cardio.core.errors import InputError
from neuro2cardio.operations import integrity

AXES = Axes(model=["m"], recipe=["r"], train_set=["cardiology", "neurology"], seed=[1])
MADE_FROM = {"test_questions": "q", "test_mentions": "t", "settings": "s"}


def write_table(path, adapter, made_from):
    rows = pd.DataFrame({"method": "cloze", "question_id": ["q"], "permutation": 0, "option_logprobs": [[0.0, 1.0]]})
    rows = rows.assign(chosen=1, correct=True, answer_mass=0.5, **adapter._asdict())
    tables.write(rows, path, tables.PREDICTIONS, made_from)


@pytest.fixture
def results(tmp_path):
    for adapter in AXES.everything():
        made_from = dict(MADE_FROM)
        if adapter.recipe != BASE:
            folder = adapter.path(tmp_path / "grid/adapters", "")
            folder.mkdir(parents=True)
            made_from["adapter"] = f"weights of {adapter.train_set}"
            record = {"adapter_sha256": made_from["adapter"], "settings": {"recipe": {"epochs": 3}}}
            (folder / "run.json").write_text(json.dumps(record))
        write_table(adapter.path(tmp_path / "grid/predictions"), adapter, made_from)
    return tmp_path / "grid"


def check(results):
    origins.check_tables(results / "predictions", AXES)
    return origins.records(results / "predictions", results / "adapters", AXES)


def test_a_grid_that_belongs_together_is_accepted(results):
    assert {adapter.train_set for adapter in check(results)} == {"cardiology", "neurology"}


@pytest.mark.parametrize(
    ("part", "named"),
    [("test_questions", "test questions"), ("test_mentions", "test mentions"), ("settings", "settings of inference")],
)
def test_predictions_of_another_run_are_named(results, part, named):
    adapter = AXES.adapters("m", "r")[1]
    path = adapter.path(results / "predictions")
    write_table(path, adapter, tables.origin(path) | {part: "another"})
    with pytest.raises(
        InputError, match=f"neurology/seed-1.parquet and .*base.parquet were made with different {named}"
    ):
        check(results)


def test_predictions_that_were_edited_and_saved_again_are_named(results):
    path = AXES.adapters("m", "r")[0].path(results / "predictions")
    pd.read_parquet(path).assign(chosen=0).to_parquet(path)
    with pytest.raises(InputError, match="one of them was edited"):
        check(results)


def test_predictions_of_an_earlier_adapter_are_named_and_recovered(results):
    adapter = AXES.adapters("m", "r")[0]
    (adapter.path(results / "adapters", "") / "run.json").write_text(json.dumps({"adapter_sha256": "trained again"}))
    with pytest.raises(InputError, match="was made with another adapter than the one in"):
        check(results)
    found = dict(integrity.find(results.parent))
    assert found[adapter.path(results / "predictions")] == "it was made with another adapter than is there"


def test_adapters_of_one_recipe_with_different_settings_are_named_with_the_key(results):
    run = AXES.adapters("m", "r")[1].path(results / "adapters", "") / "run.json"
    run.write_text(json.dumps(json.loads(run.read_text()) | {"settings": {"recipe": {"epochs": 5}}}))
    with pytest.raises(InputError, match=r"trained with different settings \(recipe\.epochs: 5, not 3\)"):
        check(results)


@pytest.mark.parametrize("content", ["", "[]", None])
def test_a_record_that_can_not_be_read_is_named(results, content):
    run = AXES.adapters("m", "r")[1].path(results / "adapters", "") / "run.json"
    run.unlink() if content is None else run.write_text(content)
    with pytest.raises(InputError, match=r"run\.json: .*make recover"):
        check(results)


def test_a_train_set_copied_over_anothers_is_recovered(tmp_path):
    folder = tmp_path / "grid/train_sets"
    for name in ("cardiology", "neurology"):
        tables.write(
            pd.DataFrame(columns=tables.QUESTIONS.names),
            folder / f"{name}.parquet",
            tables.QUESTIONS,
            {"train_set": name},
        )
    assert list(integrity.find(tmp_path)) == []
    shutil.copy(folder / "cardiology.parquet", folder / "neurology.parquet")
    assert list(integrity.find(tmp_path)) == [(folder / "neurology.parquet", "it is the train set 'cardiology'")]
    tables.write(pd.DataFrame(columns=tables.QUESTIONS.names), folder / "neurology.parquet", tables.QUESTIONS)
    assert list(integrity.find(tmp_path)) == [(folder / "neurology.parquet", "it does not say which train set it is")]


@pytest.mark.parametrize("change", [lambda text: text.replace("0.5", "0.6"), lambda text: text[:-5], lambda _: ""])
def test_an_edited_or_cut_table_is_named_and_recovered(tmp_path, change):
    path = tmp_path / "grid/tables/diagonal.csv"
    tables.write_csv(pd.DataFrame({"difference": [0.5, 0.25]}), path, sealed=True)
    assert tables.read_csv(path)["difference"].tolist() == [0.5, 0.25]
    path.write_text(change(path.read_text()))
    with pytest.raises(InputError, match=r"diagonal\.csv: edited or cut since it was written"):
        tables.read_csv(path)
    assert list(integrity.find(tmp_path)) == [(path, "edited or cut since it was written")]


def test_a_table_without_a_seal_is_read_as_it_is(tmp_path):
    path = tmp_path / "mine.csv"
    tables.write_csv(pd.DataFrame({"a": [1]}), path)
    path.write_text("a\n2\n")
    assert tables.read_csv(path)["a"].tolist() == [2]
    with pytest.raises(InputError, match="no such table"):
        tables.read_csv(tmp_path / "other.csv")
