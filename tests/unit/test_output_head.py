"""Logits at chosen positions are the model's own, whatever its head and what it does with logits afterwards."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from neuro2cardio.models import output_head

LLAMA_LIKE = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
}
GPT_LIKE = {"n_embd": 32, "n_layer": 2, "n_head": 2}
ARCHITECTURES = {
    "llama": LLAMA_LIKE,
    "mistral": LLAMA_LIKE,
    "qwen2": LLAMA_LIKE,
    "qwen3": LLAMA_LIKE,
    "phi3": LLAMA_LIKE,
    "olmo2": LLAMA_LIKE,
    "smollm3": LLAMA_LIKE,
    # Soft-capped logits.
    "gemma2": {**LLAMA_LIKE, "head_dim": 16, "final_logit_softcapping": 20.0},
    "gemma3_text": {**LLAMA_LIKE, "head_dim": 16, "final_logit_softcapping": 0.5},
    # Scaled logits.
    "cohere": {**LLAMA_LIKE, "logit_scale": 0.0625},
    "cohere2": {**LLAMA_LIKE, "logit_scale": 0.0625},
    "granite": {**LLAMA_LIKE, "logits_scaling": 8.0},
    # A head with a bias.
    "phi": {**LLAMA_LIKE, "num_key_value_heads": 2},
    "gptj": {**GPT_LIKE, "rotary_dim": 8},
    "codegen": {"n_embd": 64, "n_layer": 2, "n_head": 4, "rotary_dim": 8},
    "gpt2": GPT_LIKE,
    "gpt_neox": {**LLAMA_LIKE, "num_key_value_heads": 2},
    "opt": {
        "hidden_size": 32,
        "ffn_dim": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "word_embed_proj_dim": 16,
    },
    "bloom": {"hidden_size": 32, "n_layer": 2, "n_head": 2},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 2},
    "mixtral": {**LLAMA_LIKE, "num_local_experts": 2},
}
IDS = torch.tensor([[5, 6, 7, 8, 9], [9, 8, 7, 6, 5]])
ROWS, COLUMNS = torch.tensor([0, 1, 1]), torch.tensor([4, 0, 3])


def network_of(architecture: str, dtype: torch.dtype = torch.float32):
    torch.manual_seed(0)
    ends = {"pad_token_id": None, "bos_token_id": 1, "eos_token_id": 2}
    config = AutoConfig.for_model(architecture, vocab_size=97, **ends, **ARCHITECTURES[architecture])
    network = AutoModelForCausalLM.from_config(config)
    head = network.get_output_embeddings()
    if head.bias is not None:
        torch.nn.init.normal_(head.bias)
    torch.nn.init.normal_(head.weight)
    return network.to(dtype).eval()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_selected_logits_are_the_networks_own(architecture):
    network = network_of(architecture)
    with torch.inference_mode():
        expected = network(input_ids=IDS).logits[ROWS, COLUMNS]
        _, logits = output_head.forward(network, ROWS, COLUMNS, input_ids=IDS)
    assert output_head.can_isolate(network)
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)
    assert "forward" not in vars(network.get_output_embeddings())


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "cohere", "phi"])
def test_in_bfloat16_logits_are_not_rounded(architecture):
    network = network_of(architecture, torch.bfloat16)
    with torch.inference_mode():
        rounded = network(input_ids=IDS).logits[ROWS, COLUMNS].float()
        _, logits = output_head.forward(network, ROWS, COLUMNS, input_ids=IDS)
    assert logits.dtype == torch.float32
    torch.testing.assert_close(logits, rounded, atol=0.02 * float(rounded.abs().max()), rtol=0)
    assert (logits != logits.bfloat16().float()).float().mean() > 0.9


def test_a_network_that_mixes_its_logits_is_read_from_all_of_them():
    network = network_of("llama")
    plain = network.forward

    def normalised(**inputs):
        out = plain(**inputs)
        # Depends on all positions: no part of them gives the same.
        out.logits = out.logits - out.logits.mean(dim=1, keepdim=True)
        return out

    network.forward = normalised
    with torch.inference_mode():
        expected = network(input_ids=IDS).logits[ROWS, COLUMNS]
        _, logits = output_head.forward(network, ROWS, COLUMNS, input_ids=IDS)
    assert not output_head.can_isolate(network)
    torch.testing.assert_close(logits, expected)


def test_no_position_gives_no_logits():
    none = torch.tensor([], dtype=torch.long)
    with torch.inference_mode():
        _, logits = output_head.forward(network_of("gemma2"), none, none, input_ids=IDS)
    assert logits.shape == (0, 97)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_head_is_plain_where_nothing_comes_after_it(architecture, dtype):
    changed = {"gemma2", "gemma3_text", "cohere", "cohere2", "granite"}
    assert output_head.is_plain(network_of(architecture, dtype)) is (architecture not in changed)


@pytest.mark.parametrize("cap", [30.0, 50.0])
def test_a_cap_that_small_logits_hardly_feel_is_found(cap):
    network = network_of("gemma2", torch.bfloat16)
    network.config.final_logit_softcapping = cap
    torch.nn.init.normal_(network.get_output_embeddings().weight, std=0.02)
    assert not output_head.is_plain(network)


@pytest.mark.parametrize("chunk", [10, 4096])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_log_probabilities_are_those_of_the_networks_own_logits(architecture, chunk, monkeypatch):
    monkeypatch.setattr(output_head, "_VOCABULARY_CHUNK", chunk)
    network = network_of(architecture)
    tokens = torch.tensor([[0, 96], [9, 10], [55, 55]])
    with torch.inference_mode():
        own = network(input_ids=IDS).logits[ROWS, COLUMNS]
        _, read = output_head.reader(network)(network, ROWS, COLUMNS, input_ids=IDS)
        torch.testing.assert_close(output_head.logits(network, read), own, atol=1e-5, rtol=1e-5)
        found = output_head.log_probabilities(network, read, tokens)
    torch.testing.assert_close(found, own.log_softmax(-1).gather(1, tokens), atol=1e-4, rtol=1e-5)


def test_many_places_have_their_log_probabilities_each():
    network = network_of("llama")
    hidden = torch.randn(70, 32)
    tokens = torch.randint(0, 97, (70, 3))
    with torch.inference_mode():
        own = output_head.logits(network, hidden)
        found = output_head.log_probabilities(network, hidden, tokens)
    torch.testing.assert_close(found, own.log_softmax(-1).gather(1, tokens))


@pytest.mark.parametrize(("gap", "same"), [(0.02, True), (0.2, False)])
def test_chance_moves_single_logits_and_an_error_moves_all(gap, same):
    torch.manual_seed(1)
    expected = torch.randn(3, 500)
    found = expected + gap * torch.randn(3, 500)
    found[0, 0] += 1.5
    assert output_head.close(found, expected, torch.bfloat16) is same
