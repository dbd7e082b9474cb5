"""What the page shows, collected from a results folder: whole, half finished or damaged."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..core import tables
from ..core.adapters import Adapter, Axes
from ..core.base_rows import BASE, BASE_ROWS
from ..core.errors import InputError
from . import columns, packed_answers

RESULT_TABLES = (
    *("transfer_matrix", "effects", "diagonal", "term_shift", "term_shift_grid"),
    *(
        "position_bias",
        "answer_mass",
        "training_checks",
        "placebo_balance",
        "probes",
        "probe_facts",
        "dose",
        "base_prompts",
    ),
)
"""Tables of `tables/` that the page knows how to show. Others are listed by name."""
QUESTION_TABLES = ("flow", "summary", "rejected", "leakage", "similar", "overlap", "moved")
PLAN_TABLES = ("power", "plan", "cost")
"""Tables of `plan/`, which are there where `snakemake power`, `plan` and `cost` were run."""
_MOST_ROWS = 40_000
_MOST_LOSS_POINTS = 60_000
_MOST_LOSS_POINTS_EACH = 200
_ALL_OF_THEM = "tables/questions.csv and predictions/ have all"


@dataclass
class Collected:
    """The content of a page.

    Attributes:
        data: What is shown, as JSON can hold it.
        packed: Answers and term shifts as bytes, at the offsets that ``data`` names.
        missing: What the grid should have and has not, in words.
        left_out: What would have made the page too large, in words.
    """

    data: dict[str, Any]
    packed: bytearray = field(default_factory=bytearray)
    missing: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def add(self, content: bytes) -> int:
        """Append bytes; returns their offset."""
        at = len(self.packed)
        self.packed += content
        return at


def collect(results: Path, axes: Axes, settings: dict[str, Any], budget: int = 24_000_000) -> Collected:
    """Read everything a page shows. What is missing is named, and never stops the page.

    Args:
        results: The folder of one experiment.
        axes: The grid's axes.
        settings: The configuration as run.
        budget: Bytes of adapters' answers before compression, and ten times those of term shifts, which hardly can be
            compressed, above which the page shows less of the answers (`packed_answers.Room`), or no shifts.
    """
    page = Collected({"axes": axes.model_dump(), "specialties": axes.specialties, "settings": settings})
    page.data["verdict"] = _json(page, results / "tables/verdict.json", "the verdict")
    page.data["summary"] = _text(results / "tables/summary.txt")
    page.data["tables"] = {n: t for n in RESULT_TABLES if (t := _csv(page, results / f"tables/{n}.csv")) is not None}
    page.data["against"] = _csv(page, results / "tables/changes_against.csv")
    for name in PLAN_TABLES:
        if (table := _csv(page, results / f"plan/{name}.csv")) is not None:
            page.data["tables"][name] = table
    page.data["question_tables"] = {
        name: table for name in QUESTION_TABLES if (table := _csv(page, results / f"questions/{name}.csv")) is not None
    }
    page.data["annotation"] = _annotation(page, results / "annotation")
    if "transfer_matrix" not in page.data["tables"]:
        page.missing.append("tables/transfer_matrix.csv: the grid's tables are not made yet")
    shown = {**page.data["tables"], **page.data["question_tables"], **page.data["annotation"]}
    defined = {name: columns.described(Path(name).name, table["columns"]) for name, table in shown.items()}
    page.data["columns"] = defined | columns.of_figures()
    page.data["captions"] = {n: columns.CAPTIONS[key] for n in shown if (key := Path(n).name) in columns.CAPTIONS}
    page.data["questions"] = _questions(page, results)
    page.data["curves"] = list(_curves(page, results, axes))
    _add_answers(page, results, axes, budget)
    _add_term_shifts(page, results, axes, budget)
    page.data["provenance"] = _provenance(results, axes)
    page.data["missing"], page.data["left_out"] = page.missing, page.left_out
    return page


def _annotation(page: Collected, folder: Path) -> dict[str, Any]:
    """Tables of votes, sets and experts' verdicts, by their path; the experts' empty sheet is no result."""
    paths = sorted(path for path in folder.rglob("*.csv") if path.name != "sheet.csv")
    found = {path.relative_to(folder).with_suffix("").as_posix(): _csv(page, path) for path in paths}
    return {name: table for name, table in found.items() if table is not None and table["rows"]}


def _json(page: Collected, path: Path, what: str) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        page.missing.append(f"{path.parent.name}/{path.name}: {what} is not made yet")
    except (OSError, ValueError) as error:
        page.missing.append(f"{path.parent.name}/{path.name}: unreadable ({error})")
    return None


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _csv(page: Collected, path: Path) -> dict[str, Any] | None:
    """A table as columns and rows; None where there is none."""
    if not path.is_file():
        return None
    if tables.is_changed(path):
        page.missing.append(f"{path.parent.name}/{path.name}: edited or cut since it was written")
    try:
        frame = pd.read_csv(path, dtype={"seed": str}, keep_default_na=True)
    except pd.errors.EmptyDataError:
        return None
    except (OSError, ValueError) as error:
        page.missing.append(f"{path.parent.name}/{path.name}: unreadable ({error})")
        return None
    _blank_text_among_numbers(page, path, frame)
    if path.stem == "term_shift" and "seed" in frame:
        frame = frame[frame["seed"] == "all"]
    return _columns(_cut(page, path.name, frame))


def _blank_text_among_numbers(page: Collected, path: Path, frame: pd.DataFrame) -> None:
    """Leave text out of columns that the page draws and counts with, and say so."""
    for name, column in columns.described(path.stem, frame.columns).items():
        if column.kind in columns.NUMBERS and not pd.api.types.is_numeric_dtype(frame[name]):
            numbers = pd.to_numeric(frame[name], errors="coerce")
            if broken := int((numbers.isna() & frame[name].notna()).sum()):
                page.missing.append(f"{path.parent.name}/{path.name}: {broken} cells of {name} hold no number")
                frame[name] = numbers


def _cut(page: Collected, name: str, frame: pd.DataFrame) -> pd.DataFrame:
    """As many rows as the page has room for."""
    if len(frame) > _MOST_ROWS:
        page.left_out.append(f"{name}: {len(frame) - _MOST_ROWS:,} of {len(frame):,} rows")
    return frame.head(_MOST_ROWS)


def _columns(frame: pd.DataFrame) -> dict[str, Any]:
    cells = frame.astype(object).where(frame.notna(), None)
    return {"columns": list(frame.columns), "rows": cells.to_numpy().tolist()}


def _questions(page: Collected, results: Path) -> list[dict[str, Any]]:
    frame = _table(page, results / "test_split/questions.parquet", tables.QUESTIONS)
    if frame is None:
        return []
    frame = frame[frame["split"] == "test"]
    asked = {name for held in frame["specialties"] for name in held}
    page.missing += [f"no test question is of {name}" for name in page.data["specialties"] if name not in asked]
    mentions = _table(page, results / "test_split/mentions.parquet", tables.MENTIONS)
    spans = _spans(mentions) if mentions is not None else {}
    return [
        {
            "id": row.question_id,
            "row": row.source_row,
            "stem": row.stem,
            "options": row.options,
            "answer": row.answer,
            "specialties": row.specialties,
            "mentions": spans.get(row.question_id, []),
        }
        for row in frame.itertuples()
    ]


def _spans(mentions: pd.DataFrame) -> dict[str, list[Any]]:
    """Mentions by question: start, end, whether it is a placebo, its specialties, its id."""
    found: dict[str, list[Any]] = {}
    for m in mentions[mentions["scope"] == "strict"].itertuples():
        found.setdefault(m.question_id, []).append([m.start, m.end, m.kind == "placebo", m.specialties, m.mention_id])
    return found


def _table(page: Collected, path: Path, schema: Any) -> pd.DataFrame | None:
    try:
        return tables.read(path, schema)
    except InputError as error:
        page.missing.append(str(error).replace(f"{path}", "/".join(path.parts[-3:])))
        return None


def _curves(page: Collected, results: Path, axes: Axes) -> Iterator[dict[str, Any]]:
    trained = [adapter for adapter in axes.everything() if adapter.recipe != BASE]
    most = max(20, min(_MOST_LOSS_POINTS_EACH, _MOST_LOSS_POINTS // max(1, len(trained))))
    for adapter in trained:
        path = adapter.path(results / "adapters", "") / "training.csv"
        if not path.is_file():
            page.missing.append(f"the adapter {'/'.join(map(str, adapter))} is not trained yet")
            continue
        try:
            frame = pd.read_csv(path, usecols=["step", "loss"], dtype={"step": int, "loss": float})
        except (OSError, ValueError) as error:
            page.missing.append(f"training.csv of the adapter {'/'.join(map(str, adapter))}: unreadable ({error})")
            continue
        thin = frame.iloc[:: max(1, -(-len(frame) // most))]
        yield {**adapter._asdict(), "step": thin["step"].tolist(), "loss": thin["loss"].round(4).tolist()}


def _scored(results: Path, axes: Axes, stage: str) -> Iterator[tuple[Adapter, Path]]:
    """Every table of a stage that is there: base rows, then adapters."""
    for model in axes.model:
        for row in (BASE, *BASE_ROWS):
            path = results / stage / model / f"{row}.parquet"
            if path.is_file():
                yield Adapter(model, BASE, row, -1), path
    for adapter in axes.everything():
        if adapter.recipe != BASE and (path := adapter.path(results / stage)).is_file():
            yield adapter, path


def _add_answers(page: Collected, results: Path, axes: Axes, budget: int) -> None:
    """Answers of each adapter, cut down as far as there is no room; reliability always."""
    questions = page.data["questions"]
    page.data["answers"], page.data["reliability"] = [], []
    if not questions:
        return
    there = list(_scored(results, axes, "predictions"))
    if wanted := len(axes.everything()) - sum(adapter.train_set not in BASE_ROWS for adapter, _ in there):
        page.missing.append(f"{wanted} of the grid's predictions are not made yet")
    page.data["most_options"] = max(len(q["options"]) for q in questions)
    room = packed_answers.Room(budget)
    for adapter, path in there:
        if (frame := _table(page, path, tables.PREDICTIONS)) is not None:
            _read_adapter(page, adapter, frame, room)
    for key, own in room.entries:
        size = {"offset": page.add(own.packed()), "width": own.width, "orders": own.orders.shape[1]}
        page.data["answers"].append({**key, **size})
    if room.left_out:
        page.left_out.append(f"answers to single questions of {room.left_out} adapters and methods; {_ALL_OF_THEM}")
    elif room.chosen_only:
        page.left_out.append(
            "option probabilities and single orders of adapters: the page has the options that they chose; "
            + _ALL_OF_THEM
        )


def _read_adapter(page: Collected, adapter: Adapter, frame: pd.DataFrame, room: packed_answers.Room) -> None:
    """Keep one adapter's answers, and say where some are missing."""
    questions = page.data["questions"]
    right = np.array([q["answer"] for q in questions])
    read = packed_answers.by_method(frame, [q["id"] for q in questions], right, page.data["most_options"])
    for method, own in read:
        key = {**adapter._asdict(), "method": method}
        page.data["reliability"].append({**key, **packed_answers.reliability(own.answers, right)})
        (room.add_base if adapter.recipe == BASE else room.add)(key, own.answers)
        if unanswered := int(np.isnan(own.right).sum()):
            name = "/".join(map(str, adapter))
            page.missing.append(f"{name}, method {method}: {unanswered} of {len(right)} questions are not answered")


def _add_term_shifts(page: Collected, results: Path, axes: Axes, budget: int) -> None:
    """Shift of each mention's log-probability per token, seeds pooled, in fiftieths of a nat from 128 as zero."""
    page.data["shifts"] = []
    order = [mention.pop() for q in page.data["questions"] for mention in q["mentions"]]
    if not order:
        return
    if 10 * len(order) * len(axes.model) * len(axes.recipe) * len(axes.train_set) > budget:
        page.left_out.append("shifts of single words, by which stems are coloured; term_logprobs/ has all")
        return
    context = (page.data["settings"].get("terms") or {}).get("contexts", ["prompt"])[0]
    index = pd.Index(order)
    for model in axes.model:
        base = _per_token(page, results / f"term_logprobs/{model}/base.parquet", context)
        for recipe in axes.recipe if base is not None else []:
            for train_set in axes.train_set:
                paths = [Adapter(model, recipe, train_set, s).path(results / "term_logprobs") for s in axes.seed]
                own = [t for path in paths if path.is_file() and (t := _per_token(page, path, context)) is not None]
                if not own or base is None:
                    continue
                shift = (sum(own[1:], own[0]) / len(own) - base).reindex(index).to_numpy(dtype=float)
                coded = np.where(np.isnan(shift), 0, np.clip(np.round(128 + 50 * shift), 1, 255)).astype(np.uint8)
                key = {"model": model, "recipe": recipe, "train_set": train_set}
                page.data["shifts"].append({**key, "offset": page.add(coded.tobytes())})


def _per_token(page: Collected, path: Path, context: str) -> "pd.Series[float] | None":
    frame = _table(page, path, tables.TERM_LOGPROBS)
    if frame is None:
        return None
    own = frame[(frame["context"] == context) & (frame["n_tokens"] > 0)]
    return pd.Series(own["logprob_sum"].to_numpy() / own["n_tokens"].to_numpy(), index=own["mention_id"].to_numpy())


def _lasting(record: Any) -> Any:
    """A run record without what differs from run to run, so that equal results give equal pages."""
    passing = ("seconds", "resumed_from_step", "device_seconds")
    return {k: v for k, v in record.items() if k not in passing} if isinstance(record, dict) else record


def _record(path: Path) -> dict[str, Any]:
    """A JSON record; nothing where there is none or it is damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _provenance(results: Path, axes: Axes) -> dict[str, Any]:
    """What was computed with what: rendered prompts, hardware, sources with their licences, digests, records."""
    runs = {a: r for a in axes.everything() if (r := _record(a.path(results / "adapters", "") / "run.json"))}
    models = {model: found for model in axes.model if (found := _record(results / f"models/{model}.json"))}
    sources = {"questions": "questions/source.json", "terms": "terms/mentions.json"}
    found = {
        "prompts": {model: record["frame"] for model, record in models.items() if isinstance(record.get("frame"), str)},
        "hardware and versions": _distinct(runs.values(), ("device", "threads", "versions", "code")),
        "sources, licences and attributions": {
            name: record for name, path in sources.items() if (record := _record(results / path))
        },
        "models": models,
        "one adapter's run record": _lasting(next(iter(runs.values()), {})),
        "digests": _digests(runs),
    }
    return {name: value for name, value in found.items() if value}


def _distinct(records: Iterable[dict[str, Any]], keys: Sequence[str]) -> dict[str, Any]:
    """What the records say under each key: one value where they agree, else every different one."""
    said: dict[str, dict[str, Any]] = {key: {} for key in keys}
    for record in records:
        for key in keys:
            if key in record:
                said[key][json.dumps(record[key], sort_keys=True)] = record[key]
    return {
        key: next(iter(values.values())) if len(values) == 1 else list(values.values())
        for key, values in said.items()
        if values
    }


def _digests(runs: Mapping[Adapter, dict[str, Any]]) -> dict[str, Any]:
    """SHA-256 of each adapter's weights and of its train set."""
    files = ("adapter_sha256", "train_set_sha256")
    rows = [[*adapter, *(record.get(name) for name in files)] for adapter, record in runs.items()]
    return {"columns": [*Adapter._fields, *files], "rows": rows} if rows else {}
