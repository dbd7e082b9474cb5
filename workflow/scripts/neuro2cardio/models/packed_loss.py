"""Training loss of packed sequences: nothing is padded, and the logits of all labels never exist at once."""

from collections.abc import Sequence
from typing import Any

import torch

from . import output_head, packed
from .packed import Ids
from .registry import LoadedModel

_LOGITS = 2**24
"""Logits in memory at once: 64 MB in float32."""


def can_pack(model: LoadedModel) -> bool:
    """Whether `summed` gives the loss of the network's own forward pass. Ask before an adapter is put on."""
    return packed.can_pack(model) and output_head.is_plain(model.network)


def summed(model: LoadedModel, sequences: Sequence[Ids], labels: Sequence[Ids], ignored: int) -> torch.Tensor:
    """Cross-entropy summed over the labels of sequences, in nats; what sequences start with alike is computed once.

    Args:
        model: A model that `can_pack`, an adapter put on or not; its head gets no gradient.
        sequences: Token ids.
        labels: Of each sequence as many labels; the first of each is ``ignored``.
        ignored: The label of tokens that are not learned.
    """
    tree = packed.tree(sequences)
    places, wanted = [], []
    for leaf, row in zip(tree.leaves, labels, strict=True):
        branch = leaf.branch
        for at, label in enumerate(row):
            if label != ignored:
                places.append((packed.run_at(branch, at - 1), at - 1))
                wanted.append(label)
    hidden = packed.compute(model, tree.runs, places, forward=output_head.hidden_states)
    return of_hidden_states(model, hidden, packed.on_device(torch.tensor(wanted), hidden.device))


def of_hidden_states(model: LoadedModel, hidden: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Summed cross-entropy of (n, hidden) states, as they enter a plain head, against (n,) labels, in nats."""
    head = output_head.head_of(model.network)
    # The layers of a model on several devices end on another one than they began.
    hidden, labels = hidden.to(head.weight.device), labels.to(head.weight.device)
    loss: torch.Tensor = _HeadLoss.apply(hidden, head.weight, head.bias, labels)  # type: ignore[no-untyped-call]
    return loss


class _HeadLoss(torch.autograd.Function):
    """Cross-entropy of a linear head, a few rows at a time; their gradient is taken before the next rows' logits."""

    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, labels: torch.Tensor
    ) -> torch.Tensor:
        """Sum over rows of (n, hidden) ``hidden``; the gradient for the frozen ``weight`` and ``bias`` is not made."""
        gradient = torch.empty_like(hidden)
        total = hidden.new_zeros((), dtype=torch.float32)
        size = max(1, _LOGITS // weight.shape[0])
        with torch.autocast(hidden.device.type, enabled=False):
            for start in range(0, len(labels), size):
                part = slice(start, start + size)
                rows = hidden[part].to(weight.dtype)
                logits = torch.nn.functional.linear(rows, weight, bias).float()
                right = labels[part, None]
                # In place from here on: the logits become probabilities, and these the gradient.
                highest, of_labels = logits.amax(-1, keepdim=True), logits.gather(1, right)
                summed = logits.sub_(highest).exp_().sum(-1, keepdim=True)
                total += (highest + summed.log() - of_labels).sum()
                logits.div_(summed)
                logits.scatter_add_(1, right, torch.full_like(right, -1, dtype=logits.dtype))
                gradient[part] = (logits.to(weight.dtype) @ weight).to(gradient.dtype)
        ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, *outputs: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """The gradient for ``hidden`` alone."""
        (gradient,) = ctx.saved_tensors
        return gradient * outputs[0].to(gradient.dtype), None, None, None
