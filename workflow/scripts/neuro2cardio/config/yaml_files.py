"""Checks of configuration files that neither YAML nor Snakemake makes, or that end in a traceback there."""

from pathlib import Path

import yaml

from ..core.errors import InputError, nearest


def check(path: Path | str) -> None:
    """Refuse a configuration file that can't be read, or gives a key twice; YAML would silently use the last one.

    Raises:
        InputError: The file is missing, a folder, not UTF-8, not YAML or empty, or a key is given twice; names the key
            and both lines.
    """
    path = Path(path)
    try:
        node = yaml.compose(path.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    except FileNotFoundError as error:
        link = f" ({path} is a link to {path.readlink()})" if path.is_symlink() else _others(path)
        raise InputError(f"there is no configuration file {path}{link}") from error
    except OSError as error:
        raise InputError(f"{path}: can't be read as a configuration file: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (byte {error.start + 1}); save it as UTF-8") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not YAML: {error}") from error
    if not isinstance(node, yaml.MappingNode):
        raise InputError(f"{path}: should hold keys and values, as config.yaml does")
    _check_node(path, node, "")


def _others(path: Path) -> str:
    """The nearest name of the folder's YAML files, for a file that is not there."""
    names = [file.name for file in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    return nearest(path.name, names) if names else ""


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
