"""Planned against measured memory of scoring and fine-tuning, on the demo's model and questions, on the CPU.

    make demo && PYTHONPATH=workflow/scripts python benchmarks/memory.py

Each line is a process of its own: how much more memory it held at its peak than before it loaded the model. A CPU's
memory is measured by page and holds what the allocator keeps, so expect more than is planned for small models.
"""

import argparse
from pathlib import Path
import subprocess
import sys
import tempfile

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.models import ModelUsage
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.config.terms import TermReading
from neuro2cardio.core import tables
from neuro2cardio.models import fine_tuning, prompting, registry, scoring, term_logprobs
from neuro2cardio.operations import memory

CHECKOUT = Path(__file__).parents[1]
CASES = ["score 1024", "score 4096", "score 16384", "train 4", "train 16"]


def main() -> None:
    """Print one line a case: GB planned, GB measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkout", type=Path, default=CHECKOUT, help="where the demo was run")
    parser.add_argument("--case", help="one of the cases, in this process")
    args = parser.parse_args()
    for case in [args.case] if args.case else CASES:
        if args.case:
            print(f"{case:>12}: {' '.join(f'{gb:.2f}' for gb in measure(case, args.checkout))}", flush=True)
        else:
            command = [sys.executable, __file__, "--checkout", str(args.checkout), "--case", case]
            subprocess.run(command, check=True)


def measure(case: str, checkout: Path) -> tuple[float, float]:
    """Planned and measured GB of a case."""
    what, number = case.split()
    folder = registry.location(checkout / "resources/models/smollm2-135m/model.json")
    prompter = prompting.for_model(folder, ModelUsage(), Prompt())
    test = checkout / "results/demo/test_split"
    questions = prompting.questions_of(tables.read(test / "questions.parquet", tables.QUESTIONS))
    questions = sorted(questions, key=lambda q: -len(q.stem))[: scoring.QUESTIONS_AT_ONCE["cuda"]]
    mentions = term_logprobs.by_question(tables.read(test / "mentions.parquet", tables.MENTIONS))
    size = memory.measured_size(folder)
    # What PyTorch takes for itself at its first work.
    before = _held("VmRSS")
    model = registry.load(folder, "bfloat16", 1)
    Path("/proc/self/clear_refs").write_text("5")
    if what == "score":
        inference = Inference(methods=["letter", "cloze"], batch_tokens=int(number))
        scorer = scoring.Scorer(model, prompter, inference, TermReading(contexts=["prompt"]))
        asked = [query for q in questions for query in scorer._pose(q, mentions.get(q.question_id, ())).queries]
        tree = scoring.logprobs.packed.tree([query.ids for query in asked])
        share = min(1.0, int(number) / tree.tokens)
        read = share * sum(len(query.readings) for query in asked)
        scorer.score(questions, mentions)
        planned = memory.scoring_bytes(size, "bfloat16", share * tree.tokens, read)
    else:
        n = int(number)
        recipe = Recipe(loss="completion", form="cloze", batch_size=n, micro_batch_size=n, epochs=1)
        learned = fine_tuning.examples(prompter, questions, recipe)
        with tempfile.TemporaryDirectory() as scratch:
            fine_tuning.train(model, learned, recipe, 1, Path(scratch), show=False)
        tokens = sum(len(example.input_ids) for example in learned) / len(learned)
        planned = memory.training_bytes(size, recipe, tokens, "bfloat16")
    return planned / 1e9, (_held("VmHWM") - before) / 1e9


def _held(what: str) -> int:
    """Bytes of this process's memory, now (VmRSS) or at its peak (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(what))


if __name__ == "__main__":
    main()
