"""A model that can't be used is refused in a sentence that names file, key and remedy, before a weight is read."""

import json
import shutil

import peft
import pytest
import safetensors.torch
from tiny_architectures import network
import tiny_models
import torch

from neuro2cardio.config.inference import Prompt
from neuro2cardio.config.models import ModelUsage, PathModel
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.core.errors import InputError
from neuro2cardio.models import fetching, fine_tuning, lora_targets, model_check, placement, prompting, registry


@pytest.fixture
def folder(tiny_model, tmp_path):
    """A copy of a model's folder that a test may change."""
    return shutil.copytree(tiny_model(), tmp_path / "model")


def change(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def check(folder, recipes=None):
    prompter = prompting.for_model(folder, ModelUsage(), Prompt())
    return model_check.check_model(folder, recipes or {"completion": "all-linear"}, prompter)


def test_a_model_that_can_be_used_is_described(folder):
    report = check(folder, {"all": "all-linear", "some": ["q_proj", "v_proj"]})
    assert report["architecture"] == "LlamaForCausalLM"
    assert report["scored"] == "many sequences in one pass, each token once"
    # Each of two layers: q 32+32, k and v 32+16, o 32+32; gate, up and down 32+64.
    assert report["adapter_parameters_per_rank"] == {"all": 2 * (64 + 48 + 48 + 64 + 3 * 96), "some": 2 * (64 + 48)}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"quantization_config": {"quant_method": "gptq", "bits": 4}},
            r"quantization_config .*gptq.* unquantized weights",
        ),
        ({"quantization_config": {"quant_method": "awq", "bits": 4}}, r"quantization_config .*awq"),
        ({"quantization_config": {"quant_method": "fp8"}}, r"quantization_config .*fp8"),
        ({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}, "is_encoder_decoder: t5 .*causal"),
        ({"model_type": "gemma3", "vision_config": {}, "text_config": {}}, "vision_config: gemma3 is a multimodal"),
        (
            {"model_type": "bert", "architectures": ["BertForMaskedLM"]},
            "architectures: BertForMaskedLM is not a causal",
        ),
        ({"model_type": "whisper"}, r"config\.json"),
        ({"num_attention_heads": 0}, r"config\.json can't be used: .*zero"),
        ({"hidden_size": "big"}, r"config\.json can't be used: .*hidden_size"),
        ({"max_position_embeddings": "many"}, r"config\.json can't be used: .*'max_position_embeddings': \w+"),
        ({"quantization_config": "gptq"}, r"config\.json can't be used"),
        ({"model_type": "unheard-of"}, r"config\.json.*unheard-of"),
        ({"model_type": "unheard-of", "auto_map": {"AutoConfig": "own.Own"}}, "auto_map .*never run"),
    ],
    ids=[
        "gptq",
        "awq",
        "fp8",
        "t5",
        "gemma3",
        "bert",
        "whisper",
        "heads",
        "size",
        "window",
        "words",
        "unknown",
        "code",
    ],
)
def test_models_of_other_kinds_are_refused_when_they_are_fetched(folder, tmp_path, values, said):
    change(folder / "config.json", **values)
    with pytest.raises(InputError, match=said):
        fetching.fetch(PathModel(source="path", path=folder), tmp_path / "fetched")
    assert not (tmp_path / "fetched/model.json").exists()


def test_a_tokenizer_that_is_missing_or_larger_than_the_embedding_is_refused(folder):
    words = tiny_models.tokenizer("byte-level", tiny_models.CHAT)
    words.add_tokens([f"<extra{i}>" for i in range(3)])
    words.save_pretrained(folder)
    with pytest.raises(
        InputError, match=r"larger than its embedding: 3 tokens from '<extra0>' .* belongs to the weights"
    ):
        check(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        check(folder)


def test_several_templates_without_a_default_are_named(folder):
    templates = [{"name": "rag", "template": "{{ messages }}"}, {"name": "tool_use", "template": "{{ messages }}"}]
    (folder / "chat_template.jinja").unlink()
    change(folder / "tokenizer_config.json", chat_template=templates)
    with pytest.raises(InputError, match=r"2 chat templates \(rag, tool_use\) and none is called default"):
        prompting.for_model(folder, ModelUsage(), Prompt()).show()


def test_tensors_of_another_shape_are_named_with_both_shapes(folder):
    change(folder / "config.json", intermediate_size=96)
    with pytest.raises(
        InputError, match=r"mismatched tensors: .*down_proj\.weight \(\(32, 64\) in the file, by its .*96"
    ):
        check(folder)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("model.safetensors", "version https://git-lfs.github.com/spec/v1\n", "pointer of Git LFS"),
        ("model.safetensors", "", r"model\.safetensors: damaged weights"),
        ("generation_config.json", "{", r"generation_config\.json is not JSON"),
        ("config.json", "null", r"config\.json holds no settings, only a NoneType"),
        ("tokenizer_config.json", "[]", r"tokenizer_config\.json holds no settings, only a list"),
    ],
)
def test_damaged_files_are_named(folder, tmp_path, name, content, said):
    (folder / name).write_text(content)
    with pytest.raises(InputError, match=said):
        fetching.fetch(PathModel(source="path", path=folder), tmp_path / "fetched")


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("config.json", {"pad_token_id": 99_999}, "the model can't be loaded: Padding_idx must be within"),
        ("config.json", {"hidden_act": "wobble"}, "the model can't be loaded: KeyError 'wobble'"),
        ("tokenizer.json", {"model": {}}, "its tokenizer can't be loaded"),
        ("tokenizer_config.json", {"chat_template": 7}, "chat_template is a int, not text; correct tokenizer_config"),
    ],
)
def test_settings_that_no_model_can_have_are_refused(folder, name, values, said):
    (folder / "chat_template.jinja").unlink()
    change(folder / name, **values)
    with pytest.raises(InputError, match=said):
        check(folder)
        prompting.for_model(folder, ModelUsage(), Prompt()).show()


def test_an_adapter_in_the_models_folder_is_never_put_on_in_silence(folder, tmp_path):
    network = registry.load(folder, "float32").network
    adapted = peft.get_peft_model(network, peft.LoraConfig(target_modules=["q_proj"], init_lora_weights=False))
    adapted.save_pretrained(folder)
    with pytest.raises(
        InputError, match=r"adapter_config\.json: an adapter lies in the model's folder.*merge_and_unload"
    ):
        fetching.fetch(PathModel(source="path", path=folder), tmp_path / "fetched")


@pytest.mark.parametrize("kind", ["int8", "float8_e4m3fn"])
def test_weights_that_are_quantized_without_a_word_are_refused(folder, tmp_path, kind):
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    name = "model.layers.0.mlp.up_proj.weight"
    weights[name] = weights[name].to(getattr(torch, kind))
    safetensors.torch.save_file(weights, folder / "model.safetensors")
    with pytest.raises(InputError, match=rf"{name} is stored as (I8|F8_E4M3), .* unquantized weights"):
        fetching.fetch(PathModel(source="path", path=folder), tmp_path / "fetched")


def test_a_model_whose_outputs_have_no_names_by_its_config_is_read(folder):
    ids = torch.arange(3, 9)[None]
    before = registry.load(folder, "float32").network(ids).logits
    change(folder / "config.json", return_dict=False)
    assert torch.equal(registry.load(folder, "float32").network(ids).logits, before)


def test_an_index_without_files_is_refused(folder, tmp_path):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {}}')
    with pytest.raises(InputError, match="weight_map names no file"):
        fetching.fetch(PathModel(source="path", path=folder), tmp_path / "fetched")


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (["q_proj", "v_porj"], r"recipes\.mine\.targets: no module .* 'v_porj'; did you mean 'v_proj'\?"),
        (["c_attn"], r"recipes\.mine\.targets: no module .* 'c_attn'"),
    ],
)
def test_lora_targets_of_which_one_or_all_match_nothing_are_refused(folder, targets, said):
    with pytest.raises(InputError, match=said):
        check(folder, {"mine": targets})


@pytest.mark.parametrize("name", ["mixtral", "qwen2_moe", "qwen3_moe", "olmoe", "phimoe", "deepseek_v3", "llama4_text"])
def test_all_linear_leaves_the_routers_of_experts_alone(name):
    import copy

    from peft import LoraConfig, get_peft_model

    made = copy.deepcopy(network(name))
    targets = lora_targets.resolve(made, "all-linear")
    adapted = get_peft_model(made, LoraConfig(r=2, target_modules=targets, task_type="CAUSAL_LM"))
    on = {key.rpartition(".")[2] for key, module in adapted.named_modules() if hasattr(module, "lora_A")}
    assert "o_proj" in on
    assert not on & {"gate", "router", "shared_expert_gate", "lm_head"}


@pytest.mark.parametrize("name", ["mamba", "gpt2", "lfm2"])
def test_all_linear_fits_architectures_that_are_not_llamas(name, tmp_path):
    recipe = Recipe(loss="completion", rank=2, epochs=1, batch_size=1, micro_batch_size=1)
    assert fine_tuning._lora(recipe, network(name)).target_modules


def test_a_target_that_matches_nothing_never_trains(tiny_model, tmp_path):
    model = registry.load(tiny_model(), "float32", 1)
    recipe = Recipe(loss="completion", targets=["q_proj", "v_porj"], batch_size=1, micro_batch_size=1)
    with pytest.raises(InputError, match="v_porj"):
        fine_tuning.train(model, [fine_tuning.Example((1, 2), (-100, 2))], recipe, 1, tmp_path, show=False)


def test_gradient_checkpointing_of_a_model_that_has_none_is_refused(folder, monkeypatch):
    from transformers import LlamaForCausalLM

    prompter = prompting.for_model(folder, ModelUsage(), Prompt())
    monkeypatch.setattr(LlamaForCausalLM, "supports_gradient_checkpointing", False)
    with pytest.raises(InputError, match=r"recipes\.small\.gradient_checkpointing: LlamaForCausalLM has none"):
        model_check.check_model(folder, {"small": "all-linear"}, prompter, checkpointing=["small"])


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_attention_is_computed_as_the_config_says(folder, attention):
    model = registry.load(folder, "float32", 1, attention)
    assert model.network.config._attn_implementation == attention


def test_flash_attention_that_is_not_installed_is_refused_in_a_sentence(folder, monkeypatch):
    monkeypatch.setattr(placement, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="attention: flash needs the package flash-attn"):
        registry.load(folder, "float32", 1, "flash")
