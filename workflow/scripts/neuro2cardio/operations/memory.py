"""The memory that a job needs at its peak on a GPU: to fine-tune an adapter, and to score a test set."""

from dataclasses import dataclass
import json
from math import prod
from pathlib import Path
from typing import Any

from safetensors import safe_open

from ..config.models import Load, Model
from ..config.recipes import Recipe
from ..core.errors import InputError
from ..models import model_files

WEIGHT_BYTES = {"auto": 2, "bfloat16": 2, "float32": 4}
"""Bytes in memory per parameter of a model on a GPU, by its `load`; `auto` is bfloat16 on GPUs that compute in it."""

QUANTIZED_BYTES = (4 + 0.127) / 8
"""Of a parameter that `load: 4bit` quantizes, its share of the scales included (Dettmers et al. 2023, section 3)."""

ACTIVATION_BYTES = 34
"""A layer's, per token and unit of width, in 16 bits (Korthikanti et al. 2022, eq. 2, without attention scores)."""

TRAINING_BYTES = 48
"""Likewise, kept for the backward pass: with norms in float32 and adapters, as measured (benchmarks/memory.py)."""

QUESTIONS_AT_ONCE, GPU_BATCH_TOKENS = 16, 16_384
"""How much `models.scoring` and `models.logprobs` compute in one pass. A test holds them equal."""

LOSS_BYTES = 2**27
"""Twice the logits that `models.packed_loss` holds at once."""

HEAD_ROWS = 4096
"""Rows of the head that `models.output_head` converts to float32 at once. A test holds it equal."""

_CHANGES_LOGITS = ("final_logit_softcapping", "logit_scale", "logits_scaling")
"""Keys of a configuration by which logits are capped or scaled."""

TERMS = 0.5
"""Share of a stem's tokens that belong to a term or its placebo, an upper estimate."""


@dataclass(frozen=True)
class Size:
    """The dimensions of a model that determine its cost."""

    parameters: float
    lora_per_rank: float
    """Parameters of a rank-1 adapter on all linear layers: the sum of their inputs and outputs."""
    basis: str
    quantized: float = 0.9
    """Share of the parameters that `load: 4bit` quantizes: linear layers, without the head."""
    width: float = 4096
    kept: float = 2 * 1024 * 32
    """Numbers of keys and values that a token leaves in all layers."""
    vocabulary: float = 128_000
    changes_logits: bool = False
    """Whether logits are capped or scaled after the head: those of the whole vocabulary are then made at once."""


def model_size(model: Model, record: Path) -> Size:
    """Size of a model: from its weights if they were downloaded, otherwise from the registry's ``parameters``.

    ``record`` is the file that `fetch_model` writes. Raises `InputError` if neither is available.
    """
    if record.is_file():
        return measured_size(record.parent / json.loads(record.read_text(encoding="utf-8"))["location"])
    billions = model.resources.parameters
    if billions is None:
        raise InputError(f"a plan needs a model's size: set resources.parameters, or fetch the model ({record})")
    # 0.65 N^(2/3) is right for Llama 3 8B (2.6 million), and within a factor of two for small and deep models.
    per_rank = 0.65 * (billions * 1e9) ** (2 / 3)
    # Width times layers is a twentieth of it, and grows with N^(2/3); keys and values are a quarter of the width.
    width = 4096 * (billions / 8) ** (1 / 3)
    return Size(billions * 1e9, per_rank, "parameters in the registry", width=width, kept=2 / 4 * per_rank / 20)


def weight_bytes(model: Size, load: Load) -> float:
    """Memory of a model's weights as they are loaded."""
    if load != "4bit":
        return WEIGHT_BYTES[load] * model.parameters
    return model.parameters * (model.quantized * QUANTIZED_BYTES + (1 - model.quantized) * WEIGHT_BYTES["auto"])


def training_bytes(model: Size, recipe: Recipe, tokens: float, load: Load = "auto") -> float:
    """Peak memory of one training job whose questions have so many tokens.

    Weights as they are loaded; adapter, its gradient and Adam's two moments in float32; activations of one
    micro-batch, which every layer keeps; width x layers is a twentieth of `lora_per_rank` in models shaped like Llama.
    With gradient checkpointing each layer keeps its input, 2 bytes, and one of about 30 layers at a time the rest.
    Logits of a part of the labels, and what they become, are 128 MB.
    """
    kept = 2 + TRAINING_BYTES / 30 if recipe.gradient_checkpointing else TRAINING_BYTES
    number = WEIGHT_BYTES["float32" if load == "float32" else "auto"] / WEIGHT_BYTES["auto"]
    activations = number * kept / 20 * model.lora_per_rank * tokens * recipe.micro_batch_size
    return weight_bytes(model, load) + 16 * recipe.rank * model.lora_per_rank + activations + LOSS_BYTES


def scoring_bytes(model: Size, load: Load, tokens: float, read: float) -> float:
    """Peak memory of one scoring job whose passes have so many tokens, of which so many are read.

    Weights as they are loaded; keys and values of all layers, which runs of a pass see of those before them; the
    activations of one layer; float32 logits of the tokens read, of two parts of the vocabulary, or of the whole and
    their exponentials, beside rows of the head in float32.
    """
    number = WEIGHT_BYTES["float32" if load == "float32" else "auto"]
    layer = number / WEIGHT_BYTES["auto"] * ACTIVATION_BYTES * model.width * tokens
    rows = min(HEAD_ROWS, model.vocabulary)
    head = 4 * model.width * rows if number == WEIGHT_BYTES["auto"] else 0
    logits = 2 * 4 * read * (model.vocabulary if model.changes_logits else rows)
    return weight_bytes(model, load) + number * model.kept * tokens + max(layer, head + logits)


def measured_size(folder: Path) -> Size:
    """The size of a model whose files are there: matrices from its weights, the rest from its configuration."""
    shapes = [found for file in model_files.weights(folder) for found in _shapes(file)]
    linear = [shape for name, shape in shapes if _is_linear(name, shape)]
    parameters = sum(prod(shape) for _, shape in shapes)
    per_rank, share = sum(map(sum, linear)), sum(map(prod, linear)) / parameters
    said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    said = said.get("text_config") or said

    def first(*keys: str, otherwise: Any) -> Any:
        return next((said[key] for key in keys if said.get(key)), otherwise)

    width = first("hidden_size", "n_embd", "d_model", otherwise=4096)
    layers = first("num_hidden_layers", "n_layer", "n_layers", otherwise=max(1, per_rank // (20 * width)))
    heads = first("num_attention_heads", "n_head", "n_heads", otherwise=1)
    kept = 2 * layers * first("num_key_value_heads", otherwise=heads) * first("head_dim", otherwise=width // heads)
    vocabulary = first("vocab_size", otherwise=128_000)
    changes = first(*_CHANGES_LOGITS, otherwise=None) is not None
    return Size(parameters, per_rank, "its weights", share, width, kept, vocabulary, changes)


def _shapes(file: Path) -> list[tuple[str, list[int]]]:
    with safe_open(file, framework="np") as weights:
        names = list(weights.keys())
        return [(name, weights.get_slice(name).get_shape()) for name in names]


def _is_linear(name: str, shape: list[int]) -> bool:
    """Whether peft's `all-linear` adapts it: every matrix but the vocabulary's."""
    return len(shape) == 2 and "embed" not in name and "head" not in name
