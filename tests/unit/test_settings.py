"""A configuration is right before the first job, or refused in one line for each key."""

import copy
import json
from pathlib import Path

import pytest
import yaml

from neuro2cardio.config import settings, yaml_files
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
        ({"recipes.r.batch_size": 6}, "batch_size 6 is not a multiple of micro_batch_size 4"),
        ({"grid.seeds": [1, 1]}, "grid.seeds: contains duplicates: 1"),
        ({"grid.specialties": []}, "grid.specialties: is empty"),
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


@pytest.mark.parametrize("name", sorted(p.name for p in CHECKOUT.glob("[a-z]*.yaml")))
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


def test_a_key_left_out_means_what_the_full_grid_shows():
    """But for what depends on the model or the cluster: memory, GPUs, threads."""
    written = yaml.safe_load((CHECKOUT / "config.yaml").read_text())
    least = {
        "experiment": written["experiment"],
        "grid": {key: written["grid"][key] for key in ("models", "recipes")},
        "dataset": {"origin": written["dataset"]["origin"]},
        "models": {name: {k: v for k, v in m.items() if k != "resources"} for name, m in written["models"].items()},
        "recipes": {name: {"loss": recipe["loss"]} for name, recipe in written["recipes"].items()},
    }
    full, defaults = (settings.load(config).model_dump(mode="json") for config in (written, least))
    for part in set(full) - {"models"}:
        assert full[part] == defaults[part], part


def test_the_schema_that_editors_read_is_the_settings():
    committed = CHECKOUT / "workflow" / "schemas" / "config.schema.json"
    assert committed.read_text() == settings.schema(), "run `make schema`"


def test_a_part_travels_as_the_same_text_whatever_the_order_of_its_keys():
    a = settings.canonical_json({"b": 1, "a": [1, 2]})
    assert a == settings.canonical_json({"a": [1, 2], "b": 1})
    assert json.loads(a) == {"a": [1, 2], "b": 1}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"models": {"base": {"source": "path", "path": "x"}}, "grid.models": ["base"]}, "models: 'base' names a row"),
        ({"recipes": {"base": {"loss": "full"}}, "grid.recipes": ["base"]}, "recipes: 'base' names a row"),
        ({"grid.seeds": [2**32]}, "grid.seeds.0: Input should be less than 4294967296"),
        ({"grid.seeds": []}, "grid.seeds: is empty; name at least one"),
        ({"grid.models": ["m", "m"]}, "grid.models: contains duplicates: 'm'"),
        (
            {"models.m": {"source": "pypi", "file": "x.gguf"}},
            "models.m: name either wheel and file, or parts",
        ),
        ({"figures": {"colours": "RdBlue"}}, "figures.colours: 'RdBlue' is not a colour map of matplotlib"),
        ({"figures": {"formats": []}}, "figures.formats: is empty"),
        ({"terms": {"contexts": []}}, "terms.contexts: is empty"),
        ({"inference": {"methods": ["cloze", "cloze"]}}, "inference.methods: contains duplicates: 'cloze'"),
        ({"recipes.r.learning_rate": float("inf")}, "recipes.r.learning_rate: Input should be a finite number"),
        ({"recipes.r.learning_rate": 1.0}, "confirm_learning_rate: true"),
        ({"recipes.r.dropout": 1}, "recipes.r.dropout: Input should be less than 1"),
        ({"recipes.r.targets": []}, "is empty"),
        ({"recipes.r.targets": ["q_proj", "q_proj"]}, "contains duplicates: 'q_proj'"),
        ({"dataset.origin": {"source": "table", "files": {}}}, "dataset.origin.files: "),
        ({"dataset.leakage": {"jaccard": 0}}, "dataset.leakage.jaccard: Input should be greater than 0"),
        ({"dataset.further_specialties": ["Skin"]}, "further_specialties: 'Skin' is Dermatology, one of the fifteen"),
        ({"dataset.further_specialties": ["Base"]}, "'Base' is the name of something else in all tables"),
        ({"dataset.further_specialties": ["Few shot"]}, "'Few shot' is the name of something else in all tables"),
        ({"dataset.further_specialties": ["心臓"]}, "further_specialties: '心臓' needs letters"),
        ({"grid.specialties": ["Urology"]}, "declare one of your own in dataset.further_specialties"),
        ({"grid.controls": ["shuffled"]}, "controls: 'shuffled' is unknown; did you mean 'shuffled-answers'?"),
        ({"grid.controls": ["random-0"]}, "controls: 'random-0' is unknown; did you mean 'random-1'?"),
        ({"grid.controls": ["without-neurology"]}, "controls: 'without-neurology' is unknown"),
        ({"grid.controls": ["without-cardiology"]}, "a grid of one specialty has nothing without it"),
        ({"statistics": {"confidence": 1.5}}, "statistics.confidence: Input should be less than 1"),
    ],
)
def test_what_could_only_fail_later_is_refused_before_the_first_job(change, said):
    assert said in refused(change)


def test_a_large_learning_rate_can_be_meant():
    recipe = {"loss": "full", "learning_rate": 0.5, "confirm_learning_rate": True}
    assert settings.load({**RIGHT, "recipes": {"r": recipe}}).recipes["r"].learning_rate == 0.5


def test_specialties_of_ones_own_are_declared_once_and_used_everywhere():
    config = copy.deepcopy(RIGHT)
    config["grid"]["specialties"] = ["urology", "Cardiology"]
    config["dataset"] = {
        "origin": {
            "source": "table",
            "files": {"all": "x.csv"},
            "specialties": {"Bladder": "Urology", "Heart": "cardiac"},
        },
        "further_specialties": ["Urology"],
    }
    loaded = settings.load(config)
    assert loaded.grid.specialties == ["Urology", "Cardiology"]
    assert loaded.dataset.origin.specialties == {"Bladder": "Urology", "Heart": "Cardiology"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"experiment: a\nexperiment: b\n", "experiment is given twice, on line 1 and on line 2"),
        (b"grid:\n  seeds: [1]\n  models: [m]\n  seeds: [2]\n", "grid.seeds is given twice, on line 2 and on line 4"),
        (b"experiment: \xe4\n", "not UTF-8 text"),
        (b"experiment: [\n", "not YAML"),
        (b"- a\n- b\n", "should hold keys and values"),
        (b"", "should hold keys and values"),
    ],
)
def test_what_yaml_lets_pass_in_silence_is_named(tmp_path, text, said):
    (tmp_path / "mine.yaml").write_bytes(text)
    with pytest.raises(InputError, match=said):
        yaml_files.check(tmp_path / "mine.yaml")


def test_a_missing_configuration_is_named_with_the_nearest_one(tmp_path: Path):
    (tmp_path / "mine.yaml").write_text("a: 1\n")
    with pytest.raises(InputError, match=r"there is no configuration file .*mime\.yaml; did you mean 'mine\.yaml'"):
        yaml_files.check(tmp_path / "mime.yaml")
    with pytest.raises(InputError, match="can't be read as a configuration file: Is a directory"):
        yaml_files.check(tmp_path)
    (tmp_path / "link.yaml").symlink_to("gone.yaml")
    with pytest.raises(InputError, match=r"link\.yaml is a link to gone\.yaml"):
        yaml_files.check(tmp_path / "link.yaml")


OPENAI = {"annotator": {"backend": "openai", "model": "m", "base_url": "http://localhost:8000/v1"}}
TABLE = {"source": "table", "files": {"all": "x.csv"}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"dataset.annotation": {"annotater": {}}}, "annotation.annotater: unknown key; did you mean 'annotator'?"),
        ({"dataset.general": {**TABLE, "file": 1}}, "dataset.general.file: unknown key; did you mean 'files'?"),
        (
            {"models.m": {"source": "pypi", "wheel": {"packige": "x"}, "file": "f"}},
            "models.m.wheel.packige: unknown key; did you mean 'package'?",
        ),
        (
            {"dataset.annotation": {"annotator": {**OPENAI["annotator"], "prices": {"inputs": 1}}}},
            "prices.inputs: unknown key; did you mean 'input'?",
        ),
    ],
)
def test_a_misspelled_key_of_a_part_that_may_be_missing_is_named(change, said):
    assert said in refused(change)


@pytest.mark.parametrize(
    "change",
    [
        {"recipes.r.rank": True},
        {"recipes.r.warmup": False},
        {"grid.seeds": [True]},
        {"grid.seeds": [1, False]},
        {"dataset.train_size": True},
        {"dataset.test_size": True},
        {"inference": {"permutations": True}},
        {"inference": {"base_shots": False}},
        {"models.m.resources": {"gpu": True}},
        {"statistics": {"smallest_effect": {"all": True}}},
        {"prompt": {"cloze": False}},
    ],
)
def test_a_truth_value_is_no_number_and_no_text(change):
    assert "is a truth value; YAML takes yes, no, on and off for one too" in refused(change)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recipes.r.epochs": 10**19}, "larger than 4294967296"),
        ({"recipes.r.weight_decay": 1e30}, "larger than 4294967296"),
        ({"models.m.resources": {"mem_mb": 10**12}}, "larger than 4294967296"),
        ({"inference": {"batch_tokens": 2**63}}, "larger than 4294967296"),
        ({"recipes.r.learning_rate": 1e-300}, "smaller than 1e-12"),
        ({"statistics": {"confidence": 1e-300}}, "smaller than 1e-12"),
        ({"recipes.r.learning_rate": float("nan")}, "finite number"),
        ({"recipes.r.weight_decay": -float("inf")}, "finite number"),
        ({"prompt": {"system": "a\x00b"}}, "which no file can hold"),
        ({"prompt": {"letter": "half \ud83d"}}, "which no file can hold"),
        ({"experiment": "x" * 101}, "at most 100 characters"),
        ({"experiment": "x "}, "experiment: "),
        ({"models.m": {"source": "hub", "id": "../x"}}, "models.m.id: "),
        ({"models.m": {"source": "hub", "id": "a b/c"}}, "models.m.id: "),
        (
            {"models.m": {"source": "hub", "id": "a/b", "revision": ""}},
            "models.m.revision: one line of text, not empty",
        ),
        ({"dataset.origin": {**TABLE, "columns": {"stem": ""}}}, "columns.stem: one line of text, not empty"),
        ({"dataset.origin": {**TABLE, "columns": {"options": ["a", " "]}}}, "one line of text, not empty"),
        ({"dataset.origin": {**TABLE, "columns": {"options": ["a", "a"]}}}, "contains duplicates: 'a'"),
        (
            {"dataset.origin": {**TABLE, "specialties": {"Heart": "Cardiology", "heart ": None}}},
            "'Heart' and 'heart ' are one name, and mean 'Cardiology' and None",
        ),
        ({"dataset.further_specialties": ["Eye; ear"]}, "'Eye; ear' has ';', which separates names in sheets"),
        ({"dataset.further_specialties": ["Others"]}, "'Others' is the name of something else in all tables"),
        ({"dataset.further_specialties": ["x" * 61]}, "is longer than 60 characters"),
        (
            {"models.m.chat_template_kwargs": {"tokenize": True}},
            "chat_template_kwargs: 'tokenize' is set by the workflow",
        ),
        ({"models.m.chat_template_kwargs": {"": True}}, "chat_template_kwargs: '' is set by the workflow"),
    ],
)
def test_what_nothing_could_mean_is_refused(change, said):
    assert said in refused(change)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("", "it is empty or has control characters"),
        (" ", "it is empty or has control characters"),
        ("a\nb", "it is empty or has control characters"),
        ("{model}.csv", "Snakemake takes { and } in a path for a wildcard"),
        ("~/exam.csv", "a path that starts with ~"),
        ("-x.csv", "a path that starts with -"),
        ("x" * 300, "longer than 255 bytes"),
    ],
)
def test_a_path_that_no_job_could_be_given_is_refused(path, said):
    assert said in refused({"models.m.path": path})
    assert said in refused({"dataset.origin": {**TABLE, "files": {"all": path}}})
    assert said in refused({"terms": {"lexicon": {"backend": "json", "path": path}}})
    assert said in refused({"dataset.annotation": {**OPENAI, "verification": {"experts": {"anna": path}}}})


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000/v1",
        "https://",
        "https:///v1",
        "http://:8000/v1",
        "http://a b/v1",
        "http://a.example/v 1",
        "http://a.example/v1\n",
        "http://a.example:0/v1",
        "http://a.example:99999/v1",
        "http://a.example:x/v1",
        "http://[::1/v1",
        "http://a..example/v1",
        "http://-a.example/v1",
        "http://a.example\\v1",
        "http://me:pw@a.example/v1",
        "http://a.example/v1?key=x",
        "http://a.example/v1#",
        "ftp://a.example",
        "file:///etc/passwd",
    ],
)
def test_a_url_that_no_server_has_is_refused(url):
    assert "base_url: " in refused({"dataset.annotation": {"annotator": {**OPENAI["annotator"], "base_url": url}}})
    assert "url: " in refused({"terms": {"lexicon": {"backend": "snowstorm", "url": url}}})


@pytest.mark.parametrize(
    "url", ["http://[::1]:8000/v1", "HTTP://LOCALHOST/v1", "https://a.example:443/x/v1/", "http://10.0.0.1:1/v1"]
)
def test_a_url_of_any_usual_form_is_taken(url):
    config = {
        **RIGHT,
        "dataset": {"origin": TABLE, "annotation": {"annotator": {**OPENAI["annotator"], "base_url": url}}},
    }
    assert settings.load(config).dataset.annotation.annotator.base_url == url
