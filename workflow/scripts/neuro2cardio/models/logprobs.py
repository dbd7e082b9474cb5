"""Log-probabilities of chosen tokens at chosen places: a fast way, and the naive way it must equal.

A `Query` is a sequence of token ids and what is to be read from it. The queries of one group (one question in all its
forms) start alike; the fast way computes that common start once, repeats its key-value cache for the rests, and makes
logits only where something is read. What the starts of all groups share (a chat template, an instruction) is computed
once for all of them.
"""

from collections.abc import Iterator, Sequence
import copy
from dataclasses import dataclass
import inspect
from typing import Any

import numpy as np
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache

from . import attention, output_head
from .registry import LoadedModel


@dataclass(frozen=True)
class Reading:
    """Asks for the log-probability of each of ``tokens`` as the token at index ``at`` of a query."""

    at: int
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class Query:
    """Token ids, and the readings of which the last may lie one past their end."""

    ids: tuple[int, ...]
    readings: tuple[Reading, ...]


_SAVED_TOKENS = 64
"""What a pass of its own for the head of all starts must at least save."""
_ROWS = 64
"""Rests computed at once: each has the cache of its start beside it, in the memory of the device."""

Values = list[np.ndarray]
"""For each reading of a query, float64 log-probabilities in nats, one for each of its tokens."""


Place = tuple[int, int, int]
"""Group, query, and the index of a token."""


def read_naive(model: LoadedModel, query: Query) -> Values:
    """The reference: one forward pass over one sequence, all logits, log-softmax in float64."""
    with torch.inference_mode():
        logits = model.network(torch.tensor([query.ids], device=model.device)).logits[0]
    logprobs = torch.log_softmax(logits.double(), dim=-1).cpu().numpy()
    return [logprobs[r.at - 1, list(r.tokens)] for r in query.readings]


def read(model: LoadedModel, groups: Sequence[Sequence[Query]]) -> list[list[Values]]:
    """All readings of groups of queries; groups are computed together, so give as many as fit into memory.

    Returns values as `read_naive` does, by group and query, within the rounding of the model's number type.
    """
    starts = [_common_start(group) for group in groups]
    way = attention.path(model.network, _columns(groups, starts))
    if way is attention.Path.NAIVE:
        return [[read_naive(model, query) for query in group] for group in groups]
    if way is attention.Path.ALONE and len(groups) > 1:
        return [read(model, [group])[0] for group in groups]
    asked = [
        ((row, k, r.at), r) for row, group in enumerate(groups) for k, query in enumerate(group) for r in query.readings
    ]
    inside = [(place, r) for place, r in asked if r.at <= starts[place[0]]]
    behind = {place[:2] for place, r in asked if r.at > starts[place[0]]}
    with torch.inference_mode():
        places = [(place[0], r.at - 1) for place, r in inside]
        prefix, logits = _Prefix.of(model, [g[0].ids[:n] for g, n in zip(groups, starts, strict=True)], places)
        values = _read_logits(logits, [r.tokens for _, r in inside])
        found = {place: v for (place, _), v in zip(inside, values, strict=True)}
        for chunk in _alike(sorted(behind), lambda rk: len(groups[rk[0]][rk[1]].ids) - starts[rk[0]]):
            found |= prefix.read_rests(groups, chunk)
    return [
        [[found[row, k, r.at] for r in query.readings] for k, query in enumerate(group)]
        for row, group in enumerate(groups)
    ]


def generate(
    model: LoadedModel, groups: Sequence[Sequence[tuple[int, ...]]], max_new_tokens: int, ends: tuple[int, ...] = ()
) -> list[list[tuple[int, ...]]]:
    """Greedy continuations of prompts, by group; each ends before the model's end-of-text token, or one of ``ends``.

    The prompts of a group start alike, as the queries of `read` do, and share that computation.
    """
    queries = [[Query(p, ()) for p in group] for group in groups]
    # At least one token of each prompt is left for the second pass, which makes the first new token's logits.
    starts = [min(_common_start(group), min(len(q.ids) for q in group) - 1) for group in queries]
    way = attention.path(model.network, _columns(queries, starts) + max_new_tokens)
    if way is attention.Path.NAIVE:
        return [[generate_naive(model, prompt, max_new_tokens, ends) for prompt in group] for group in groups]
    if way is attention.Path.ALONE and sum(map(len, groups)) > 1:
        return [[generate(model, [[prompt]], max_new_tokens, ends)[0][0] for prompt in group] for group in groups]
    flat = [(row, k) for row, group in enumerate(groups) for k in range(len(group))]
    with torch.inference_mode():
        prefix, _ = _Prefix.of(model, [g[0].ids[:n] for g, n in zip(queries, starts, strict=True)], [])
        texts = iter(_continue(model, *prefix.prompts(queries, flat), max_new_tokens, ends))
    return [[next(texts) for _ in group] for group in groups]


def generate_naive(
    model: LoadedModel, prompt: tuple[int, ...], max_new_tokens: int, ends: tuple[int, ...] = ()
) -> tuple[int, ...]:
    """The reference: the whole sequence through the model again for every new token."""
    ids, stops = list(prompt), {*_end_tokens(model), *ends}
    with torch.inference_mode():
        for _ in range(max_new_tokens):
            token = int(model.network(torch.tensor([ids], device=model.device)).logits[0, -1].argmax())
            if token in stops:
                break
            ids.append(token)
    return tuple(ids[len(prompt) :])


@dataclass(frozen=True)
class _Prefix:
    """The computed starts of a batch of sequences. A row of the mask is 0 where its start is padded."""

    model: LoadedModel
    lengths: torch.Tensor
    mask: torch.Tensor
    cache: DynamicCache

    @classmethod
    def of(
        cls, model: LoadedModel, ids: list[tuple[int, ...]], places: list[tuple[int, int]]
    ) -> tuple["_Prefix", torch.Tensor]:
        """Compute starts; also logits at some places (row, column) of them."""
        head = min(_shared(ids), *(column for _, column in places), *(len(row) - 1 for row in ids))
        if head * (len(ids) - 1) >= _SAVED_TOKENS:
            shared, _ = cls.of(model, [ids[0][:head]], [])
            rows, rests = [0] * len(ids), [row[head:] for row in ids]
            return shared.extended(rows, rests, [(row, column - head) for row, column in places])
        tokens, mask = _pad(ids, model)
        out, logits = _forward(model, tokens, mask, places, past_key_values=DynamicCache(config=model.network.config))
        return cls(model, mask.sum(1), mask, out.past_key_values), logits

    def extended(
        self, rows: list[int], rests: list[tuple[int, ...]], places: list[tuple[int, int]]
    ) -> tuple["_Prefix", torch.Tensor]:
        """Rows of these starts, any number of times, each with its rest behind it; and logits as in `of`."""
        chosen = torch.tensor(rows, device=self.model.device)
        starts = self.lengths[chosen]
        tokens, rest_mask = _pad(rests, self.model)
        mask = torch.cat([self.mask[chosen], rest_mask], dim=1)
        # Padding repeats a row's last position: further ones may lie outside of what the model has positions for.
        columns = torch.arange(tokens.shape[1], device=self.model.device)
        positions = starts[:, None] + torch.minimum(columns, rest_mask.sum(1, keepdim=True) - 1)
        cached = _repeat(self.cache, chosen)
        out, logits = _forward(self.model, tokens, mask, places, position_ids=positions, past_key_values=cached)
        return _Prefix(self.model, mask.sum(1), mask, out.past_key_values), logits

    def read_rests(
        self, groups: Sequence[Sequence[Query]], chunk: Sequence[tuple[int, int]]
    ) -> dict[Place, np.ndarray]:
        """Values of the readings that lie behind the common start, for rows (group, query) of one padded batch."""
        behind = [
            (i, row, k, r, int(self.lengths[row]))
            for i, (row, k) in enumerate(chunk)
            for r in groups[row][k].readings
            if r.at > self.lengths[row]
        ]
        _, logits = self.extended(*self._rests(groups, chunk), [(i, r.at - 1 - n) for i, _, _, r, n in behind])
        values = _read_logits(logits, [r.tokens for *_, r, _ in behind])
        return {(row, k, r.at): v for (_, row, k, r, _), v in zip(behind, values, strict=True)}

    def prompts(
        self, groups: Sequence[Sequence[Query]], rows: Sequence[tuple[int, int]]
    ) -> tuple[torch.Tensor, "_Prefix"]:
        """Whole prompts: each one's next token, and the prompts computed."""
        chosen, rests = self._rests(groups, rows)
        whole, logits = self.extended(chosen, rests, [(i, len(rest) - 1) for i, rest in enumerate(rests)])
        return logits.argmax(-1), whole

    def _rests(
        self, groups: Sequence[Sequence[Query]], rows: Sequence[tuple[int, int]]
    ) -> tuple[list[int], list[tuple[int, ...]]]:
        """For rows (group, query): which start each has, and what of it lies behind that start."""
        starts = self.lengths.tolist()
        return [i for i, _ in rows], [groups[i][k].ids[starts[i] :] for i, k in rows]


def _continue(
    model: LoadedModel, token: torch.Tensor, prompts: _Prefix, max_new_tokens: int, ends: tuple[int, ...]
) -> list[tuple[int, ...]]:
    """Extend every row by its likeliest token until it ends; rows that ended ride along unread."""
    stops = {*_end_tokens(model), *ends}
    mask, position, cached = prompts.mask, prompts.lengths, prompts.cache
    texts: list[list[int]] = [[] for _ in token]
    running = [True] * len(texts)
    for step in range(max_new_tokens):
        for i, t in enumerate(token.tolist()):
            running[i] = running[i] and t not in stops
            if running[i]:
                texts[i].append(t)
        if step + 1 == max_new_tokens or not any(running):
            break
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        places = [(i, 0) for i in range(len(texts))]
        more = {"position_ids": position[:, None], "past_key_values": cached}
        out, logits = _forward(model, token[:, None], mask, places, **more)
        cached, position, token = out.past_key_values, position + 1, logits.argmax(-1)
    return [tuple(t) for t in texts]


def _forward(
    model: LoadedModel, tokens: torch.Tensor, mask: torch.Tensor, places: list[tuple[int, int]], **more: Any
) -> tuple[Any, torch.Tensor]:
    """A forward pass and the logits at some places (row, column)."""
    rows, columns = torch.tensor(places, dtype=torch.long, device=model.device).view(-1, 2).T
    return output_head.forward(
        model.network, rows, columns, input_ids=tokens, attention_mask=mask, use_cache=True, **more
    )


def keeps_logits(network: Any) -> bool:
    """Whether a network, or the one inside a PEFT model, can leave out logits that nobody reads."""
    inner = network.get_base_model() if hasattr(network, "get_base_model") else network
    return "logits_to_keep" in inspect.signature(inner.forward).parameters


def _columns(groups: Sequence[Sequence[Query]], starts: Sequence[int]) -> int:
    """Places in the cache that a padded batch of starts, and of what lies behind them, fills."""
    rests = (len(q.ids) - n for group, n in zip(groups, starts, strict=True) for q in group)
    return max(starts) + max(rests)


def _common_start(group: Sequence[Query]) -> int:
    """Tokens that all queries of a group share; of a single query, all."""
    n = _shared([q.ids for q in group])
    if n == 0:
        raise ValueError("the queries of a group must share their first token")
    return n


def _shared(rows: Sequence[tuple[int, ...]]) -> int:
    """How many tokens all rows start with."""
    first, last = min(rows), max(rows)
    shorter = min(len(first), len(last))
    return next((i for i in range(shorter) if first[i] != last[i]), shorter)


def _alike(rows: list[tuple[int, int]], length: Any) -> Iterator[list[tuple[int, int]]]:
    """Rows in chunks of like length, so that short rests are not padded to long ones."""
    chunk: list[tuple[int, int]] = []
    for row in sorted(rows, key=lambda r: (length(r), r)):
        if chunk and (length(row) > 2 * length(chunk[0]) + 8 or len(chunk) == _ROWS):
            yield chunk
            chunk = []
        chunk.append(row)
    if chunk:
        yield chunk


def _pad(ids: list[tuple[int, ...]], model: LoadedModel) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids padded on the right, and their mask. Right padding leaves every position as it is in the sequence alone."""
    rows = [torch.tensor(row, device=model.device) for row in ids]
    mask = pad_sequence([torch.ones_like(row) for row in rows], batch_first=True)
    return pad_sequence(rows, batch_first=True), mask


def _repeat(kept: DynamicCache, rows: torch.Tensor) -> DynamicCache:
    """A cache with one row for each of ``rows``, which leaves the original as it is."""
    repeated = copy.copy(kept)
    repeated.layers = [copy.copy(layer) for layer in kept.layers]
    repeated.batch_select_indices(rows)
    return repeated


def _read_logits(logits: torch.Tensor, wanted: list[tuple[int, ...]]) -> Values:
    """Log-probabilities of the tokens wanted of each row of ``logits``, brought from the device at once."""
    if not wanted:
        return []
    tokens = pad_sequence([torch.tensor(w) for w in wanted], batch_first=True).to(logits.device)
    values = (logits.gather(1, tokens) - logits.logsumexp(-1, keepdim=True)).double().cpu().numpy()
    return [v[: len(w)] for v, w in zip(values, wanted, strict=True)]


def _end_tokens(model: LoadedModel) -> list[int]:
    configured = model.network.generation_config.eos_token_id
    ends = configured if isinstance(configured, list) else [configured]
    return [e for e in [*ends, model.tokenizer.eos_token_id] if e is not None]
