"""Ours against what people would use instead, on the same questions, model, precision and threads.

    make bench QUESTIONS=S-MedQA_validation.json          # about 3 minutes, after the peers were installed
    make bench QUESTIONS=S-MedQA_validation.json LONG=1
    PYTHONPATH=workflow/scripts python benchmarks/performance/bench.py --notes   # measures nothing: the notes alone

Both sides run in turn, each in a process of its own, several rounds. What is compared is the CPU time (user and system)
that a round took; wall clock stands beside it. Where the numbers of both sides differ by more than rounding explains,
there is no ratio but an error. Writes docs/performance.md and docs/performance.svg after each work; of a run that was
ended early, the page has what was measured, and names what is missing. Behind the figure stands
docs/performance-notes.md, word for word.
"""

import argparse
from datetime import UTC, datetime
from importlib.metadata import version
import json
import os
from pathlib import Path
import platform
import random
import re
from statistics import median
import subprocess
import sys
import tempfile
from typing import Any

import numpy as np

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.models import ModelUsage
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.models import fine_tuning, prompting, registry, scoring
from neuro2cardio.models.prompting import LETTERS, Prompter, Question

HERE = Path(__file__).parent
CHECKOUT = HERE.parents[1]
MEAN_GAP, LARGEST_GAP = 0.15, 1.0
"""Differences of log-probabilities per token, in nats, that bfloat16 logits (steps of 0.125) explain."""
LOSS_GAP = 0.03
"""Difference of mean losses, as a share. Of few labels, three standard errors of what `MEAN_GAP` makes of each count:
of 8 letters and their ends, the peer's network gave 2.93 with one question a pass in bfloat16 and 2.89 in float32."""
FIGURE = "![times faster than the peer](performance.svg)"
"""The last line of the page that is measured."""
WORKS: dict[str, dict[str, Any]] = {
    "letters, 4 orders": {"methods": ["letter"], "goal": 4.0},
    "option texts": {"methods": ["cloze"], "goal": 4.5},
    "both, with terms in the prompt": {"methods": ["letter", "cloze"], "terms": True, "goal": 6.0},
    "completion loss, TRL's default": {"work": "train", "loss": "completion", "checkpointing": True, "goal": 3.5},
    "completion loss, no checkpointing": {"work": "train", "loss": "completion", "checkpointing": False, "goal": 3.0},
    "full loss, TRL's default": {"work": "train", "loss": "full", "checkpointing": True, "goal": 2.2},
    "full loss, no checkpointing": {"work": "train", "loss": "full", "checkpointing": False, "long": True},
}
"""What is compared; ``goal`` is the ratio to reach, and ``long`` what only the long form runs."""


def main() -> None:
    """Run all comparisons, print a line each, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    work = parser.add_mutually_exclusive_group(required=True)
    work.add_argument("--questions", type=Path, help="S-MedQA's JSON: Question, Options, Answer")
    work.add_argument("--notes", action="store_true", help="put the notes into the page again; measure nothing")
    parser.add_argument("--model", type=Path, default=CHECKOUT / "resources/models/smollm2-135m/model.json")
    parser.add_argument("--peers", type=Path, default=CHECKOUT / ".venv-peers/bin/python")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--docs", type=Path, default=CHECKOUT / "docs")
    args = parser.parse_args()
    if args.notes:
        page = args.docs / "performance.md"
        page.write_text(with_notes(page.read_text(encoding="utf-8"), args.docs), encoding="utf-8")
        return
    rounds, scored, trained = (5, 64, 64) if args.long else (2, 6, 8)
    folder = args.model if args.model.is_dir() else registry.location(args.model)
    prompter = prompting.for_model(folder, ModelUsage(), Prompt())
    form = (
        f"{'Long' if args.long else 'Short'} form: {scored} questions scored, {trained} trained on, "
        f"{rounds} rounds, threads: {args.threads}."
    )
    works = {name: work for name, work in WORKS.items() if args.long or not work.get("long")}
    rows = []
    for name, work in works.items():
        n = trained if work.get("work") else scored
        job = _job(work, prompter, folder, _questions(args.questions, n), args.threads)
        rows.append(compare(name, job, args.peers, rounds, n))
        print(_line(rows[-1]), flush=True)
        # After each: a run that is ended early leaves what it measured.
        missing = [other for other in works if other not in {row["name"] for row in rows}]
        _write(rows, args.docs, f"{form} Ended before: {'; '.join(missing)}." if missing else form)


def compare(name: str, job: dict[str, Any], peers: Path, rounds: int, n: int) -> dict[str, Any]:
    """Both sides in turn; ratios of medians, and the range of the ratios of the rounds."""
    sides: dict[str, list[dict[str, Any]]] = {"ours": [], "peer": []}
    for i in range(rounds):
        for side in ("ours", "peer") if i % 2 == 0 else ("peer", "ours"):
            python = sys.executable if side == "ours" else str(peers)
            sides[side].append(_run(python, "ours.py" if side == "ours" else "peers.py", job))
    gap = _same(job, sides["ours"][0]["result"], sides["peer"][0]["result"])
    found: dict[str, Any] = {"name": name, "gap": gap}
    for what in ("cpu", "wall", "memory"):
        ours, peer = ([side[what] for side in sides[key]] for key in ("ours", "peer"))
        pairs = [p / o for o, p in zip(ours, peer, strict=True)]
        found[what] = (median(peer) / median(ours), min(pairs), max(pairs), median(ours) / n, median(peer) / n)
    found["memory_gb"] = tuple(median(run["memory"] for run in sides[key]) for key in ("ours", "peer"))
    return found


def _job(work: dict[str, Any], prompter: Prompter, folder: Path, asked: list[Question], threads: int) -> dict[str, Any]:
    job = {"work": "score", "terms": False, "contexts": ["prompt"], "threads": threads, "model": str(folder), **work}
    job |= {"batch": 8, "micro": 4, "peer_batch": 16}
    job["questions"] = [
        {"id": q.question_id, "stem": q.stem, "options": q.options, "answer": q.answer, "mentions": _mentions(q)}
        for q in asked
    ]
    if job["work"] == "train":
        recipe = Recipe(loss=job["loss"], form="letter")
        examples = fine_tuning.examples(prompter, asked, recipe)
        job["examples"] = [{"ids": e.input_ids, "labels": e.labels} for e in examples]
    else:
        job["posed"] = [posed for q in asked for method in job["methods"] for posed in _posed(prompter, q, method)]
    return job


def _posed(prompter: Prompter, question: Question, method: Any) -> list[dict[str, Any]]:
    """The texts of a question for the peer: a context for each order, and what may follow it in content order."""
    found = []
    n = len(question.options)
    for p in range(scoring.permutations(Inference(), method, question)):
        texts = question.options if method == "cloze" else [LETTERS[(i + p) % n] for i in range(n)]
        posed = [prompter.pose(question, method, text, p) for text in texts]
        cuts = [tokens.offsets[tokens.answer][0] for tokens in posed]
        found.append(
            {
                "key": f"{question.question_id} {method} {p}",
                "method": method,
                "context": posed[0].text[: cuts[0]],
                "continuations": [tokens.text[cut:] for tokens, cut in zip(posed, cuts, strict=True)],
                "tokens": [len(tokens.ids) - tokens.answer for tokens in posed],
            }
        )
    return found


def _mentions(question: Question) -> list[tuple[str, int, int]]:
    """Every ninth word stands for a term."""
    words = list(re.finditer(r"\w+", question.stem))[3::9]
    return [(f"{question.question_id}-{i}", word.start(), word.end()) for i, word in enumerate(words)]


def _questions(path: Path, n: int) -> list[Question]:
    rows = json.loads(path.read_text(encoding="utf-8"))
    random.Random(1).shuffle(rows)
    return [
        Question(f"q{i}", row["Question"], tuple(row["Options"]), row["Options"].index(row["Answer"]))
        for i, row in enumerate(rows[:n])
    ]


def _run(python: str, script: str, job: dict[str, Any]) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        given, answer = Path(scratch) / "job.json", Path(scratch) / "answer.json"
        given.write_text(json.dumps(job), encoding="utf-8")
        environment = {
            **os.environ,
            "PYTHONPATH": str(CHECKOUT / "workflow/scripts") if script == "ours.py" else "",
            "OMP_NUM_THREADS": str(job["threads"]),
            "OMP_WAIT_POLICY": "PASSIVE",
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
        }
        run = subprocess.run(
            [python, str(HERE / script), str(given), str(answer)], env=environment, capture_output=True, text=True
        )
        if run.returncode:
            raise SystemExit(f"{script} failed:\n{run.stderr[-3000:]}")
        found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
        return found


def _same(job: dict[str, Any], ours: dict[str, Any], peer: dict[str, Any]) -> float:
    """Mean difference per token, in nats. Ends the program where it is more than rounding explains."""
    if job["work"] == "train":
        gap = abs(ours["loss"][0] - peer["loss"][0])
        labels = sum(label != -100 for example in job["examples"] for label in example["labels"])
        if gap > max(LOSS_GAP * max(1.0, peer["loss"][0]), 3 * MEAN_GAP * (2 / labels) ** 0.5):
            raise SystemExit(
                f"not the same work: our mean loss is {ours['loss'][0]:.3f}, the peer's {peer['loss'][0]:.3f}"
            )
        return gap
    gaps = []
    for posed in job["posed"]:
        sums = np.array(peer[posed["key"]])
        means = sums / posed["tokens"] if posed["method"] == "cloze" else sums
        gaps += np.abs(means - ours[posed["key"]]).tolist()
    if float(np.mean(gaps)) > MEAN_GAP or max(gaps) > LARGEST_GAP:
        raise SystemExit(
            f"not the same work: log-probabilities differ by {np.mean(gaps):.3f} on average, {max(gaps):.3f} at most"
        )
    return float(np.mean(gaps))


def _line(row: dict[str, Any]) -> str:
    cpu, wall, memory = row["cpu"], row["wall"], row["memory_gb"]
    return (
        f"{row['name']:34} CPU {cpu[0]:.2f} times faster [{cpu[1]:.2f}, {cpu[2]:.2f}] ({cpu[3]:.3f} s against "
        f"{cpu[4]:.3f} s a question); wall {wall[0]:.2f}; memory {memory[0]:.2f} against {memory[1]:.2f} GB; "
        f"difference {row['gap']:.3f}"
    )


def _write(rows: list[dict[str, Any]], docs: Path, form: str) -> None:
    cpu = (
        re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text()) if Path("/proc/cpuinfo").exists() else None
    )
    machine = f"{cpu[1] if cpu else platform.processor()}, {os.cpu_count()} cores, no GPU"
    ours = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers", "peft"))
    lines = [
        "# Speed and memory, against what people would use instead",
        "",
        "Written by `make bench`; numbers are measured, never entered by hand.",
        "",
        f"{datetime.now(UTC):%d %B %Y}. {machine}. {ours}; lm-eval 0.4.13, TRL 1.16.0.",
        f"SmolLM2-135M in bfloat16, S-MedQA questions. {form}",
        "",
        "Times are CPU seconds (user and system) a question: on a machine that others use too, wall clock",
        "says less. A ratio is the peer's median by ours, in brackets the range over rounds run in turn.",
        "",
        "| work | times faster | ours, s | peer, s | wall clock, times | GB, ours | GB, peer | goal |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        c, m = row["cpu"], row["memory_gb"]
        lines.append(
            f"| {row['name']} | {c[0]:.2f} [{c[1]:.2f}, {c[2]:.2f}] | {c[3]:.3f} | {c[4]:.3f} | {row['wall'][0]:.2f} | "
            f"{m[0]:.2f} | {m[1]:.2f} | {WORKS[row['name']].get('goal', '-')} |"
        )
    page = "\n".join([*lines, "", FIGURE, ""])
    (docs / "performance.md").write_text(with_notes(page, docs), encoding="utf-8")
    _figure(rows, docs / "performance.svg")


def with_notes(page: str, docs: Path) -> str:
    """The page up to its figure, which was measured, and behind it the notes as they are now."""
    measured, figure, _ = page.partition(FIGURE)
    notes = docs / "performance-notes.md"
    return f"{measured}{figure}\n" + (f"\n{notes.read_text(encoding='utf-8')}" if notes.exists() else "")


def _figure(rows: list[dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "performance"
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3), layout="constrained")
    names = [row["name"] for row in rows][::-1]
    ratios = [row["cpu"] for row in rows][::-1]
    axes.barh(names, [r[0] for r in ratios], color="#4477aa")
    spans = [[r[0] - min(r[0], r[1]) for r in ratios], [max(r[0], r[2]) - r[0] for r in ratios]]
    axes.errorbar([r[0] for r in ratios], names, xerr=spans, fmt="none", ecolor="black", capsize=3)
    goals = [(WORKS[name]["goal"], name) for name in names if "goal" in WORKS[name]]
    axes.scatter(*zip(*goals, strict=True), marker="|", s=120, color="#cc3311", label="goal", zorder=3)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_xlabel("times less CPU time than the peer")
    axes.legend(frameon=False)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    main()
