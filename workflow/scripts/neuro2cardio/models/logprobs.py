"""Log-probabilities of chosen tokens at chosen positions: a fast way, and the naive way it must equal.

A `Query` is a sequence of token ids and what is to be read from it. The fast way computes what queries share once and
makes logits only where something is read (`packed`, `output_head`); a model that can't be packed computes one sequence
after the other.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence

from ..core.errors import out_of_memory
from . import attention, output_head, packed
from .packed import Ids, Run
from .registry import LoadedModel


@dataclass(frozen=True)
class Readout:
    """Asks for the log-probability of each of ``tokens`` as the token at index ``at`` of a query."""

    at: int
    tokens: Ids


@dataclass(frozen=True)
class Query:
    """Token ids, and the readings of which the last may lie one past their end."""

    ids: Ids
    readings: tuple[Readout, ...]
    continued: bool = False
    """Whether the most likely continuation of the ids is wanted too."""


@dataclass(frozen=True)
class Continuation:
    """How continuations end: after so many tokens, or before the model's end-of-text token or one of ``ends``."""

    max_new_tokens: int
    ends: Ids = ()


Values = list[np.ndarray]
"""For each reading of a query, float64 log-probabilities in nats, one for each of its tokens."""

BATCH_TOKENS = {"cpu": 1024, "cuda": 16_384}
"""Tokens of a pass. On a CPU, activations then fit its caches; a GPU needs more to be busy."""


def read_naive(model: LoadedModel, query: Query) -> Values:
    """The reference: one forward pass over one sequence, all logits, log-softmax in float64."""
    with torch.inference_mode():
        logits = model.network(torch.tensor([query.ids], device=model.device)).logits[0]
    read = logits[[r.at - 1 for r in query.readings]]
    logprobs = torch.log_softmax(read.double(), dim=-1).cpu().numpy()
    return [row[list(r.tokens)] for row, r in zip(logprobs, query.readings, strict=True)]


def generate_naive(model: LoadedModel, prompt: Ids, continuation: Continuation) -> Ids:
    """The reference: the whole sequence through the model again for every new token."""
    ids, stops = list(prompt), {*_end_tokens(model), *continuation.ends}
    with torch.inference_mode():
        for _ in range(continuation.max_new_tokens):
            token = int(model.network(torch.tensor([ids], device=model.device)).logits[0, -1].argmax())
            if token in stops:
                break
            ids.append(token)
    return tuple(ids[len(prompt) :])


def read(model: LoadedModel, groups: Sequence[Sequence[Query]], batch_tokens: int | None = None) -> list[list[Values]]:
    """All readings of groups of queries, as `read_naive` gives them, within the rounding of the model's number type.

    Args:
        model: The model.
        groups: Queries by group. Those of a group go into the same pass: they should start alike.
        batch_tokens: Tokens of a pass; None takes what suits the device. A group may be larger.
    """
    return read_and_continue(model, groups, Continuation(0), batch_tokens)[0]


def read_and_continue(
    model: LoadedModel,
    groups: Sequence[Sequence[Query]],
    continuation: Continuation,
    batch_tokens: int | None = None,
) -> tuple[list[list[Values]], list[list[Ids]]]:
    """As `read`; also, by group, the greedy continuations of those of its queries that are ``continued``.

    Where the memory of a GPU or of the machine is full, halves of the groups are read one after the other, and at last
    halves of one group's queries. Raises what the allocator raised where a single query does not fit.
    """
    try:
        return _read_and_continue(model, groups, continuation, batch_tokens)
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error) or sum(len(group) for group in groups) < 2:
            raise
    # Out of the handler: there, the failed pass still holds its memory.
    torch.cuda.empty_cache()
    budget = max(1, (batch_tokens or BATCH_TOKENS.get(model.device.type, 4096)) // 2)
    print(f"out of memory: going on with half of it at once, at most {budget} tokens", flush=True)
    half = len(groups) // 2
    parts = [groups[:half], groups[half:]] if half else [[part] for part in _halves(groups[0])]
    read = [read_and_continue(model, part, continuation, budget) for part in parts]
    values, texts = (list(chain(*found)) for found in zip(*read, strict=True))
    return (values, texts) if half else ([list(chain(*values))], [list(chain(*texts))])


def _halves(queries: Sequence[Query]) -> list[Sequence[Query]]:
    return [queries[: len(queries) // 2], queries[len(queries) // 2 :]]


def _read_and_continue(
    model: LoadedModel, groups: Sequence[Sequence[Query]], continuation: Continuation, batch_tokens: int | None
) -> tuple[list[list[Values]], list[list[Ids]]]:
    with torch.inference_mode():
        longest = max((len(q.ids) for group in groups for q in group), default=0) + continuation.max_new_tokens
        if attention.path(model.network, longest) is attention.Path.ALONE or not packed.can_pack(model):
            values = [[_read_alone(model, query) for query in group] for group in groups]
            return values, [
                [generate_naive(model, q.ids, continuation) for q in group if q.continued] for group in groups
            ]
        budget = batch_tokens or BATCH_TOKENS.get(model.device.type, 4096)
        # All passes are asked for before the first result is waited for: a GPU is then never idle between two.
        passes = [_read_batch(model, batch) for batch in _batches(model, groups, budget)]
        read = iter([found for done in passes for found in _fetched(done.values, done.lengths)])
        first_tokens = [pair for done in passes for pair in zip(done.ends, done.following.tolist(), strict=True)]
        texts = iter(_continue(model, first_tokens, continuation))
        return (
            [[[next(read) for _ in query.readings] for query in group] for group in groups],
            [[next(texts) for q in group if q.continued] for group in groups],
        )


_Batch = tuple[Sequence[Sequence[Query]], packed.Tree]


def _batches(model: LoadedModel, groups: Sequence[Sequence[Query]], budget: int) -> Iterator[_Batch]:
    """Groups, in order, in batches of at most ``budget`` tokens to compute; what most start with is computed before."""
    root = None
    sizes = [_tree([group]).tokens for group in groups]
    if sum(sizes) > budget and (root := _root(model, groups)):
        # A group that starts otherwise saves nothing by it.
        sizes = [_tree([group], root).tokens for group in groups]
    start = 0
    while start < len(groups):
        end, total = start + 1, sizes[start]
        while end < len(groups) and total + sizes[end] <= budget:
            total += sizes[end]
            end += 1
        tree = _tree(groups[start:end], root)
        # Short runs that all groups share can keep longer runs of some from being shared.
        while tree.tokens > budget and end - start > 1:
            end -= 1
            tree = _tree(groups[start:end], root)
        yield groups[start:end], tree
        start = end


def _tree(groups: Sequence[Sequence[Query]], root: Run | None = None) -> packed.Tree:
    return packed.tree([query.ids for group in groups for query in group], root)


def _root(model: LoadedModel, groups: Sequence[Sequence[Query]]) -> Run | None:
    """The start of most groups' sequences, computed: the words of a chat template, or an instruction."""
    by_start: dict[Ids, list[Query]] = {}
    for query in (query for group in groups for query in group):
        by_start.setdefault(query.ids[: packed.SAVED_TOKENS], []).append(query)
    members = max(by_start.values(), key=len)
    # What is read inside of the start would need its logits, and the next token's need a token behind it.
    length = min(packed.shared([q.ids for q in members]), *(len(q.ids) - 1 for q in members))
    length = min([length, *(r.at - 1 for q in members for r in q.readings)])
    if length < packed.SAVED_TOKENS:
        return None
    root = Run(members[0].ids[:length])
    packed.compute(model, [root], [], keep=True)
    return root


@dataclass(frozen=True)
class _Pass:
    """What a pass gives, on the device that may still be computing it."""

    values: torch.Tensor
    """(readings, tokens of the longest) log-probabilities."""
    lengths: list[int]
    """Tokens of each reading."""
    ends: list[Run]
    """The last run of each query that is continued."""
    following: torch.Tensor
    """The token that comes next, of each."""


def _read_batch(model: LoadedModel, batch: _Batch) -> _Pass:
    """Compute a batch; nothing here waits for the device."""
    groups, tree = batch
    queries = [query for group in groups for query in group]
    branches = [leaf.branch for leaf in tree.leaves]
    wanted = [(i, r.at - 1, r.tokens) for i, q in enumerate(queries) for r in q.readings]
    ends = [i for i, q in enumerate(queries) if q.continued]
    places = [(packed.run_at(branches[i], at), at) for i, at, _ in wanted]
    places += [(packed.run_at(branches[i], len(queries[i].ids) - 1), len(queries[i].ids) - 1) for i in ends]
    network, n = model.network, len(wanted)
    read = packed.compute(model, tree.runs, places, keep=bool(ends), forward=output_head.reader(network))
    following = output_head.logits(network, read[n:]).argmax(-1)
    tokens = [tokens for *_, tokens in wanted]
    values = _of_tokens(model, read[:n], tokens)
    return _Pass(values, list(map(len, tokens)), [branches[i][-1] for i in ends], following)


def _read_alone(model: LoadedModel, query: Query) -> Values:
    """The readings of one sequence, computed by itself."""
    columns = torch.tensor([r.at - 1 for r in query.readings], dtype=torch.long, device=model.device)
    ids = torch.tensor([query.ids], device=model.device)
    _, read = output_head.reader(model.network)(model.network, torch.zeros_like(columns), columns, input_ids=ids)
    wanted = [r.tokens for r in query.readings]
    return _fetched(_of_tokens(model, read, wanted), list(map(len, wanted)))


def _continue(model: LoadedModel, first: Sequence[tuple[Run, int]], continuation: Continuation) -> list[Ids]:
    """Extend every sequence by its most likely token until it ends."""
    stops = {*_end_tokens(model), *continuation.ends}
    texts: list[list[int]] = [[] for _ in first]
    latest = dict(enumerate(first))
    for step in range(continuation.max_new_tokens):
        latest = {i: (run, token) for i, (run, token) in latest.items() if token not in stops}
        for i, (_, token) in latest.items():
            texts[i].append(token)
        if step + 1 == continuation.max_new_tokens or not latest:
            break
        runs = {i: Run((token,), run) for i, (run, token) in latest.items()}
        logits = packed.compute(model, list(runs.values()), [(run, run.first) for run in runs.values()], keep=True)
        latest = {i: (run, token) for (i, run), token in zip(runs.items(), logits.argmax(-1).tolist(), strict=True)}
    return [tuple(text) for text in texts]


def _of_tokens(model: LoadedModel, read: torch.Tensor, wanted: list[Ids]) -> torch.Tensor:
    """Log-probabilities of the tokens wanted at each place, padded to the most; what was read is overwritten."""
    if not wanted:
        return torch.empty(0, 0)
    padded = pad_sequence([torch.tensor(w) for w in wanted], batch_first=True)
    return output_head.log_probabilities(model.network, read, packed.on_device(padded, read.device))


def _fetched(values: torch.Tensor, lengths: list[int]) -> Values:
    """Rows of a padded tensor, each as long as it was; waits for the device."""
    return [row[:n] for row, n in zip(values.double().cpu().numpy(), lengths, strict=True)]


def _end_tokens(model: LoadedModel) -> list[int]:
    configured = model.network.generation_config.eos_token_id
    ends = configured if isinstance(configured, list) else [configured]
    return [e for e in [*ends, model.tokenizer.eos_token_id] if e is not None]
