"""Score the whole test set with the base model or one adapter: answers and term log-probabilities in one model load."""

import argparse
import json
from pathlib import Path

from tqdm import tqdm

from neuro2cardio import errors, feasibility, language_models, prompting, scoring, settings, tables, term_probability


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", type=Path, required=True, help="the model's record")
    parser.add_argument("--adapter", type=Path, help="a PEFT folder; without it, the base model")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--mentions", type=Path, required=True)
    parser.add_argument("--settings", required=True, help="JSON: {usage, prompt, inference, terms}")
    parser.add_argument("--keys", required=True, help="JSON: {model, recipe, train_set, seed}")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--predictions", type=Path, required=True)
    parser.add_argument("--term-logprobs", type=Path, required=True)
    args = parser.parse_args()
    given = json.loads(args.settings)
    usage = settings.Usage.model_validate(given["usage"])
    folder = language_models.location(args.record)
    questions = tables.read(args.questions, tables.QUESTIONS).query("split == 'test'")
    mentions = term_probability.by_question(tables.read(args.mentions, tables.MENTIONS))

    prompter = prompting.for_model(folder, usage, settings.Prompt.model_validate(given["prompt"]))
    inference = settings.Inference.model_validate(given["inference"])
    # What cannot be asked of this tokenizer fails here, before weights are loaded.
    print(json.dumps(feasibility.check(prompter, questions, inference, [])), flush=True)
    model = language_models.load(folder, usage.dtype, args.threads)
    if args.adapter:
        model = language_models.with_adapter(model, args.adapter)
    scorer = scoring.Scorer(model, prompter, inference, settings.TermReading.model_validate(given["terms"]))
    size = scorer.inference.batch_questions
    scores = scorer.score(
        prompting.questions_of(questions),
        mentions,
        lambda batches: tqdm(batches, desc=f"batches of {size} questions", unit="batch", mininterval=5),
    )
    keys = json.loads(args.keys)
    tables.write(scores.predictions.assign(**keys), args.predictions, tables.PREDICTIONS)
    tables.write(scores.term_logprobs.assign(**keys), args.term_logprobs, tables.TERM_LOGPROBS)


if __name__ == "__main__":
    errors.run(main)
