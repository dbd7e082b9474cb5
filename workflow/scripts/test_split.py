"""Cut the test split out of the question table and the mentions."""

import argparse
from pathlib import Path

from neuro2cardio.core import errors, tables


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--mentions", type=Path, required=True)
    parser.add_argument("--test-questions", type=Path, required=True)
    parser.add_argument("--test-mentions", type=Path, required=True)
    args = parser.parse_args()
    questions = tables.read(args.questions, tables.QUESTIONS).query("split == 'test'")
    mentions = tables.read(args.mentions, tables.MENTIONS)
    tables.write(questions, args.test_questions, tables.QUESTIONS)
    own = mentions[mentions["question_id"].isin(questions["question_id"])]
    tables.write(own, args.test_mentions, tables.MENTIONS)


if __name__ == "__main__":
    errors.run(main)
