"""A real HTTP server on this machine with OpenAI's chat completions, which misbehaves when told to."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import json
import threading
import time

Answer = Callable[[str], str]


class ChatServer:
    """Answers prompts with `answer`. The first requests get the behaviours of `script`, by name, instead.

    `asked` lists the idempotency keys of all requests that came in, `answered` those whose answer went out whole.
    """

    def __init__(self, answer: Answer, script: list[str], delay: float) -> None:
        self.answer, self.script, self.delay = answer, list(script), delay
        self.asked: list[str] = []
        self.answered: list[str] = []
        self.keys_seen: set[str] = set()
        self.times: list[float] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @contextmanager
    def running(self) -> Iterator["ChatServer"]:
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                owner._serve(self)

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        request = json.loads(handler.rfile.read(int(handler.headers["content-length"])))
        key = handler.headers["idempotency-key"]
        with self._lock:
            self.asked.append(key)
            self.times.append(time.monotonic())
            self.keys_seen.add(handler.headers["authorization"])
            behaviour = self.script.pop(0) if self.script else "ok"
        time.sleep(self.delay)
        try:
            if self._behave(handler, behaviour, request):
                with self._lock:
                    self.answered.append(key)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the client was killed while it waited

    def _behave(self, handler: BaseHTTPRequestHandler, behaviour: str, request: dict) -> bool:
        body = self._completion(request, "length" if behaviour == "length" else "stop")
        if behaviour in ("ok", "length"):
            self._send(handler, 200, body)
        elif behaviour.isdigit():
            authorization = handler.headers["authorization"]
            error = {"error": {"message": f"no: {authorization}", "type": "scripted"}}
            headers = {"retry-after": "0.2"} if behaviour == "429" else {}
            self._send(handler, int(behaviour), json.dumps(error).encode(), headers)
        elif behaviour == "truncated":
            handler.send_response(200)
            handler.send_header("content-type", "application/json")
            handler.send_header("content-length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body[: len(body) // 2])
            handler.close_connection = True
            handler.connection.close()
        elif behaviour == "silent":
            time.sleep(1.5)
        elif behaviour == "not-json":
            self._send(handler, 200, b"<html>Bad gateway</html>")
        elif behaviour == "no-choices":
            self._send(handler, 200, json.dumps({"id": "x", "object": "chat.completion", "choices": []}).encode())
        else:
            raise AssertionError(f"unknown behaviour {behaviour!r}")
        return behaviour in ("ok", "length")

    def _completion(self, request: dict, finish_reason: str) -> bytes:
        text = self.answer(request["messages"][0]["content"])
        message = {"role": "assistant", "content": text}
        used = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
        choice = {"index": 0, "message": message, "finish_reason": finish_reason}
        made = {"id": "1", "object": "chat.completion", "created": 0, "model": request["model"]}
        return json.dumps({**made, "choices": [choice], "usage": used}).encode()

    def _send(
        self, handler: BaseHTTPRequestHandler, status: int, body: bytes, headers: dict[str, str] | None = None
    ) -> None:
        handler.send_response(status)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(body)))
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def chat_server(
    answer: Answer = lambda _: "Specialty: Cardiology", script: list[str] | None = None, delay: float = 0.0
) -> Iterator[ChatServer]:
    """A `ChatServer` on a free port for the length of the block."""
    with ChatServer(answer, script or [], delay).running() as server:
        yield server
