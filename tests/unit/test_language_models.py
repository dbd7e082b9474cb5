"""Models are fetched whole or not at all, and a user is told what to do where that cannot be."""

import json
import os
import shutil
from types import SimpleNamespace

import pytest

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.models import HubModel, PathModel, Usage
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.core import tables
from neuro2cardio.core.errors import InputError
from neuro2cardio.models import fine_tuning, prompting, registry, tokenizer_check


def test_a_local_model_stays_where_it_is_and_is_recorded(tiny_model, tmp_path):
    registry.fetch(PathModel(source="path", path=tiny_model()), tmp_path)
    record = json.loads((tmp_path / "model.json").read_text())
    assert registry.location(tmp_path / "model.json") == tiny_model()
    assert record["parameters"] > 10_000
    assert record["weights"].keys() == {"model.safetensors"}


def test_a_folder_without_a_model_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"is no model folder: it has no config\.json"):
        registry.fetch(PathModel(source="path", path=tmp_path / "nothing"), tmp_path)


def test_weights_that_are_no_safetensors_are_not_read(tiny_model, tmp_path):
    copy = shutil.copytree(tiny_model(), tmp_path / "model")
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"no \*.safetensors weights"):
        registry.fetch(PathModel(source="path", path=copy), tmp_path / "record")


def test_truncated_weights_are_never_read_as_data(tiny_model, tmp_path):
    copy = shutil.copytree(tiny_model(), tmp_path / "model")
    os.truncate(copy / "model.safetensors", 5000)
    with pytest.raises(InputError, match="damaged weights"):
        registry.load(copy, "float32")


def test_a_hub_that_cannot_be_reached_says_what_to_do(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"hub can't be reached.*source: path"):
        registry.fetch(HubModel(source="hub", id="someone/some-model"), tmp_path)
    assert not (tmp_path / "model.json").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("GatedRepoError", "is gated: accept its licence .* HF_TOKEN"),
        ("RepositoryNotFoundError", "not on the hub or is private"),
        ("RevisionNotFoundError", "has no revision 'main'"),
    ],
)
def test_what_the_hub_refuses_is_explained(monkeypatch, tmp_path, error, said):
    from huggingface_hub import HfApi, errors

    def refuse(*_, **__):
        raise getattr(errors, error)("no", response=SimpleNamespace(headers={}, request=None, status_code=403))

    monkeypatch.setattr(HfApi, "model_info", refuse)
    with pytest.raises(InputError, match=said):
        registry.fetch(HubModel(source="hub", id="someone/some-model"), tmp_path)


@pytest.fixture
def adapter(tiny_model, tmp_path):
    """A trained adapter as the workflow writes it."""
    from neuro2cardio.core import files, provenance

    model = registry.load(tiny_model(), "float32", 1)
    question = prompting.Question("q", "A man has chest pain", ("angina", "seizure"), 0)
    recipe = Recipe(loss="completion", form="cloze", rank=2, epochs=1, batch_size=1, micro_batch_size=1)
    learned = fine_tuning.examples(prompting.Prompter(model.tokenizer, Prompt(), 400), [question], recipe)
    network = fine_tuning.train(model, learned, recipe, 1, tmp_path / "checkpoints", show=False).network
    fine_tuning.save_adapter(network, tmp_path / "adapter", "tiny")
    digest = provenance.sha256(tmp_path / "adapter" / registry.WEIGHTS)
    files.write_json(tmp_path / "adapter/run.json", {"adapter_sha256": digest})
    return tmp_path / "adapter"


def test_a_truncated_adapter_is_never_read_as_data(adapter, tiny_model):
    base = registry.load(tiny_model(), "float32", 1)
    os.truncate(adapter / registry.WEIGHTS, 1000)
    with pytest.raises(InputError, match="not what training wrote; delete the folder"):
        registry.with_adapter(base, adapter)


def test_an_adapter_of_another_model_is_refused(adapter, tiny_model):
    with pytest.raises(InputError, match="not a whole adapter of this model"):
        registry.with_adapter(registry.load(tiny_model("gpt2", "metaspace", None), "float32", 1), adapter)


def test_the_window_is_the_smaller_of_the_models_and_the_configured(tiny_model):
    assert registry.window(tiny_model(), 2048) == 512
    assert registry.window(tiny_model(), 100) == 100


def test_feasibility_counts_tokens_and_cut_stems(tiny_model, three_questions):
    prompter = prompting.for_model(tiny_model(), Usage(max_tokens=512), Prompt())
    report = tokenizer_check.check(prompter, three_questions, Inference(methods=["cloze", "letter"]), ["cloze"])
    assert report["chat_template"] is True
    assert report["test.letter"]["questions"] == 2
    assert report["test.letter"]["stems_cut"] == 1
    assert report["test.letter"]["longest_tokens"] <= 512
    assert report["train.cloze"]["tokens"] > 0


@pytest.fixture
def three_questions(tmp_path):
    import pandas as pd

    rows = [("a", "train", "A man has chest pain."), ("b", "test", "Short?"), ("c", "test", "It hurts so much. " * 90)]
    frame = pd.DataFrame(
        {
            "question_id": [r[0] for r in rows],
            "split": [r[1] for r in rows],
            "source": "test",
            "source_row": [r[0] for r in rows],
            "stem": [r[2] for r in rows],
            "options": [["angina", "seizure"]] * 3,
            "answer": 0,
            "specialty": "Cardiology",
            "specialties": [["Cardiology"]] * 3,
            "votes": [[]] * 3,
        }
    )
    tables.write(frame, tmp_path / "q.parquet", tables.QUESTIONS)
    return tables.read(tmp_path / "q.parquet", tables.QUESTIONS)
