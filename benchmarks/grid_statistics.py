"""Seconds and memory of all tables and the verdict of a simulated large grid, by the workflow's own commands.

    PYTHONPATH=workflow/scripts:tests/unit python benchmarks/grid_statistics.py [--models 4] [--seeds 5]

15 train sets and two controls, two recipes, 1,000 test questions in letters (four orders) and option texts, terms in
two contexts. CPU seconds beside wall-clock seconds: on a shared machine the second says little.
"""

import argparse
from collections.abc import Callable
import json
from pathlib import Path
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
import pandas as pd
import planted
import pyarrow as pa
import pyarrow.parquet as pq

from neuro2cardio.config.analysis import Statistics
from neuro2cardio.core import specialties, tables
from neuro2cardio.core.adapters import Adapter, Axes

SCRIPTS = Path(__file__).parents[1] / "workflow/scripts"
METHODS = {"letter": 4, "cloze": 1}
CONTEXTS = ["prompt", "bare"]
QUESTIONS = 1000
_LAUNCHER = """
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:], stdout=sys.stderr)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
sys.exit(status)
"""
Draw = Callable[[np.random.Generator], dict[str, Any]]


def main() -> None:
    """Simulate, run the commands, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    train_sets = [specialties.slug(name) for name in specialties.SPECIALTIES] + ["shuffled-answers", "general"]
    models, seeds = [f"model-{i}" for i in range(args.models)], list(range(1, args.seeds + 1))
    axes = Axes(model=models, recipe=["completion", "full"], train_set=train_sets, seed=seeds)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        mentions = simulate(folder, axes)
        print(f"{len(axes.everything())} adapters and base models, {QUESTIONS} questions, {mentions} mentions")
        for name, command in commands(folder, axes).items():
            timed(name, command)


def timed(name: str, command: list[str]) -> None:
    """Run a command, and print what it took."""
    started = time.perf_counter()
    cpu, peak = measured(command)
    wall = time.perf_counter() - started
    print(f"{name}: {cpu:.0f} s CPU, {wall:.0f} s, {peak / 1e9:.1f} GB at the peak", flush=True)


def measured(command: list[str]) -> tuple[float, int]:
    """Run a command: CPU seconds and bytes at the peak, of this command alone."""
    # A process starts with the peak of the one that started it: between the two stands a small one.
    run = subprocess.run([sys.executable, "-I", "-S", "-c", _LAUNCHER, *command], capture_output=True, text=True)
    if run.returncode:
        raise SystemExit(f"{command[1]} failed:\n{run.stderr[-3000:]}")
    seconds, peak = run.stdout.split()
    # Bytes on macOS, else KiB.
    return float(seconds), int(peak) * (1 if sys.platform == "darwin" else 1024)


def commands(folder: Path, axes: Axes) -> dict[str, list[str]]:
    """The three commands that the workflow runs, in its order."""
    common = {"statistics": Statistics().model_dump()}
    lines = {
        "transfer_matrix": (
            {"axes": axes.model_dump(), "methods": list(METHODS), **common},
            *("questions:questions.parquet", "predictions:predictions", "adapters:adapters", "matrix:m.csv"),
            *("diagonal:d.csv", "effects:e.csv", "position-bias:b.csv", "answer-mass:a.csv", "checks:c.csv"),
        ),
        "term_shift": (
            {"axes": axes.model_dump(), "contexts": CONTEXTS, **common},
            *("questions:questions.parquet", "mentions:mentions.parquet", "term-logprobs:terms", "shifts:s.csv"),
            *("grid:g.csv", "balance:p.csv"),
        ),
        "verdict": (
            {"context": "prompt", "scope": "strict", **common},
            *("effects:e.csv", "diagonal:d.csv", "term-shift:s.csv", "checks:c.csv", "answer-mass:a.csv"),
            *("json:v.json", "out:summary.txt"),
        ),
    }
    found = {}
    for name, (settings, *files) in lines.items():
        (folder / f"{name}.json").write_text(json.dumps(settings), encoding="utf-8")
        pairs = [file.split(":") for file in (f"settings:{name}.json", *files)]
        named = [word for option, file in pairs for word in (f"--{option}", str(folder / file))]
        found[name] = [sys.executable, str(SCRIPTS / f"{name}.py"), *named]
    return found


def simulate(folder: Path, axes: Axes, n_questions: int = QUESTIONS) -> int:
    """Write what the commands read; how many mentions there are."""
    asked = planted.questions(axes, each=-(-n_questions // len(axes.specialties))).head(n_questions)
    found = planted.mentions(axes, asked, each=9)
    tables.write(asked, folder / "questions.parquet", tables.QUESTIONS)
    tables.write(found, folder / "mentions.parquet", tables.MENTIONS)
    rng = np.random.default_rng(0)
    answers, terms = _answers(asked, rng), _terms(found, rng)
    curve = pd.DataFrame({"step": range(1, 61), "loss": np.linspace(2, 1, 60), "grad_norm": 1.0})
    for adapter in axes.everything():
        _write(answers(rng), adapter, folder / "predictions", tables.PREDICTIONS)
        _write(terms(rng), adapter, folder / "terms", tables.TERM_LOGPROBS)
        if adapter.train_set != "base":
            own = adapter.path(folder / "adapters", "")
            own.mkdir(parents=True)
            curve.to_csv(own / "training.csv", index=False)
            (own / "run.json").write_text("{}", encoding="utf-8")
    return len(found)


def _answers(asked: pd.DataFrame, rng: np.random.Generator) -> Draw:
    """Draws the predictions of an adapter, as columns."""
    n, orders = len(asked), sum(METHODS.values())
    answer, luck = np.tile(asked["answer"].to_numpy(), orders), np.tile(rng.normal(size=(n, 4)), (orders, 1))
    permutations = [p for count in METHODS.values() for p in range(count)]
    fixed = {
        "method": np.repeat([name for name, count in METHODS.items() for _ in range(count)], n),
        "question_id": np.tile(asked["question_id"].to_numpy(), orders),
        "permutation": np.repeat(permutations, n),
        "answer_mass": np.full(n * orders, 0.9),
    }

    def draw(rng: np.random.Generator) -> dict[str, Any]:
        logprobs = luck + rng.normal(size=luck.shape)
        logprobs[np.arange(len(answer)), answer] += 0.5
        chosen = logprobs.argmax(axis=1)
        flat = pa.FixedSizeListArray.from_arrays(pa.array(logprobs.ravel()), 4).cast(pa.list_(pa.float64()))
        return fixed | {"option_logprobs": flat, "chosen": chosen, "correct": chosen == answer}

    return draw


def _terms(found: pd.DataFrame, rng: np.random.Generator) -> Draw:
    """Draws the term log-probabilities of an adapter, as columns."""
    n = len(found)
    tokens, per_token = rng.integers(1, 5, 2 * n), np.tile(rng.normal(-5, 1, n), 2)
    fixed = {
        "mention_id": np.tile(found["mention_id"].to_numpy(), 2),
        "question_id": np.tile(found["question_id"].to_numpy(), 2),
        "context": np.repeat(CONTEXTS, n),
        "n_tokens": tokens,
        "n_words": np.minimum(tokens, 2),
    }

    def draw(rng: np.random.Generator) -> dict[str, Any]:
        value = per_token + rng.normal(0, 0.3, 2 * n)
        sums = {"logprob_sum": value * tokens, "logprob_first": value, "logprob_starts": value * fixed["n_words"]}
        return fixed | sums

    return draw


def _write(columns: dict[str, Any], adapter: Adapter, folder: Path, schema: pa.Schema) -> None:
    path = adapter.path(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    n = len(columns["question_id"])
    keys = {name: np.repeat(value, n) for name, value in adapter._asdict().items()}
    pq.write_table(pa.table({name: (keys | columns)[name] for name in schema.names}, schema=schema), path)


if __name__ == "__main__":
    main()
