"""What makes a model unusable here, found without reading its weights, before any GPU is used."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal

from ..core.errors import InputError
from . import attention, lora_targets, model_config, registry
from .prompting import Prompter


def check_model(
    folder: Path,
    recipes: Mapping[str, Literal["all-linear"] | list[str]],
    prompter: Prompter,
    checkpointing: Collection[str] = (),
) -> dict[str, Any]:
    """Check weights, tokenizer and LoRA targets (by recipe) of a model's folder, without reading any weight.

    ``checkpointing`` has the recipes with gradient checkpointing, which not every architecture supports.
    Returns the architecture, how it is scored, and the parameters of an adapter of rank 1 by recipe. Raises
    `InputError` for what would fail, or be wrong in silence, later.
    """
    config = model_config.check_config(folder)
    network = registry.outline(folder)
    rows = network.get_input_embeddings().weight.shape[0]
    beyond = sorted((i, t) for t, i in prompter.tokenizer.get_vocab().items() if i >= rows)
    if beyond:
        raise InputError(
            f"{folder}: its tokenizer is larger than its embedding: {len(beyond)} tokens from {beyond[0][1]!r} "
            f"({beyond[0][0]}) on have none of its {rows} rows; take the tokenizer that belongs to the weights"
        )
    for name in checkpointing:
        if not network.supports_gradient_checkpointing:
            raise InputError(
                f"recipes.{name}.gradient_checkpointing: {type(network).__name__} has none in transformers; set it to "
                "false"
            )
    adapted = {}
    for name, targets in recipes.items():
        try:
            adapted[name] = _adapted(network, lora_targets.resolve(network, targets))
        except InputError as error:
            raise InputError(f"recipes.{name}.{error}") from None
    return {
        "architecture": type(network).__name__,
        "model_type": config.model_type,
        "scored": attention.path(network, prompter.window).value,
        "adapter_parameters_per_rank": adapted,
    }


def _adapted(network: Any, targets: Literal["all-linear"] | list[str]) -> int:
    """Parameters of a rank-1 adapter: inputs and outputs of every module that it is put on."""
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=1, target_modules=targets, task_type="CAUSAL_LM")
    try:
        adapted = get_peft_model(network, config, low_cpu_mem_usage=True)
    except (ValueError, TypeError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"targets: peft can't adapt this model: {str(error).splitlines()[0]}") from error
    total = sum(weight.numel() for name, weight in adapted.named_parameters() if "lora_" in name)
    adapted.unload()
    return total
