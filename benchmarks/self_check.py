"""What the self-check of a scoring job sees, where all is well and where faults are put in on purpose.

    make demo && PYTHONPATH=workflow/scripts python benchmarks/self_check.py cardiology general
    PYTHONPATH=workflow/scripts python benchmarks/self_check.py cardiology general --questions 110 --without-faults

For the base model and the adapters named (train sets of the demo), in the model's own number type: differences of
log-probabilities between the fast path and the naive one, in nats a token, over questions of the demo. Minutes.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import demo_scorers
import numpy as np
import pandas as pd
import torch

from neuro2cardio.core import tables
from neuro2cardio.models import packed, self_check, term_logprobs

behind, mask, compute = packed._behind, packed._mask, packed.compute


def main() -> None:
    """Print one line for each model and fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train_sets", nargs="*")
    parser.add_argument("--questions", type=int, default=10)
    parser.add_argument("--without-faults", action="store_true")
    args = parser.parse_args()
    asked = sorted(demo_scorers.questions(), key=lambda question: (len(question.stem), question.question_id))
    asked = [asked[i] for i in np.linspace(0, len(asked) - 1, args.questions).astype(int)]
    mentions = term_logprobs.by_question(
        tables.read(demo_scorers.RESULTS / "test_split/mentions.parquet", tables.MENTIONS)
    )
    for name, scorer in demo_scorers.scorers(args.train_sets):
        # Tried before faults are put in.
        packed.can_pack(scorer.model)
        for fault, changes in list(FAULTS.items())[: 1 if args.without_faults else None]:
            with changed(changes):
                found = list(self_check._differences(scorer, asked, mentions))
            print(f"{name:>16}, {fault}: {shown(found)}", flush=True)


def shown(found: list[tuple[float, str]]) -> str:
    """The mean of all differences, those of single questions, and the largest difference."""
    table = pd.DataFrame({"gap": [gap for gap, _ in found], "kind": [where.split()[0] for _, where in found]})
    table["question"] = [where.split()[1] for _, where in found]
    options = table[table["kind"] == "question"].groupby("question")["gap"].mean()
    return (
        f"mean {table['gap'].mean():.3f}, of a question's options {options.min():.3f} to {options.max():.3f}, "
        f"largest {table['gap'].max():.2f} of {len(table)}"
    )


@contextmanager
def changed(changes: dict[str, Callable[..., Any]]) -> Iterator[None]:
    """Put functions in the place of some of `packed`'s, and these back."""
    before = {name: getattr(packed, name) for name in changes}
    for name, function in changes.items():
        setattr(packed, name, function)
    try:
        yield
    finally:
        for name, function in before.items():
            setattr(packed, name, function)


def hide(at: Callable[[packed.Run], int]) -> Callable[..., Any]:
    """Keys and values of what a call of attention sees, one token of the run before it replaced by its neighbour."""

    def without(context: packed.Run | None, *given: Any) -> tuple[torch.Tensor, torch.Tensor]:
        keys, values = (tensor.clone() for tensor in behind(context, *given))
        if context is not None and context.end > 1:
            column = at(context)
            for tensor in (keys, values):
                tensor[:, :, column] = tensor[:, :, column - 1 if column else 1]
        return keys, values

    return without


def sees_later_tokens(bundle: Any, *given: Any) -> torch.Tensor | None:
    """A mask that hides nothing of runs behind another."""
    made = mask(bundle, *given)
    return torch.zeros_like(made) if made is not None and bundle.context else made


def sees_the_others(bundle: Any, *given: Any) -> torch.Tensor | None:
    """A mask that hides what comes later, and not what belongs to another sequence."""
    made = mask(bundle, *given)
    if made is None:
        return None
    later = torch.ones(made.shape[-2:], dtype=torch.bool).triu(bundle.before + 1)
    return made.masked_fill(~later, 0)


def one_too_high(
    model: Any, runs: Any, places: Any, keep: bool = False, forward: Any = packed.output_head.forward
) -> Any:
    """`packed.compute` with positions behind a shared start that are one too high."""

    def shifted(network: Any, rows: Any, columns: Any, **inputs: Any) -> Any:
        behind = [int(run.parent is not None) for run in runs for _ in run.ids]
        inputs["position_ids"] = inputs["position_ids"] + torch.tensor([behind])
        return forward(network, rows, columns, **inputs)

    return compute(model, runs, places, keep, shifted)


FAULTS: dict[str, dict[str, Callable[..., Any]]] = {
    "as it is": {},
    "the token before a call's runs is hidden": {"_behind": hide(lambda context: context.end - 1)},
    "the first token is hidden": {"_behind": hide(lambda context: 0)},
    "a run sees later tokens": {"_mask": sees_later_tokens},
    "a run sees the others of its call": {"_mask": sees_the_others},
    "positions behind a shared start are one too high": {"compute": one_too_high},
}


if __name__ == "__main__":
    main()
