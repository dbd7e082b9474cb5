"""Weights of 4 bits, and models on several devices. Their GPUs are pretended, or the CPU stands in for them."""

from importlib.util import find_spec

import numpy as np
import pytest

from neuro2cardio.config import settings
from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.config.terms import TermReading
from neuro2cardio.core import files
from neuro2cardio.core.errors import InputError
from neuro2cardio.models import adapter_files, fine_tuning, packed_loss, placement, registry, self_check
from neuro2cardio.models.prompting import Prompter, Question
from neuro2cardio.models.scoring import Scorer

needs_bitsandbytes = pytest.mark.skipif(
    find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed (envs/4bit.txt)"
)
QUESTIONS = [
    Question(f"q{i}", f"A {20 + i}-year-old man has chest pain", ("angina", "seizure"), i % 2) for i in range(8)
]
RECIPE = Recipe(
    loss="completion", form="cloze", rank=4, epochs=20, batch_size=4, micro_batch_size=2, learning_rate=0.02
)


def prompter(model):
    return Prompter(model.tokenizer, Prompt(), 400)


def scorer(model):
    return Scorer(model, prompter(model), Inference(methods=["letter", "cloze"]), TermReading(contexts=["bare"]))


def answers(model):
    return np.concatenate(scorer(model).score(QUESTIONS, {}).predictions["option_logprobs"].tolist())


def trained(model, folder, recipe=RECIPE):
    return fine_tuning.train(
        model, fine_tuning.examples(prompter(model), QUESTIONS, recipe), recipe, 1, folder, show=False
    )


@needs_bitsandbytes
def test_a_model_of_4_bits_is_trained_scored_and_never_merged(tiny_model, tmp_path):
    model = registry.load(tiny_model(), "4bit", 1)
    layer = model.network.model.layers[0].mlp.up_proj
    assert placement.is_4bit(layer)
    assert layer.weight.numel() * 2 == 32 * 64
    before = layer.weight.clone()
    assert packed_loss.can_pack(model)
    assert 0 < np.abs(answers(model) - answers(registry.load(tiny_model(), "float32", 1))).max() < 0.5
    learned = trained(model, tmp_path / "checkpoints")
    assert learned.curve["loss"].iloc[-1] < learned.curve["loss"].iloc[0] - 0.2
    fine_tuning.save_adapter(learned.network, tmp_path / "adapter", "tiny")
    files.write_json(tmp_path / "adapter/run.json", adapter_files.digests(tmp_path / "adapter"))
    base = registry.load(tiny_model(), "4bit", 1)
    plain = answers(base)
    adapted = registry.with_adapter(base, tmp_path / "adapter")
    self_check.check(scorer(adapted), QUESTIONS, {})
    assert np.abs(answers(adapted) - plain).max() > 0.1
    assert (layer.weight == before).all()
    restored = registry.without_adapter(adapted)
    assert restored is not None
    np.testing.assert_array_equal(answers(restored), plain)


@needs_bitsandbytes
def test_gradients_through_4_bits_are_those_of_the_numbers_that_they_stand_for(tiny_model, tmp_path):
    import bitsandbytes
    import torch

    model = registry.load(tiny_model(), "4bit", 1)
    plain = registry.load(tiny_model(), "float32", 1)
    for name, module in model.network.named_modules():
        if placement.is_4bit(module):
            numbers = bitsandbytes.functional.dequantize_4bit(module.weight.data, module.weight.quant_state)
            with torch.no_grad():
                plain.network.get_submodule(name).weight.copy_(numbers)
    # Read before it is trained, as jobs do: some CPUs repack weights then.
    np.testing.assert_allclose(answers(model), answers(plain), atol=0.05)
    few = RECIPE.model_copy(update={"epochs": 2, "learning_rate": 1e-4})
    curves = [trained(each, tmp_path / str(i), few).curve for i, each in enumerate((model, plain))]
    for column in ("loss", "grad_norm"):
        np.testing.assert_allclose(curves[0][column], curves[1][column], rtol=0.05)


def test_4_bits_that_cannot_be_had_are_refused_in_a_sentence(monkeypatch):
    monkeypatch.setattr(placement, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"load: 4bit needs the package bitsandbytes.*envs/4bit\.txt"):
        placement.check("4bit", "auto")
    with pytest.raises(InputError, match="load: 4bit finds no CUDA device in this job"):
        placement.device("4bit", gpus=1)
    placement.check("bfloat16", "auto")


def test_more_gpus_than_can_be_seen_are_refused(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(InputError, match=r"resources\.gpu: 2 GPUs are asked for and 1 can be seen"):
        placement.device("auto", gpus=2)
    assert placement.device("auto", gpus=1).type == "cuda"


def test_a_model_is_spread_over_as_many_gpus_as_its_job_has(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda i: (10 * (i + 1), 80))
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    told = placement.arguments("bfloat16", "auto", torch.device("cuda"), gpus=2)
    assert (told["device_map"], told["max_memory"]) == ("balanced", {0: 9, 1: 18})
    assert "device_map" not in placement.arguments("bfloat16", "auto", torch.device("cuda"), gpus=1)


@pytest.fixture
def spread(tiny_model, monkeypatch):
    """Loads a model as accelerate spreads it over devices, which are all the CPU here."""

    def load(how="float32"):
        from accelerate import dispatch_model

        model = registry.load(tiny_model(), how, 1)
        places = {name: "cpu" for name, _ in model.network.named_children()}
        dispatch_model(model.network, places, main_device="cpu", force_hooks=True)
        assert hasattr(model.network.lm_head, "_hf_hook")
        return model

    return load


@pytest.mark.parametrize("how", ["float32", "bfloat16"])
def test_a_model_that_accelerate_spreads_gives_the_same_numbers(spread, tiny_model, how):
    np.testing.assert_array_equal(answers(spread(how)), answers(registry.load(tiny_model(), how, 1)))


def test_an_adapter_of_a_model_that_accelerate_spreads_is_the_same(spread, tiny_model, tmp_path):
    few = RECIPE.model_copy(update={"epochs": 2, "learning_rate": 1e-4})
    alone, apart = registry.load(tiny_model(), "float32", 1), spread()
    curves = [trained(model, tmp_path / str(i), few).curve for i, model in enumerate((alone, apart))]
    np.testing.assert_allclose(curves[0]["loss"], curves[1]["loss"], rtol=1e-6)
    np.testing.assert_allclose(curves[0]["grad_norm"], curves[1]["grad_norm"], rtol=1e-5)


def test_weights_left_outside_the_gpus_are_refused(tiny_model):
    model = registry.load(tiny_model(), "float32", 1)
    model.network.hf_device_map = {"model": 0, "lm_head": "disk"}
    with pytest.raises(InputError, match=r"does not fit the memory.*raise the model's resources\.gpu"):
        placement.settle(model.network, tiny_model())


def test_4_bits_on_the_cpu_are_refused_by_the_configuration():
    entry = {"source": "hub", "id": "a/b", "load": "4bit"}
    config = {
        "experiment": "x",
        "grid": {"models": ["m"], "recipes": ["r"]},
        "dataset": {"origin": {"source": "s-medqa"}},
        "models": {"m": entry},
        "recipes": {"r": {"loss": "full"}},
    }
    with pytest.raises(InputError, match=r"models\.m: load: 4bit needs a GPU: set resources\.gpu: 1"):
        settings.load(config)
    entry["resources"] = {"gpu": 1}
    assert settings.load(config).models["m"].load == "4bit"


def test_a_tokenizer_that_is_there_is_not_loaded_again(tiny_model):
    tokenizer = registry.load_tokenizer(tiny_model())
    assert registry.load(tiny_model(), "float32", tokenizer=tokenizer).tokenizer is tokenizer
