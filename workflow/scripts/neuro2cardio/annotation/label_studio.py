"""Label Studio: the project that experts label in, and its exports."""

from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from ..core import records
from ..core.records import NotText, Record

SHOWN = ("question_id", "question", "options", "answer")
"""What a task shows."""
FILLED_IN = ("specialty", "also", "comment")
"""The controls of the labelling interface."""
_ANNOTATIONS = ("annotations", "completions")
"""Where a task has what was labelled; the second name is that of versions before 1.0."""
_OWN_COLUMNS = frozenset({"annotation_id", "annotator", "lead_time"})


def tasks(rows: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Rows of `sheets.hand_out` as tasks to import into a project."""
    return [{"data": {name: row[name] for name in SHOWN}} for row in rows]


def config(allowed: Sequence[str]) -> str:
    """The labelling interface of that project, which offers the allowed names."""
    choices = "\n".join(f"    <Choice value={quoteattr(name)}/>" for name in allowed)
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


def is_json_export(found: Sequence[Record]) -> bool:
    """Whether records are the tasks of a JSON export, each with its data and annotations."""
    return any(isinstance(record.values.get("data"), Mapping) for record in found)


def is_flat_export(columns: Mapping[str, None]) -> bool:
    """Whether columns are those of a CSV, TSV or JSON-MIN export: a row for each annotation, none for empty tasks."""
    return bool(_OWN_COLUMNS & columns.keys())


def sheet_row(task: Record) -> Record:
    """A task of a JSON export as a row of a sheet, with lists of names.

    Relations, regions of other controls, predictions and drafts are passed over. A task without an annotation, and one
    whose annotations were cancelled (skipped), is a question left out.
    """
    try:
        return Record(task.row, _row(task.values), task.problem)
    except NotText as problem:
        return Record(task.row, _shown(task.values), str(problem))


def _shown(task: Mapping[str, Any]) -> dict[str, Any]:
    data = task.get("data")
    return {name: data.get(name) for name in SHOWN} if isinstance(data, Mapping) else {}


def _row(task: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(task.get("data"), Mapping):
        raise NotText("a task without `data`")
    done = [annotation for annotation in _annotations(task) if not annotation.get("was_cancelled")]
    if len(done) > 1:
        raise NotText(f"task {task.get('id')} has {len(done)} annotations; export each expert's own")
    return _shown(task) | (_labels(done[0]) if done else dict.fromkeys(FILLED_IN))


def _annotations(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = [task[name] for name in _ANNOTATIONS if task.get(name) is not None]
    if not found and not any(name in task for name in _ANNOTATIONS):
        raise NotText("a task without `annotations`: export the project as JSON, not its tasks")
    every = [annotation for annotations in found for annotation in _list(annotations, "annotations")]
    if not all(isinstance(annotation, Mapping) for annotation in every):
        raise NotText("an annotation that is not an object")
    return every


def _labels(annotation: Mapping[str, Any]) -> dict[str, Any]:
    """What each control holds, from the regions of an annotation."""
    held: dict[str, list[str]] = {name: [] for name in FILLED_IN}
    others = []
    for region in _list(annotation.get("result") or [], "result"):
        value = region.get("value") if isinstance(region, Mapping) else None
        # Relations between regions have no value.
        if not isinstance(value, Mapping):
            continue
        name = region.get("from_name")
        if name in held:
            held[name] += map(records.text, _list(value.get("choices", value.get("text", [])), str(name)))
        elif "choices" in value:
            others.append(str(name))
    if others and not held["specialty"]:
        raise NotText(f"choices of {', '.join(sorted(set(others)))}, and none of `specialty`, as config.xml names it")
    return {"specialty": held["specialty"], "also": held["also"], "comment": "\n".join(held["comment"])}


def _list(value: Any, what: str) -> list[Any]:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise NotText(f"{what}: not a list")
    return value
