"""Checks of configuration files that YAML itself does not make."""

from pathlib import Path

import yaml

from ..core.errors import InputError


def check(path: Path | str) -> None:
    """Refuse a configuration file in which a key is given twice; YAML would silently use the last one.

    Raises:
        InputError: The file is not UTF-8 or not YAML, or a key is given twice; names the key and both lines.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start + 1}); save it as UTF-8") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {error}") from error
    if node is not None and not isinstance(node, yaml.MappingNode):
        raise InputError(f"{path}: should hold keys and values, as config.yaml does")
    _check_node(path, node, "")


def _check_node(path: Path | str, node: yaml.Node | None, place: str) -> None:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _check_node(path, item, place)
    if not isinstance(node, yaml.MappingNode):
        return
    lines: dict[str, int] = {}
    for key, value in node.value:
        name, line = f"{place}{key.value}", key.start_mark.line + 1
        if name in lines:
            raise InputError(
                f"{path}: {name} is given twice, on line {lines[name]} and on line {line}; keep one of them"
            )
        lines[name] = line
        _check_node(path, value, f"{name}.")
