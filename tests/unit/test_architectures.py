"""Fast equals naive for every architecture, packed or not; recurrent ones are computed one sequence at a time."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from tiny_architectures import network

from neuro2cardio.models import attention, logprobs, packed
from neuro2cardio.models.attention import Path
from neuro2cardio.models.logprobs import Continuation, Query, Readout
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
OWN_ATTENTION = {"gpt_neo", "gptj", "bloom", "mpt", "codegen", "falcon"}
"""Their attention doesn't go through the interface of transformers: computed one sequence at a time."""
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
        made.append([Query(i, (Readout(start // 2, (5,)), Readout(len(i), (5, 6, 7)))) for i in ids])
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
    model, continuation = loaded(name), Continuation(3)
    asked = [[replace(query, readings=(), continued=True) for query in group] for group in groups(SHORT[:2])]
    _, texts = logprobs.read_and_continue(model, asked, continuation)
    assert texts == [[logprobs.generate_naive(model, query.ids, continuation) for query in group] for group in asked]


@pytest.mark.parametrize("name", ATTENTION)
def test_what_the_configuration_promises_is_what_is_done(name):
    assert packed.can_pack(loaded(name)) == (name not in OWN_ATTENTION)
    assert (attention.path(network(name), 20) is Path.PACKED) == (name not in OWN_ATTENTION)


@pytest.mark.parametrize("name", RECURRENT)
def test_recurrent_layers_are_computed_one_sequence_at_a_time(name):
    model, asked = loaded(name), groups(SHORT[:1])
    assert attention.path(model.network, 20) is Path.ALONE
    assert np.isfinite(np.concatenate([v for values in logprobs.read(model, asked)[0] for v in values])).all()


def test_chunks_of_attention_matter_only_where_a_sequence_is_longer():
    assert attention.path(network("llama4_text"), 32) is Path.PACKED
    assert attention.path(network("llama4_text"), 33) is Path.ALONE
