"""Fast equals naive for every architecture that is computed in batches; recurrent ones are computed alone."""

from types import SimpleNamespace

import numpy as np
import pytest
from tiny_architectures import network

from neuro2cardio.models import attention, logprobs
from neuro2cardio.models.attention import Path
from neuro2cardio.models.logprobs import Query, Reading
from neuro2cardio.models.registry import LoadedModel

ATTENTION = [
    "llama",
    "mistral",
    "mixtral",
    "ministral",
    "qwen2",
    "qwen2_moe",
    "qwen3",
    "qwen3_moe",
    "gemma",
    "gemma2",
    "gemma3_text",
    "phi",
    "phi3",
    "phimoe",
    "gpt2",
    "gpt_neo",
    "gptj",
    "gpt_neox",
    "gpt_oss",
    "gpt_bigcode",
    "opt",
    "bloom",
    "mpt",
    "codegen",
    "falcon",
    "stablelm",
    "olmo",
    "olmo2",
    "olmo3",
    "olmoe",
    "granite",
    "granitemoe",
    "cohere",
    "cohere2",
    "starcoder2",
    "smollm3",
    "deepseek_v2",
    "deepseek_v3",
    "glm",
    "glm4",
    "exaone4",
    "nemotron",
    "llama4_text",
    "helium",
    "ernie4_5",
]
RECURRENT = [
    "mamba",
    "mamba2",
    "falcon_mamba",
    "jamba",
    "bamba",
    "granitemoehybrid",
    "qwen3_next",
    "lfm2",
    "olmo_hybrid",
    "minimax",
    "rwkv",
]
WINDOWED = [
    "gpt_neo",
    "mistral",
    "mixtral",
    "ministral",
    "gemma2",
    "gemma3_text",
    "phi3",
    "phimoe",
    "gpt_oss",
    "olmo3",
    "cohere2",
    "starcoder2",
    "exaone4",
]
SHORT, LONG = [(12, (3, 5)), (7, (2, 9)), (18, (4, 4))], [(60, (3, 20)), (20, (40, 9))]


def loaded(name: str) -> LoadedModel:
    import torch

    return LoadedModel(network(name), SimpleNamespace(eos_token_id=2), torch.device("cpu"))


def groups(shape) -> list[list[Query]]:
    """Sequences that share their start: one reading within it, one behind the end."""
    draw = np.random.default_rng(0)
    made = []
    for start, rests in shape:
        shared = tuple(draw.integers(3, 110, start).tolist())
        ids = [(*shared, 3 + i, *draw.integers(3, 110, rest - 1).tolist()) for i, rest in enumerate(rests)]
        made.append([Query(i, (Reading(start // 2, (5,)), Reading(len(i), (5, 6, 7)))) for i in ids])
    return made


@pytest.mark.parametrize("shape", [SHORT, LONG], ids=["short", "long"])
@pytest.mark.parametrize("name", ATTENTION)
def test_fast_equals_naive(name, shape):
    model, asked = loaded(name), groups(shape)
    for queries, found in zip(asked, logprobs.read(model, asked), strict=True):
        for query, values in zip(queries, found, strict=True):
            for fast, naive in zip(values, logprobs.read_naive(model, query), strict=True):
                np.testing.assert_allclose(fast, naive, atol=1e-4)


@pytest.mark.parametrize("name", ATTENTION)
def test_generated_texts_equal_naive_ones(name):
    model = loaded(name)
    prompts = [[query.ids for query in group] for group in groups(SHORT[:2])]
    texts = logprobs.generate(model, prompts, 3)
    assert texts == [[logprobs.generate_naive(model, prompt, 3) for prompt in group] for group in prompts]


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_layers_are_computed_one_sequence_at_a_time(name):
    model, asked = loaded(name), groups(SHORT[:1])
    assert attention.path(model.network, 20) is Path.NAIVE
    assert np.isfinite(np.concatenate([v for values in logprobs.read(model, asked)[0] for v in values])).all()


@pytest.mark.parametrize("name", [name for name in ATTENTION if name != "mpt"])
def test_a_window_matters_only_where_a_sequence_is_longer(name):
    assert attention.path(network(name), 32) is Path.TOGETHER
    longer = {"llama4_text": Path.NAIVE, **dict.fromkeys(WINDOWED, Path.ALONE)}
    assert attention.path(network(name), 33) is longer.get(name, Path.TOGETHER)


def test_the_text_part_of_a_configuration_is_looked_at():
    from transformers import Gemma3Config

    config = Gemma3Config(text_config={"num_hidden_layers": 2, "sliding_window": 32})
    assert attention.path(SimpleNamespace(config=config), 33) is Path.ALONE
    assert attention.path(SimpleNamespace(config=config), 32) is Path.TOGETHER
