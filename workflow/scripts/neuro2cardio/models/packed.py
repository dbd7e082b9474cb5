"""Many sequences in one forward pass, each token once: shared starts are computed once, and nothing is padded.

Sequences that start alike form a tree of runs of tokens. The runs of a pass stand one after the other in a single row;
all layers but attention treat a token by itself, and attention is called for a run, or a bundle of short ones, with the
keys and values of the runs before it on its own branch. The model's own attention function does the rest, so
soft-capping, sinks and sliding windows are as the model has them.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
import sys
from typing import Any
from weakref import WeakKeyDictionary

import torch
from transformers import AttentionInterface

from ..core.errors import out_of_memory
from . import attention, output_head
from .registry import LoadedModel

Ids = tuple[int, ...]
_NAME = "neuro2cardio_packed"
_EAGER = "eager_attention_forward"
"""The name of plain attention in the library's modules."""
_WEIGHTS = range(2**11, 2**20)
"""Attention weights of a head for which plain attention is the faster one, and not too large."""
_WEIGHTS_KEPT = range(2**17)
"""Likewise, where the backward pass needs them again."""
_CALL = 2**12
"""Attention weights of a head that take as long as one more call of attention."""
_START = "The heart pumps blood through the body. Which of these carries it back?"
SAVED_TOKENS = 8
"""Tokens that a shared run must save: one more run costs as much time as computing a few tokens."""
_Kept = dict[Any, list[tuple[torch.Tensor, torch.Tensor]]]
"""Keys and values of each run of a pass, by attention module."""
Forward = Callable[..., tuple[Any, torch.Tensor]]
_CAN_PACK: WeakKeyDictionary[torch.nn.Module, bool] = WeakKeyDictionary()


@dataclass(eq=False)
class Run:
    """Tokens that follow each other on one branch of the tree, behind the runs of ``parent``."""

    ids: Ids
    parent: "Run | None" = None
    first: int = field(init=False)
    """Position of its first token in the whole sequence."""
    index: int = field(init=False, default=0)
    """Which run of its pass it is."""
    column: int = field(init=False, default=0)
    """Where it stands in the row of its pass."""
    kept: "_Kept | None" = field(init=False, default=None)
    """Keys and values of all runs of its pass, where later passes build upon it."""

    def __post_init__(self) -> None:
        self.first = self.parent.first + len(self.parent.ids) if self.parent else 0

    @property
    def branch(self) -> "list[Run]":
        """The runs from the start of the sequence to this one."""
        return [*(self.parent.branch if self.parent else []), self]

    @property
    def end(self) -> int:
        """Tokens of the sequence up to the end of this run."""
        return self.first + len(self.ids)


@dataclass(frozen=True)
class Tree:
    """Sequences as runs. ``leaves`` has the last run of each sequence, in the order of the sequences."""

    runs: list[Run]
    leaves: list[Run]

    @property
    def tokens(self) -> int:
        """Tokens to compute."""
        return sum(len(run.ids) for run in self.runs)


def tree(sequences: Sequence[Ids], root: Run | None = None) -> Tree:
    """Runs of sequences that share what they start with, where sharing saves more than it costs.

    Sequences that start with the whole branch of ``root``, computed before, go on behind it.
    """
    head = tuple(i for run in root.branch for i in run.ids) if root else ()
    runs: list[Run] = []
    leaves: dict[int, Run] = {}

    def grow(members: list[int], parent: Run | None, start: int, agreed: int) -> None:
        """``members`` are alike up to ``agreed``; their tokens from ``start`` on belong to no run yet."""
        end = agreed + shared([sequences[m][agreed:] for m in members])
        if len(members) == 1 or (end - start) * (len(members) - 1) >= SAVED_TOKENS:
            ids = sequences[members[0]][start:end]
            if ids or parent is None:
                parent = Run(ids, parent)
                runs.append(parent)
            start = end
        if len(members) == 1:
            assert parent is not None
            leaves[members[0]] = parent
            return
        branches: dict[int | None, list[int]] = {}
        for m in members:
            branches.setdefault(sequences[m][end] if end < len(sequences[m]) else None, []).append(m)
        if len(branches) == 1 and None in branches:
            # The same sequence several times.
            grow(members[:1], parent, start, end)
            leaves.update(dict.fromkeys(members, leaves[members[0]]))
            return
        for branch in branches.values():
            grow(branch, parent, start, end)

    below = [i for i, ids in enumerate(sequences) if root and ids[: len(head)] == head]
    others = [i for i in range(len(sequences)) if i not in set(below)]
    for members, parent, start in ((below, root, len(head)), (others, None, 0)):
        if members:
            grow(members, parent, start, start)
    return Tree(runs, [leaves[i] for i in range(len(sequences))])


def shared(rows: Sequence[Ids]) -> int:
    """How many tokens all rows start with."""
    first, last = min(rows), max(rows)
    shorter = min(len(first), len(last))
    return next((i for i in range(shorter) if first[i] != last[i]), shorter)


def run_at(branch: Sequence[Run], at: int) -> Run:
    """The run of a branch that holds the token at a position."""
    return next(run for run in branch if run.first <= at < run.end)


def compute(
    model: LoadedModel,
    runs: Sequence[Run],
    places: Sequence[tuple[Run, int]],
    keep: bool = False,
    forward: Forward = output_head.forward,
) -> torch.Tensor:
    """One forward pass over ``runs``, whose parents are among them, before them, or were kept.

    Args:
        model: A model that `can_pack`.
        runs: What to compute.
        places: Where to read logits: a run of this pass, and the position of a token in its sequence.
        keep: Keep keys and values, so that later passes can go on behind these runs.
        forward: What to read at the places: logits, or `output_head.hidden_states`.

    Returns:
        (places, vocabulary) float32 logits for the token that follows each place; or (places, hidden) hidden states.
    """
    column = 0
    kept: _Kept = {}
    for index, run in enumerate(runs):
        run.index, run.column, run.kept = index, column, kept
        column += len(run.ids)
    ids = on_device(torch.tensor([[i for run in runs for i in run.ids]]), model.device)
    positions = on_device(torch.tensor([[p for run in runs for p in range(run.first, run.end)]]), model.device)
    columns = torch.tensor([run.column + at - run.first for run, at in places], dtype=torch.long)
    columns = on_device(columns, model.device)
    # Tried before the network's attention is replaced.
    output_head.can_isolate(model.network)
    with _packed(model.network, _Layout(runs, kept, _bundles(runs, _call(model)))):
        _, read = forward(
            model.network, torch.zeros_like(columns), columns, input_ids=ids, position_ids=positions, use_cache=False
        )
    if not keep:
        kept.clear()
    return read


def on_device(made: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor that was made in main memory, on a device; a GPU copies it from pinned memory, and nothing waits."""
    return made.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else made.to(device)


def can_pack(model: LoadedModel) -> bool:
    """Whether packed sequences get the logits that the network gives them alone; tried once per network.

    Recurrent layers and attention that doesn't go through the library's attention interface can't.
    """
    if model.network not in _CAN_PACK:
        _CAN_PACK[model.network] = _try(model)
        if not _CAN_PACK[model.network]:
            print("sequences of this model are computed one at a time, which is slower: it can't pack them", flush=True)
    return _CAN_PACK[model.network]


def _try(model: LoadedModel) -> bool:
    implementation = model.network.config.get_text_config()._attn_implementation
    if implementation not in ("sdpa", "eager") or attention.path(model.network, 1) is attention.Path.ALONE:
        return False
    sequences = _trial(model)
    planned = tree(sequences)
    try:
        with torch.inference_mode():
            alone = [model.network(torch.tensor([s], device=model.device)).logits[0, -1] for s in sequences]
            places = [(leaf, leaf.end - 1) for leaf in planned.leaves]
            packed = compute(model, planned.runs, places)
    except (RuntimeError, ValueError, TypeError, IndexError, AttributeError, KeyError) as error:
        if out_of_memory(error):
            raise
        return False
    return output_head.close(packed, torch.stack(alone).float(), model.network.dtype)


def _trial(model: LoadedModel) -> list[Ids]:
    """Sequences that share a start, and two of them more: plain text, or tokens from the middle of the vocabulary.

    Control tokens, often the first of a vocabulary, were never trained in a row: in bfloat16, rounding alone then moves
    logits by as much as a wrong layout would.
    """
    if callable(model.tokenizer):
        texts = [_START + more for more in (" The veins of the leg", " The veins", " An old tree")]
        found = [tuple(model.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
        if min(map(len, found)) > SAVED_TOKENS:
            return found
    embeddings: Any = model.network.get_input_embeddings()
    size = embeddings.weight.shape[0]
    start, more = (tuple((size // 3 + step * i) % size for i in range(16)) for step in (3, 5))
    return [(*start, *more[:4]), (*start, *more[:2]), (*start, *more[4:])]


@dataclass(eq=False)
class _Bundle:
    """Runs side by side whose tokens attend in one call: all go on behind the same run, or behind each other."""

    runs: list[Run]

    @property
    def context(self) -> Run | None:
        """The run that they go on behind."""
        return self.runs[0].parent

    @property
    def before(self) -> int:
        """Tokens of the sequences up to the first of the bundle."""
        return self.runs[0].first

    @property
    def tokens(self) -> int:
        """Tokens of the bundle."""
        return sum(len(run.ids) for run in self.runs)

    @property
    def weights(self) -> int:
        """Attention weights of a head, those of tokens that do not see each other among them."""
        return self.tokens * (self.before + self.tokens)

    def takes(self, run: Run, call: int) -> bool:
        """Whether as many weights as ``call`` or fewer are masked for nothing where a further run shares the call."""
        if run.parent is not self.context and run.parent not in self.runs:
            return False
        return len(run.ids) * (2 * self.tokens - (run.first - self.before)) <= call


def _bundles(runs: Sequence[Run], call: int) -> list[_Bundle]:
    """Runs of a pass in the order in which they stand, in bundles; a call costs as much as ``call`` weights."""
    found: list[_Bundle] = []
    for run in (run for run in runs if run.ids):
        if found and found[-1].takes(run, call):
            found[-1].runs.append(run)
        else:
            found.append(_Bundle([run]))
    return found


@dataclass
class _Layout:
    """What attention has to know of the pass under way."""

    runs: Sequence[Run]
    kept: _Kept
    bundles: list[_Bundle]
    masks: dict[Any, torch.Tensor | None] = field(default_factory=dict)

    def mask(self, bundle: _Bundle, window: int | None, query: torch.Tensor, always: bool) -> torch.Tensor | None:
        """Additive (1, 1, tokens, tokens before and of the bundle): what each token sees. None: as usual."""
        # Layers of one model may lie on several devices.
        key = (bundle, window, always, query.device)
        if key not in self.masks:
            self.masks[key] = _mask(bundle, window, query, always)
        return self.masks[key]


def _mask(bundle: _Bundle, window: int | None, query: torch.Tensor, always: bool) -> torch.Tensor | None:
    runs = bundle.runs
    window = window if window and max(run.end for run in runs) > window else None
    if window is None and not always and len(runs) == 1 and (bundle.before == 0 or bundle.tokens == 1):
        return None
    hidden = torch.ones(bundle.tokens, bundle.before + bundle.tokens, dtype=torch.bool)
    hidden[:, : bundle.before] = False
    start = runs[0].column
    rows = {run: slice(run.column - start, run.column - start + len(run.ids)) for run in runs}
    own = hidden[:, bundle.before :]
    for run in runs:
        for other in (one for one in run.branch if one in rows):
            own[rows[run], rows[other]] = False
        own[rows[run], rows[run]] = torch.ones(len(run.ids), len(run.ids), dtype=torch.bool).triu(1)
    if window is not None:
        at = torch.tensor([p for run in runs for p in range(run.first, run.end)])
        hidden |= torch.cat([torch.arange(bundle.before), at])[None] <= at[:, None] - window
    mask = torch.zeros(hidden.shape, dtype=query.dtype).masked_fill_(hidden, torch.finfo(query.dtype).min)
    return on_device(mask, query.device)[None, None]


_LAYOUT: ContextVar[tuple[_Layout, str] | None] = ContextVar("layout", default=None)


@contextmanager
def _packed(network: Any, layout: _Layout) -> Iterator[None]:
    """While it lasts, the network's attention reads its input as the runs of a layout."""
    configs = {id(m.config): m.config for m in network.modules() if hasattr(m, "config")}
    before = {i: config._attn_implementation for i, config in configs.items()}
    token = _LAYOUT.set((layout, network.config.get_text_config()._attn_implementation))
    try:
        for config in configs.values():
            config._attn_implementation = _NAME
        yield
    finally:
        for i, config in configs.items():
            config._attn_implementation = before[i]
        _LAYOUT.reset(token)


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """The attention function of a packed pass: the network's own, one run at a time. Shapes as transformers' own."""
    active = _LAYOUT.get()
    assert active is not None
    layout, implementation = active
    # Split, not sliced: the gradients of slices would each be as large as the whole.
    lengths = [len(run.ids) for run in layout.runs]
    layout.kept[module] = list(zip(key.split(lengths, dim=2), value.split(lengths, dim=2), strict=True))
    sizes = [bundle.tokens for bundle in layout.bundles]
    window = attention.window(module, more)
    outputs = []
    parts = zip(layout.bundles, *(whole.split(sizes, dim=2) for whole in (query, key, value)), strict=True)
    for bundle, part, keys, values in parts:
        chosen = "eager" if _short(bundle, module, part) else implementation
        mask = layout.mask(bundle, window, query, always=chosen == "eager")
        seen = _behind(bundle.context, module, keys, values)
        outputs.append(_own(module, chosen)(module, part, *seen, mask, **more)[0])
    return torch.cat(outputs, dim=1), None


def _short(bundle: _Bundle, module: Any, query: torch.Tensor) -> bool:
    """Whether plain attention is the faster one: two matrix products, and between them all weights in memory."""
    if not _plain_is_faster(query.device, query.dtype, query.requires_grad):
        return False
    known = hasattr(sys.modules[type(module).__module__], _EAGER)
    return known and bundle.weights in (_WEIGHTS_KEPT if query.requires_grad else _WEIGHTS)


def _call(model: LoadedModel) -> int:
    """What a call of attention costs; nothing where plain attention makes it.

    In bfloat16 that rounds otherwise for several runs than for each alone, which the self-check would have to allow.
    """
    return 0 if _plain_is_faster(model.device, model.network.dtype, torch.is_grad_enabled()) else _CALL


def _plain_is_faster(device: torch.device, dtype: torch.dtype, backwards: bool) -> bool:
    """Whether plain attention is faster than PyTorch's fused one, which for CPUs multiplies bfloat16 as float32.

    With AMX it does not, and takes longer only where its gradient is wanted.
    """
    return device.type == "cpu" and dtype == torch.bfloat16 and (backwards or not _has_amx())


@cache
def _has_amx() -> bool:
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))


def _behind(
    context: Run | None, module: Any, keys: torch.Tensor, values: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values of the tokens of a run and of all before it on its branch, and then those given."""
    if context is None:
        return keys, values
    parts = []
    for run in context.branch:
        assert run.kept is not None
        parts.append(run.kept[module][run.index])
    before, earlier = zip(*parts, strict=True)
    return torch.cat([*before, keys], dim=2), torch.cat([*earlier, values], dim=2)


def _own(module: Any, implementation: str) -> Callable[..., Any]:
    eager: Any = getattr(sys.modules[type(module).__module__], _EAGER, None)
    found: Callable[..., Any] = AttentionInterface().get_interface(implementation, eager)
    return found


AttentionInterface.register(_NAME, _attend)
