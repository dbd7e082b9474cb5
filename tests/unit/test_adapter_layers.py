"""LoRA layers made for scoring give what PEFT's give."""

import copy
import dataclasses

import pytest
import torch

from neuro2cardio.models import adapter_layers, output_head, registry


def adapted(folder, dtype="float32", **more):
    """A PEFT model whose adapter is not zero, as training would leave it."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    network = get_peft_model(
        registry.load(folder, dtype).network,
        LoraConfig(r=3, target_modules="all-linear", task_type="CAUSAL_LM", **more),
    )
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if "lora_" in name:
                weight.normal_(0, 0.3)
    return network.eval()


IDS = torch.arange(3, 33).view(2, 15)


@pytest.mark.parametrize("architecture", ["llama", "gemma2"])
def test_simplified_layers_give_the_same_logits(tiny_model, architecture):
    network = adapted(tiny_model(architecture), lora_alpha=7, lora_dropout=0.1)
    with torch.inference_mode():
        expected = network(input_ids=IDS).logits
        assert adapter_layers.simplify(network) == 14
        found = network(input_ids=IDS).logits
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert output_head.can_isolate(network)


def gradients(network, autocast=False):
    """The logits, and the gradient of their mean for each matrix of the adapter."""
    network.zero_grad()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        logits = network(input_ids=IDS).logits
    logits.float().square().mean().backward()
    return logits.detach(), {n: w.grad.clone() for n, w in network.named_parameters() if w.grad is not None}


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "qwen2"])
def test_fused_layers_give_the_same_logits_and_gradients(tiny_model, architecture):
    network = adapted(tiny_model(architecture), lora_alpha=7).train()
    expected, of_peft = gradients(network)
    assert adapter_layers.fuse(network) == 14
    found, of_fused = gradients(network)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    assert of_fused.keys() == of_peft.keys() and len(of_peft) == 28
    for name, gradient in of_peft.items():
        assert (of_fused[name] - gradient).norm() < 1e-4 * gradient.norm(), name


def test_in_bfloat16_fused_layers_are_as_near_to_float32_as_peft(tiny_model):
    network = adapted(tiny_model(), "bfloat16", lora_alpha=7).train()
    _, exact = gradients(copy.deepcopy(network).float())

    def gap():
        _, found = gradients(network, autocast=True)
        return sum((found[name] - gradient).square().sum() for name, gradient in exact.items()).sqrt()

    of_peft = gap()
    adapter_layers.fuse(network)
    assert gap() < 1.2 * of_peft


def test_a_fused_layer_can_still_be_switched_off(tiny_model):
    network = adapted(tiny_model())
    adapter_layers.fuse(network)
    with torch.inference_mode(), network.disable_adapter():
        found = network(input_ids=IDS).logits
        torch.testing.assert_close(found, registry.load(tiny_model(), "float32").network(input_ids=IDS).logits)


@pytest.mark.parametrize("more", [{"use_dora": True}, {"lora_bias": True}, {"lora_dropout": 0.1}])
def test_layers_that_compute_something_else_are_not_fused(tiny_model, more):
    assert adapter_layers.fuse(adapted(tiny_model(), **more)) == 0


@pytest.mark.parametrize("more", [{"use_dora": True}, {"lora_bias": True}])
def test_other_kinds_of_adapters_are_left_to_peft(tiny_model, more):
    network = adapted(tiny_model(), **more)
    assert adapter_layers.simplify(network) == 0


def test_the_base_model_is_had_back_and_carries_the_next_adapter(tiny_model, tmp_path):
    from peft import PeftModel

    def with_adapter(base):
        network = PeftModel.from_pretrained(base.network, tmp_path, autocast_adapter_dtype=True).eval()
        adapter_layers.simplify(network)
        return dataclasses.replace(base, network=network)

    folder = tiny_model()
    adapted(folder).save_pretrained(tmp_path)
    base = registry.load(folder, "float32")
    with torch.inference_mode():
        bare = base.network(input_ids=IDS).logits
        expected = with_adapter(registry.load(folder, "float32")).network(input_ids=IDS).logits
        for _ in range(2):
            model = with_adapter(base)
            assert torch.equal(model.network(input_ids=IDS).logits, expected)
            base = registry.without_adapter(model)
            assert torch.equal(base.network(input_ids=IDS).logits, bare)


def test_a_base_model_under_other_kinds_of_adapters_is_loaded_anew(tiny_model):
    network = adapted(tiny_model(), use_dora=True)
    adapter_layers.simplify(network)
    assert adapter_layers.restore(network) is None


def test_base_weights_are_not_touched(tiny_model):
    before = {n: w.clone() for n, w in registry.load(tiny_model(), "float32").network.state_dict().items()}
    network = adapted(tiny_model())
    adapter_layers.simplify(network)
    after = network.state_dict()
    weight = "model.layers.0.mlp.up_proj"
    assert torch.equal(after[f"base_model.model.{weight}.base.weight"], before[f"{weight}.weight"])
