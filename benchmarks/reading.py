"""What reading the letters exactly does to accuracy and gain: float32, bfloat16 as transformers gives it, and ours.

PYTHONPATH=workflow/scripts python benchmarks/reading.py results/findings smollm2-135m completion/cardiology/seed-1 ...

The first two are computed here without the workflow's code but its questions: one prompt at a time, rendered by the
model's own chat template, and letters read behind it. Ours are the predictions of the run. Models whose template
writes nothing between the generation prompt and the answer only.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from peft import PeftModel
import torch
from tqdm import tqdm
from transformers import AutoModelForCausalLM, AutoTokenizer

from neuro2cardio.config.inference import Prompt
from neuro2cardio.core import tables
from neuro2cardio.models import registry

LETTERS = "ABCD"


def main() -> None:
    """Print a row for the base model and each adapter: accuracy, ties, answers that are float32's, mass, distance."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("model")
    parser.add_argument("adapters", nargs="*", help="recipe/train set/seed-n")
    asked = parser.parse_args()
    for row in _rows(asked.results, asked.model, asked.adapters):
        print(" ".join(f"{name} {value}" for name, value in row.items()), flush=True)


def _rows(results: Path, model: str, adapters: list[str]) -> Iterator[dict[str, object]]:
    questions = tables.read(results / "test_split/questions.parquet", tables.QUESTIONS)
    folder = registry.location(Path("resources/models") / model / "model.json")
    for name in ["base", *adapters]:
        adapter = results / "adapters" / model / name if name != "base" else None
        read = {kind: _read(folder, adapter, questions, kind) for kind in ("float32", "bfloat16")}
        read["ours"] = _ours(results / "predictions" / model / f"{name}.parquet", questions)
        for kind, (logprobs, mass) in read.items():
            mean = logprobs.mean(axis=1)
            right = mean[np.arange(len(mean)), questions["answer"]][:, None] == mean.max(axis=1, keepdims=True)
            tied = (mean == mean.max(axis=1, keepdims=True)).sum(axis=1)
            yield {
                "adapter": name,
                "read": kind,
                "accuracy": round(100 * float((right[:, 0] / tied).mean()), 1),
                "first_of_ties": round(100 * float((mean.argmax(axis=1) == questions["answer"]).mean()), 1),
                "ties": int((tied > 1).sum()),
                "as_float32": int((mean.argmax(axis=1) == read["float32"][0].mean(axis=1).argmax(axis=1)).sum()),
                "mass": round(float(mass.mean()), 3),
                "off_float32": round(float(np.abs(logprobs - read["float32"][0]).mean()), 3),
            }


def _read(folder: Path, adapter: Path | None, questions: pd.DataFrame, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities (question, order, option) and the mass on the letters (question, order)."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, kind)).eval()
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter).eval()
    ids = tokenizer.convert_tokens_to_ids(list(LETTERS))
    found = []
    for row in tqdm(questions.itertuples(), total=len(questions), desc=kind):
        for order in range(4):
            shown = "\n".join(f"{LETTERS[j]}. {row.options[(j - order) % 4]}" for j in range(4))
            said = f"{row.stem}\n\n{shown}\n\n{Prompt().letter}"
            prompt = tokenizer.apply_chat_template(
                [{"role": "user", "content": said}], add_generation_prompt=True, return_tensors="pt", return_dict=True
            )
            with torch.inference_mode():
                logits = model(input_ids=prompt["input_ids"]).logits[0, -1]
            found.append(logits.float().log_softmax(-1)[ids].numpy()[[(i + order) % 4 for i in range(4)]])
    logprobs = np.array(found).reshape(len(questions), 4, 4)
    return logprobs, np.exp(logprobs).sum(axis=2)


def _ours(path: Path, questions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    read = tables.read(path, tables.PREDICTIONS)
    letter = read[read["method"] == "letter"].set_index(["question_id", "permutation"])
    rows = letter.loc[[(i, order) for i in questions["question_id"] for order in range(4)]]
    return (
        np.stack(rows["option_logprobs"].to_list()).reshape(-1, 4, 4),
        rows["answer_mass"].to_numpy().reshape(-1, 4),
    )


if __name__ == "__main__":
    main()
