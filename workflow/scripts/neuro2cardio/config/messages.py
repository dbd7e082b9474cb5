"""Turns validation errors of the configuration into sentences."""

import re
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from pydantic import BaseModel

from ..core.errors import nearest


def explain(settings: type[BaseModel], error: Any) -> str:
    """One of pydantic's errors as a sentence: the key, the value, and the remedy."""
    tags = {"s-medqa", "hpo", "huggingface", "table", "pypi", "hub", "path"}
    tags |= {"embedded", "scispacy", "snowstorm", "json", "openai", "transformers", "lexicon"}
    location = _without_tags(error["loc"], tags)
    if error["type"] == "value_error" and isinstance(error["input"], dict) and location[-1:] and location[-1] in tags:
        # The error is about a whole section, so the tag that chose its class comes last.
        location.pop()
    key = ".".join(location) or "config"
    if error["type"] == "extra_forbidden":
        return f"{key}: unknown key{nearest(location[-1], _keys_beside(settings, error['loc']))}"
    if error["type"] == "union_tag_invalid":
        known = [tag.strip("'") for tag in error["ctx"]["expected_tags"].split(", ")]
        tag, discriminator = error["ctx"]["tag"], error["ctx"]["discriminator"].strip("'")
        return f"{key}.{discriminator}: {tag!r} is unknown{nearest(tag, known)}"
    if error["type"] == "union_tag_not_found":
        return f"{key}.{error['ctx']['discriminator'].strip(chr(39))}: missing; it has no default"
    if error["type"] == "missing":
        return f"{key}: missing; it has no default"
    message = error["msg"].removeprefix("Value error, ")
    shown = "" if isinstance(error["input"], dict) or _may_be_secret(location, error["input"]) else repr(error["input"])
    return f"{key}: {message} (got {shown})" if shown else f"{key}: {message}"


def _may_be_secret(location: list[str], value: Any) -> bool:
    """Whether a value may hold a key or a password: messages end up in logs."""
    return location[-1:] == ["key_variable"] or re.search(r"\S:\S*@", str(value)) is not None


def _without_tags(location: tuple[Any, ...], tags: set[str]) -> list[str]:
    """Drop the union tags that pydantic adds to a location; they are not keys of the user."""
    parts = [str(p) for p in location]
    return [p for i, p in enumerate(parts) if not (p in tags and i and i < len(parts) - 1)]


def _keys_beside(settings: type[BaseModel], location: tuple[Any, ...]) -> list[str]:
    """The valid keys at the place of an unknown one."""
    annotation: Any = settings
    for part in location[:-1]:
        annotation = _step(annotation, part)
    return list(_plain(annotation).model_fields)


def _step(annotation: Any, part: Any) -> Any:
    """The type at one part of an error's location: of a field, a dict's value, or a union's member."""
    annotation = _plain(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation.model_fields[part].annotation
    if get_origin(annotation) is dict:
        return get_args(annotation)[1]
    if get_origin(annotation) is list:
        return get_args(annotation)[0]
    for member in get_args(annotation):
        tag = member.model_fields.get("source") or member.model_fields.get("backend")
        if tag is not None and part in get_args(tag.annotation):
            return member
    return annotation


def _plain(annotation: Any) -> Any:
    """A type without what is said about it, and without the None that may stand in its place."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    members = [member for member in get_args(annotation) if member is not NoneType]
    return _plain(members[0]) if NoneType in get_args(annotation) and len(members) == 1 else annotation
