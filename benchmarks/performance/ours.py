"""Our side of a comparison, in a process of its own: python ours.py JOB.json ANSWER.json."""

from pathlib import Path
import tempfile
from typing import Any

from common import answer, job, measured

from neuro2cardio.config.inference import Inference, Prompt
from neuro2cardio.config.models import ModelUsage
from neuro2cardio.config.recipes import Recipe
from neuro2cardio.config.terms import TermReading
from neuro2cardio.core import memory
from neuro2cardio.core.imports import without_collector

# As the workflow's jobs do.
memory.keep_freed()
with without_collector():
    from neuro2cardio.models import fine_tuning, prompting, registry, scoring
    from neuro2cardio.models.prompting import Question
    from neuro2cardio.models.term_logprobs import MentionOffsets


def main() -> None:
    """Measure one job, after a warm-up on its first question."""
    given = job()
    folder = Path(given["model"])
    model = registry.load(folder, "bfloat16", given["threads"])
    prompter = prompting.for_model(folder, ModelUsage(), Prompt())
    asked = [Question(q["id"], q["stem"], tuple(q["options"]), q["answer"]) for q in given["questions"]]
    if given["work"] == "train":
        answer(_train(given, model, prompter, asked))
        return
    terms = TermReading(contexts=given["contexts"])
    scorer = scoring.Scorer(model, prompter, Inference(methods=given["methods"]), terms)
    mentions = (
        {q["id"]: [MentionOffsets(*m) for m in q["mentions"]] for q in given["questions"]} if given["terms"] else {}
    )
    scorer.score(asked[:1], mentions)
    found = measured(lambda: scorer.score(asked, mentions).predictions)
    rows = found["result"].to_dict("records")
    found["result"] = {f"{r['question_id']} {r['method']} {r['permutation']}": list(r["option_logprobs"]) for r in rows}
    answer(found)


def _train(given: dict[str, Any], model: Any, prompter: Any, asked: list[Question]) -> dict[str, Any]:
    recipe = Recipe(
        loss=given["loss"],
        form="letter",
        epochs=1,
        batch_size=given["batch"],
        micro_batch_size=given["micro"],
        warmup=0,
    )
    learned = fine_tuning.examples(prompter, asked, recipe)
    with tempfile.TemporaryDirectory() as scratch:
        found = measured(lambda: fine_tuning.train(model, learned, recipe, 1, Path(scratch), show=False).curve)
    found["result"] = {"loss": [float(found["result"]["loss"].mean())]}
    return found


if __name__ == "__main__":
    main()
