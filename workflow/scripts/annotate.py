"""Ask an annotator for the specialty of every question, in five ways; or say what that would take (--estimate)."""

import argparse
from pathlib import Path
import shutil

import pandas as pd

from neuro2cardio.annotation import annotators, prompts
from neuro2cardio.annotation.task import Task
from neuro2cardio.core import errors, files, gpus, tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", type=Path, required=True, help="the job's settings (JSON)")
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--responses", type=Path, help="openai: the file that keeps every response")
    parser.add_argument("--record", type=Path, help="transformers: the model's record")
    parser.add_argument("--parts", type=Path, help="transformers: a folder from which a killed job goes on")
    parser.add_argument("--lexicon", type=Path, help="lexicon: its table")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--gpus", type=int, default=0, help="how many the job may use")
    parser.add_argument("--estimate", action="store_true", help="send nothing; write what is left to do and its cost")
    parser.add_argument("--out", type=Path, required=True, help="answers (Parquet), or the estimate (text)")
    args = parser.parse_args()
    questions = tables.read(args.questions, tables.QUESTIONS)
    task = Task.read(args.settings)

    forecast = task.forecast(questions, args.responses)
    print(forecast, flush=True)
    if args.estimate:
        files.write_text(args.out, f"{forecast}\n")
        return
    with gpus.taken(args.gpus):
        answers = ask(task, questions, args)
    tables.write(answers, args.out, annotators.ANSWERS)
    if args.parts:
        shutil.rmtree(args.parts)
    print(f"{len(answers)} answers, {(answers['label'] == '').sum()} without a label")


def ask(task: Task, questions: pd.DataFrame, args: argparse.Namespace) -> pd.DataFrame:
    annotator = task.annotator(args.responses, args.record, args.lexicon, args.threads, args.gpus)
    if not args.parts:
        return annotator.annotate(questions)
    texts = prompts.load(task.annotation.prompts)
    made_from = "".join([task.model_dump_json(), args.record.read_text(encoding="utf-8"), *texts.values()])
    return annotators.in_parts(annotator, questions, args.parts, made_from)


if __name__ == "__main__":
    errors.run(main)
