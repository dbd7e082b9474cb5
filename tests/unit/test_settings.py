"""A configuration is right before the first job, or refused in one line for each key."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from neuro2cardio.config import settings
from neuro2cardio.core.errors import InputError

CHECKOUT = Path(__file__).parents[2]
RIGHT = {
    "experiment": "x",
    "grid": {"specialties": ["Cardiology"], "models": ["m"], "recipes": ["r"], "seeds": [1]},
    "dataset": {"origin": {"source": "hpo"}},
    "models": {"m": {"source": "path", "path": "somewhere"}},
    "recipes": {"r": {"loss": "full"}},
}


def refused(change: dict[str, object]) -> str:
    """What is said of a right configuration after {"a.b": value}."""
    config = copy.deepcopy(RIGHT)
    for key, value in change.items():
        *path, last = key.split(".")
        part = config
        for step in path:
            part = part[step]
        part[last] = value
    with pytest.raises(InputError) as error:
        settings.load(config)
    return str(error.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipes.r.lerning_rate": 1}, "recipes.r.lerning_rate: unknown key; did you mean 'learning_rate'?"),
        ({"models.m.resources": {"gppu": 1}}, "models.m.resources.gppu: unknown key; did you mean 'gpu'?"),
        ({"dataset.origin.wheell": 1}, "dataset.origin.wheell: unknown key; did you mean 'wheel'?"),
        ({"grid.specialties": ["Cardiolgy"]}, "unknown specialty 'Cardiolgy'; did you mean 'Cardiology'?"),
        ({"grid.models": ["n"]}, "grid.models: 'n' is not in models"),
        ({"grid.recipes": ["rr"]}, "grid.recipes: 'rr' is not in recipes; did you mean 'r'?"),
        (
            {"dataset.origin": {"source": "s-medq"}},
            "dataset.origin.source: 's-medq' is unknown; did you mean 's-medqa'?",
        ),
        ({"models.m": {"source": "hug", "id": "x"}}, "models.m.source: 'hug' is unknown; did you mean 'hub'?"),
        ({"dataset.origin": {"directory": "x"}}, "dataset.origin.source: missing"),
        ({"recipes.r": {}}, "recipes.r.loss: missing"),
        ({"recipes.r.loss": "half"}, "recipes.r.loss: Input should be 'completion' or 'full' (got 'half')"),
        ({"recipes.r.rank": 0}, "recipes.r.rank: Input should be greater than or equal to 1 (got 0)"),
        ({"recipes.r.batch_size": 6}, "batch_size 6 is no multiple of micro_batch_size 4"),
        ({"grid.seeds": [1, 1]}, "seeds names a value twice"),
        ({"grid.specialties": []}, "specialties is empty"),
        ({"experiment": "a/b"}, "experiment: "),
        ({"dataset.split": {"test": 0.9, "validation": 0.2}}, "leave nothing to train on"),
    ],
)
def test_each_wrong_key_is_named_with_its_value_and_what_is_right(change, said):
    assert said in refused(change)


def test_all_wrong_keys_are_named_at_once():
    said = refused({"recipes.r.lerning_rate": 1, "grid.specialties": ["Cardiolgy"], "experimnt": 1})
    assert len(said.splitlines()) == 4


def test_specialties_are_read_by_name_slug_or_alias():
    config = {**RIGHT, "grid": {**RIGHT["grid"], "specialties": ["obgyn", "Haematology", "infectious-diseases"]}}
    assert settings.load(config).grid.specialties == ["Obstetrics and gynecology", "Hematology", "Infectious diseases"]


@pytest.mark.parametrize("name", sorted(p.name for p in CHECKOUT.glob("*.yaml")))
def test_the_shipped_configurations_are_right(name):
    loaded = settings.load(yaml.safe_load((CHECKOUT / name).read_text()))
    assert loaded.train_sets


def test_the_full_grid_spells_out_every_key_of_the_settings():
    """All of a run's choices are in its config: nothing of the full grid is left to a default in code."""
    written = yaml.safe_load((CHECKOUT / "config.yaml").read_text())
    complete = settings.load(written).model_dump(mode="json")
    for part in ("grid", "prompt", "inference", "statistics", "figures"):
        assert set(complete[part]) == set(written[part]), part
    assert set(complete["recipes"]["full"]) == set(written["recipes"]["full"])


def test_the_schema_that_editors_read_is_the_settings():
    committed = CHECKOUT / "workflow" / "schemas" / "config.schema.json"
    assert committed.read_text() == settings.schema(), "run `make schema`"


def test_a_part_travels_as_the_same_text_whatever_the_order_of_its_keys():
    a = settings.canonical_json({"b": 1, "a": [1, 2]})
    assert a == settings.canonical_json({"a": [1, 2], "b": 1})
    assert json.loads(a) == {"a": [1, 2], "b": 1}
