"""LoRA layers for scoring: computed in the base model's number type, and added to its output in place.

PEFT keeps adapters in float32 and converts each layer's input and output. Merged into bfloat16 weights, an adapter
would lose whatever is smaller than half a step of the weight it changes, which is most of a short fine-tuning; so the
base weights stay as they are.
"""

from typing import Any

import torch

from . import placement


class AdaptedLinear(torch.nn.Module):
    """A linear layer and a low-rank update of it: ``x W' + b + x A' B'``, the scaling in ``B``."""

    def __init__(self, base: torch.nn.Linear, down: torch.Tensor, up: torch.Tensor, dtype: torch.dtype) -> None:
        """Take over ``base``, and ``down`` (rank, inputs) and ``up`` (outputs, rank) in a number type, its input's."""
        super().__init__()
        self.base = base
        self.register_buffer("down", down.to(base.weight.device, dtype), persistent=False)
        self.register_buffer("up", up.to(base.weight.device, dtype).T.contiguous(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The layer's output; no gradient flows through it."""
        output = self.base(x)
        low = torch.nn.functional.linear(x, self.down)  # type: ignore[arg-type]
        output.view(-1, output.shape[-1]).addmm_(low.view(-1, low.shape[-1]), self.up)  # type: ignore[arg-type]
        return output


def simplify(network: Any) -> int:
    """Put `AdaptedLinear` in the place of each plain LoRA layer of a PEFT model; returns how many. Others stay."""
    from peft.tuners.lora import LoraLayer

    found: list[tuple[str, Any]] = [
        (name, module) for name, module in network.named_modules() if isinstance(module, LoraLayer) and _plain(module)
    ]
    for name, module in found:
        parent, _, child = name.rpartition(".")
        adapter, base = module.active_adapters[0], module.base_layer
        up = module.lora_B[adapter].weight.detach() * module.scaling[adapter]
        setattr(
            network.get_submodule(parent),
            child,
            # Weights of 4 bits are no numbers to compute in.
            AdaptedLinear(base, module.lora_A[adapter].weight.detach(), up, network.dtype),
        )
    return len(found)


def restore(network: Any) -> Any:
    """The base model under an adapter that `simplify` went through, as it was before; None if PEFT's layers remain."""
    base = network.get_base_model()
    for name, module in [(n, m) for n, m in base.named_modules() if isinstance(m, AdaptedLinear)]:
        parent, _, child = name.rpartition(".")
        setattr(base.get_submodule(parent), child, module.base)
    if any(type(module).__module__.startswith("peft.") for module in base.modules()):
        return None
    # PEFT would warn that the next adapter is a second one.
    del base.peft_config
    return base


def _plain(module: Any) -> bool:
    """Whether a LoRA layer is a linear layer and one low-rank update, without bias, magnitude or merged weights."""
    adapters = module.active_adapters
    return bool(
        (type(module.base_layer) is torch.nn.Linear or placement.is_4bit(module.base_layer))
        and not module.merged
        and not module.disable_adapters
        and len(adapters) == 1
        and adapters[0] in module.lora_A
        and adapters[0] not in module.lora_variant
        and module.lora_A[adapters[0]].bias is None
        and module.lora_B[adapters[0]].bias is None
        and not module.fan_in_fan_out
    )
