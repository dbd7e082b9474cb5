"""Data sets of the Hugging Face hub: downloaded once, pinned by revision, stored as Parquet for `table` to read."""

from pathlib import Path
from typing import Any

from ...config.dataset import HuggingFace
from ...core.errors import InputError, nearest
from ...core.files import atomic_write


def fetch(origin: HuggingFace, folder: Path | str) -> None:
    """Write ``{split}.parquet`` to ``folder`` for each split that `origin.splits` maps to, whole or not at all.

    Raises `InputError` where the hub can't be reached, the data set needs a script or a login, or a split is not there.
    """
    from datasets import concatenate_datasets

    loaded = _load(origin)
    for name in origin.splits:
        if name not in loaded:
            raise InputError(f"dataset.origin.splits: {origin.id} has no split {name!r}{nearest(name, loaded)}")
    with atomic_write(folder) as part:
        part.mkdir()
        for ours in sorted(set(origin.splits.values())):
            parts = [loaded[theirs] for theirs, mapped in origin.splits.items() if mapped == ours]
            try:
                concatenate_datasets(parts).to_parquet(part / f"{ours}.parquet")
            except (ValueError, TypeError) as error:
                names = ", ".join(name for name, mapped in origin.splits.items() if mapped == ours)
                raise InputError(
                    f"dataset.origin.splits: the splits {names} of {origin.id} cannot be joined into {ours}, since "
                    f"their columns differ in type; name one of them ({error})"
                ) from error


def _load(origin: HuggingFace) -> Any:
    """The data set's splits by name."""
    from datasets import load_dataset
    from datasets.exceptions import DatasetNotFoundError, DatasetsError
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        return load_dataset(origin.id, name=origin.name, revision=origin.revision)
    except DatasetNotFoundError as error:
        raise InputError(
            f"dataset.origin: {origin.id} at revision {origin.revision} is not on the hub, or requires a login: accept "
            f"its terms on its page and run `hf auth login` ({error})"
        ) from error
    except (ConnectionError, OfflineModeIsEnabled, HfHubHTTPError, OSError) as error:
        raise InputError(
            f"dataset.origin: the hub can't be reached for {origin.id} ({error}); run this step where there is "
            "internet, or use `source: table` with files of your own"
        ) from error
    except (DatasetsError, ValueError, RuntimeError) as error:
        why = error.__cause__ or error
        raise InputError(
            f"dataset.origin: {origin.id} can't be loaded; are its files of unlike types? ({why})"
        ) from error
