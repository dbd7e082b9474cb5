"""The test questions as tasks of lm-eval, and predictions in the format of its logged samples (``--log_samples``).

A task is of one model and method: its documents hold the text exactly as this model reads it, chat template included.
lm-eval 0.4.13 was looked at for both formats.
"""

from collections.abc import Iterable, Iterator, Sequence
import hashlib
import json
from pathlib import Path
import re
from typing import Any

import numpy as np
import pandas as pd

from ..config.inference import Inference, Method
from ..core import files
from ..models import scoring
from ..models.prompting import LETTERS, Prompter, Question

METHODS: tuple[Method, ...] = ("letter", "cloze")
"""The methods that lm-eval can repeat: those that compare log-probabilities."""
METRICS = "per_token.py"
_METRICS_CODE = '''"""Accuracy by the sum of an option's log-probabilities, and by their mean over its tokens."""


def process_results(doc, results):
    sums = [result[0] for result in results]
    return {
        "acc": float(_first(sums) == doc["answer"]),
        "acc_per_token": float(_first([s / n for s, n in zip(sums, doc["n_tokens"])]) == doc["answer"]),
    }


def _first(values):
    return values.index(max(values))
'''
_TASK = """\
# {title}
task: {name}
dataset_path: json
dataset_kwargs: {{data_files: {{test: {data}}}}}
test_split: test
output_type: multiple_choice
# The whole text as this model reads it, chat template included: do not pass --apply_chat_template.
doc_to_text: "{{{{context}}}}"
doc_to_choice: continuations
doc_to_target: answer
target_delimiter: ""
process_results: !function {metrics}.process_results
metric_list:
  - {{metric: acc, aggregation: mean, higher_is_better: true}}
  - {{metric: acc_per_token, aggregation: mean, higher_is_better: true}}
metadata: {{version: 1.0}}
"""


def task_name(experiment: str, model: str, method: Method) -> str:
    """A name that lm-eval takes on its command line."""
    return re.sub(r"[^a-z0-9]+", "_", f"{experiment}_{model}_{method}".lower()).strip("_")


def documents(
    prompter: Prompter, questions: Sequence[Question], inference: Inference, method: Method
) -> list[dict[str, Any]]:
    """One document a question and order of its options, in the order of the questions.

    Returns:
        For each: `question_id`, `order` (the permutation), `context`, `continuations` and `n_tokens` in content order,
        and `answer`, the right option's place. A context and a continuation are one text when joined.
    """
    found = []
    for question in questions:
        orders = [(m, p) for m in inference.methods for p in range(scoring.permutations(inference, m, question))]
        # As in scoring: a stem that is too long loses as much in every form.
        cut = prompter.cut(question, orders, reserve=inference.max_new_tokens)
        found += [_document(prompter, question, method, p, cut) for m, p in orders if m == method]
    return found


def _document(prompter: Prompter, question: Question, method: Method, order: int, cut: int) -> dict[str, Any]:
    n = len(question.options)
    texts = question.options if method == "cloze" else [LETTERS[(i + order) % n] for i in range(n)]
    posed = [prompter.pose(question, method, text, order, cut) for text in texts]
    starts = [tokens.offsets[tokens.answer][0] for tokens in posed]
    return {
        "question_id": question.question_id,
        "order": order,
        "context": posed[0].text[: starts[0]],
        "continuations": [tokens.text[start:] for tokens, start in zip(posed, starts, strict=True)],
        "n_tokens": [len(tokens.ids) - tokens.answer for tokens in posed],
        "answer": question.answer,
    }


def write_task(folder: Path, name: str, title: str, found: Iterable[dict[str, Any]]) -> None:
    """Write a task: `NAME.yaml`, `data/NAME.jsonl` and the metrics that all tasks share."""
    _write_lines(folder / f"data/{name}.jsonl", found)
    task = _TASK.format(name=name, title=title, data=f"data/{name}.jsonl", metrics=METRICS.removesuffix(".py"))
    files.write_text(folder / f"{name}.yaml", task)
    files.write_text(folder / METRICS, _METRICS_CODE)


def write_samples(folder: Path, name: str, found: Sequence[dict[str, Any]], predictions: pd.DataFrame) -> None:
    """Write one adapter's predictions as lm-eval logs them: `samples_NAME.jsonl`."""
    _write_lines(folder / f"samples_{name}.jsonl", samples(found, predictions))


def samples(found: Sequence[dict[str, Any]], predictions: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Predictions of one adapter and method in lm-eval's format.

    `resps` hold the sum of each option's log-probabilities, as text, which is how lm-eval logs it. Whether greedy
    decoding would have written the option is not known: `None`.

    Args:
        found: `documents` of the method.
        predictions: `tables.PREDICTIONS` of one adapter, of this method alone.
    """
    keys = zip(predictions["question_id"], predictions["permutation"], strict=True)
    logprobs = dict(zip(keys, predictions["option_logprobs"], strict=True))
    for i, doc in enumerate(found):
        sums = np.asarray(logprobs[doc["question_id"], doc["order"]]) * doc["n_tokens"]
        responses = [[str(float(value)), "None"] for value in sums]
        target = doc["answer"]
        yield {
            "doc_id": i,
            "doc": doc,
            "target": str(target),
            "arguments": {
                f"gen_args_{j}": {"arg_0": doc["context"], "arg_1": text} for j, text in enumerate(doc["continuations"])
            },
            "resps": [[response] for response in responses],
            "filtered_resps": responses,
            "filter": "none",
            "metrics": ["acc", "acc_per_token"],
            "doc_hash": _digest(json.dumps(doc, indent=2, ensure_ascii=False)),
            "prompt_hash": _digest(doc["context"]),
            "target_hash": _digest(str(target)),
            "acc": float(sums.argmax() == target),
            "acc_per_token": float((sums / doc["n_tokens"]).argmax() == target),
        }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _write_lines(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    with files.atomic_write(path) as part, part.open("w", encoding="utf-8") as handle:
        for row in rows:
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")
