"""Experts check a sample: drawn, handed out as a sheet or a Label Studio project, read back with checks, applied."""

from collections import Counter
from collections.abc import Mapping, Sequence
import csv
from io import StringIO
import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import pandas as pd
import pyarrow as pa

from ..core import tables
from ..core.errors import InputError
from ..core.specialties import SPECIALTIES
from . import labels
from .labels import OTHERS

ID_PREFIX = "q-"
"""Before each id in a sheet: spreadsheets read some bare ids as numbers (12345678e1234567) and write others back."""
SHEET = ("question_id", "question", "options", "answer", "specialty", "also", "comment")
"""Columns of a sheet. Experts fill in `specialty`, and, where they wish, `also` (further ones, split by ``;``)."""
RATINGS = ("question_id", "expert", "specialty", "also", "comment")
TRAIL = pa.schema(
    {
        "question_id": pa.string(),
        "drawn": pa.string(),
        "verdict": pa.string(),
        "before": pa.string(),
        "after": pa.string(),
        "also": pa.list_(pa.string()),
        "experts": pa.string(),
        "agreeing": pa.int64(),
        "ratings": pa.int64(),
    }
)
"""What became of each checked question. `verdict`: `confirmed`, `corrected`, `added` (the vote had no winner) or
`disputed` (no majority of experts; the vote stands)."""
_LISTED = 5


def draw(votes: pd.DataFrame, random: int, per_specialty: int, seed: int) -> pd.DataFrame:
    """The questions to check: columns `question_id` and `drawn`, in random order.

    ``random`` questions are drawn from all, whatever their votes; these alone stand for the data set as a whole. More
    are drawn (``drawn`` = `specialty`) until each of the 15 specialties with accepted questions has ``per_specialty``
    of them, or all it has. A larger sample of the same seed contains the smaller one.
    """
    ids = np.sort(votes["question_id"].to_numpy(str))
    order = np.random.default_rng(seed).permutation(ids).tolist()
    chosen = dict.fromkeys(order[:random], "random")
    accepted = votes[votes["status"] == "accepted"]
    won = dict(zip(accepted["question_id"], accepted["winner"], strict=True))
    have = Counter(won[i] for i in chosen if i in won)
    for question_id in order[random:]:
        winner = won.get(question_id)
        if winner is not None and have[winner] < per_specialty:
            chosen[question_id] = "specialty"
            have[winner] += 1
    return pd.DataFrame([(i, chosen[i]) for i in order if i in chosen], columns=["question_id", "drawn"])


def sheet(sample: pd.DataFrame, questions: pd.DataFrame) -> str:
    """The sample as CSV text (columns of `SHEET`). What the annotator said is not in it: that would sway experts."""
    rows = _rows(sample, questions)
    out = StringIO()
    writer = csv.DictWriter(out, SHEET, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: tables.no_formula(row.get(name, "")) for name in SHEET})
    return out.getvalue()


def label_studio_tasks(sample: pd.DataFrame, questions: pd.DataFrame) -> list[dict[str, Any]]:
    """The sample as tasks to import into a Label Studio project."""
    return [{"data": {name: row[name] for name in SHEET[:4]}} for row in _rows(sample, questions)]


def label_studio_config(candidates: Sequence[str]) -> str:
    """The labelling interface of that project."""
    choices = "\n".join(f"    <Choice value={quoteattr(name)}/>" for name in (*candidates, OTHERS))
    return f"""<View>
  <Header value="Which clinical specialty does this question belong to?"/>
  <Text name="question" value="$question"/>
  <Text name="options" value="$options"/>
  <Text name="answer" value="$answer"/>
  <Choices name="specialty" toName="question" choice="single-radio" required="true" showInline="true">
{choices}
  </Choices>
  <Header value="Which others does it belong to as well, if any?"/>
  <Choices name="also" toName="question" choice="multiple" showInline="true">
{choices}
  </Choices>
  <TextArea name="comment" toName="question" placeholder="Comment"/>
</View>
"""


def read_back(path: Path, expert: str, sample: pd.DataFrame, questions: pd.DataFrame) -> pd.DataFrame:
    """What an expert answered (columns of `RATINGS`), from the CSV sheet or a Label Studio JSON export.

    Every question of the sample must be there once, with its text unchanged; an empty specialty is a question left
    out, which is no error. Raises one `InputError` with all that is wrong: unknown or changed ids, changed questions,
    missing or doubled rows, unknown specialties.
    """
    rows = _read_label_studio(path) if path.suffix == ".json" else _read_csv(path)
    expected = {row["question_id"]: row["question"] for row in _rows(sample, questions)}
    wrong = _wrong_rows(rows, expected)
    ratings = []
    for row in rows:
        try:
            ratings.append(_rating(row, expert))
        except InputError as error:
            wrong.append(f"row {row['question_id']}: {error}")
    if wrong:
        more = f"\n  and {len(wrong) - 20} more" if len(wrong) > 20 else ""
        raise InputError(f"{path} ({expert}):\n  " + "\n  ".join(wrong[:20]) + more)
    return pd.DataFrame(ratings, columns=RATINGS)


def wide(ratings: pd.DataFrame) -> pd.DataFrame:
    """Primary labels as questions x experts, for agreement; empty where an expert left one out."""
    return ratings.pivot(index="question_id", columns="expert", values="specialty").fillna("")


def judge(votes: pd.DataFrame, sample: pd.DataFrame, ratings: pd.DataFrame) -> pd.DataFrame:
    """The verdict of the experts on each checked question (columns of `TRAIL`), in the order of the sample.

    The specialty that more than half of a question's experts gave holds; so do further ones that more than half named.
    """
    before = {
        i: winner if status == "accepted" else ""
        for i, winner, status in zip(votes["question_id"], votes["winner"], votes["status"], strict=True)
    }
    given = dict(list(ratings[ratings["specialty"] != ""].groupby("question_id")))
    rows = []
    for question_id, drawn in zip(sample["question_id"], sample["drawn"], strict=True):
        if question_id in given:
            rows.append((question_id, drawn, *_verdict(before[question_id], given[question_id])))
    return pd.DataFrame(rows, columns=TRAIL.names)


def truth(questions: pd.DataFrame, trail: pd.DataFrame) -> dict[str, list[str]]:
    """The true specialties by question id, the primary first: what accuracy and coverage are measured on.

    Those of the source, where it has any. Else those of the experts, for the randomly drawn questions on which they
    agree: with the ones drawn for their specialty, the sample would not be like the data set. Questions whose primary
    specialty is none of the 15 are left out, since no set can hold it.
    """
    known = {
        i: list(names) for i, names in zip(questions["question_id"], questions["specialties"], strict=True) if names
    }
    if known:
        return known
    random = trail[(trail["drawn"] == "random") & (trail["verdict"] != "disputed") & trail["after"].isin(SPECIALTIES)]
    return {
        i: [after, *(name for name in also if name in SPECIALTIES)]
        for i, after, also in zip(random["question_id"], random["after"], random["also"], strict=True)
    }


def _verdict(before: str, ratings: pd.DataFrame) -> tuple[str, str, str, list[str], str, int, int]:
    n = len(ratings)
    label, agreeing = Counter(ratings["specialty"].tolist()).most_common(1)[0]
    experts = ", ".join(sorted(ratings["expert"]))
    if 2 * agreeing <= n:
        return "disputed", before, before, [], experts, agreeing, n
    named = Counter(name for p, also in zip(ratings["specialty"], ratings["also"], strict=True) for name in {p, *also})
    also = sorted(name for name, count in named.items() if 2 * count > n and name != label)
    verdict = "confirmed" if before == label else "corrected" if before else "added"
    return verdict, before, label, also, experts, agreeing, n


def _rows(sample: pd.DataFrame, questions: pd.DataFrame) -> list[dict[str, str]]:
    by_id = questions.set_index("question_id")
    return [
        {
            "question_id": f"{ID_PREFIX}{question_id}",
            "question": by_id.at[question_id, "stem"],
            "options": "\n".join(by_id.at[question_id, "options"]),
            "answer": by_id.at[question_id, "options"][by_id.at[question_id, "answer"]],
        }
        for question_id in sample["question_id"]
    ]


def _read_csv(path: Path) -> list[dict[str, str]]:
    """A sheet as spreadsheets save it: with or without a byte-order mark, columns split by comma, semicolon or tab."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error}); save it as CSV UTF-8") from error
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    rows = list(csv.DictReader(StringIO(text, newline=""), delimiter=delimiter))
    missing = {"question_id", "question", "specialty", "also"} - set(rows[0] if rows else header.split(delimiter))
    if missing:
        raise InputError(f"{path}: no column {', '.join(sorted(missing))}; a sheet has {', '.join(SHEET)}")
    return [{name: (row.get(name) or "").strip() for name in SHEET} for row in rows]


def _read_label_studio(path: Path) -> list[dict[str, str]]:
    """The JSON export of a project with one annotation a task; cancelled ones count as left out."""
    try:
        tasks = json.loads(path.read_text(encoding="utf-8"))
        return [_task_row(task) for task in tasks]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON ({error})") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a Label Studio export in JSON form (a task lacks {error})") from error


def _task_row(task: Mapping[str, Any]) -> dict[str, str]:
    done = [a for a in task["annotations"] if not a.get("was_cancelled")]
    if len(done) > 1:
        raise InputError(f"task {task.get('id')} has {len(done)} annotations; export each expert's own")
    row = {name: str(task["data"].get(name, "")) for name in SHEET[:4]} | dict.fromkeys(SHEET[4:], "")
    for result in done[0]["result"] if done else []:
        value = result["value"]
        row[result["from_name"]] = ";".join(value.get("choices", value.get("text", [])))
    return row


def _wrong_rows(rows: Sequence[Mapping[str, str]], expected: Mapping[str, str]) -> list[str]:
    ids = [row["question_id"] for row in rows]
    wrong = [f"unknown or changed question_id {i!r}" for i in dict.fromkeys(ids) if i not in expected]
    wrong += [f"row {i} is there {count} times" for i, count in Counter(ids).items() if count > 1 and i in expected]
    missing = [i for i in expected if i not in set(ids)]
    if missing:
        more = ", ..." if len(missing) > _LISTED else ""
        wrong.append(f"{len(missing)} of {len(expected)} rows are missing: {', '.join(missing[:_LISTED])}{more}")
    changed = [row["question_id"] for row in rows if _differs(row["question"], expected.get(row["question_id"]))]
    wrong += [f"row {i}: its question is not the one that was handed out" for i in changed]
    return wrong


def _differs(read: str, handed_out: str | None) -> bool:
    return handed_out is not None and read.removeprefix("'").split() != handed_out.removeprefix("'").split()


def _rating(row: Mapping[str, str], expert: str) -> tuple[str, str, str, list[str], str]:
    primary = labels.canonical(row["specialty"]) if row["specialty"] else ""
    also = [labels.canonical(name.strip()) for name in row["also"].split(";") if name.strip()]
    if also and not primary:
        raise InputError("`also` is filled in and `specialty` is not")
    further = sorted(set(also) - {primary})
    return row["question_id"].removeprefix(ID_PREFIX), expert, primary, further, row["comment"]
