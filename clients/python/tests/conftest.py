"""What the tests ask: a real gateway for what is served, a small server of their own for what breaks."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from featuregraph import FeatureGraph

Reply = Callable[[BaseHTTPRequestHandler], None]


@dataclass(frozen=True)
class Gateway:
    """As test/clients/python.test.ts has started it."""

    url: str
    key: str
    read_key: str


@pytest.fixture(scope="session")
def gateway() -> Gateway:
    url = os.environ.get("TEST_GATEWAY_URL")
    if url is None:
        pytest.exit("TEST_GATEWAY_URL is not set: these tests are run by test/clients/python.test.ts", 2)
    return Gateway(url, os.environ["TEST_GATEWAY_KEY"], os.environ["TEST_GATEWAY_READ_KEY"])


@pytest.fixture(scope="session")
def fg(gateway: Gateway) -> Iterator[FeatureGraph]:
    with FeatureGraph(gateway.url, gateway.key) as client:
        yield client


@dataclass
class Scripted:
    """A server that answers each request with the next of its replies, and the last again and again."""

    url: str = ""
    replies: list[Reply] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, _, body in self.requests]

    def bodies_of(self, path: str) -> list[Any]:
        return [json.loads(body) for _, asked, _, body in self.requests if asked == path]


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            script.requests.append((self.command, self.path, headers, body))
            place = min(len(script.requests), len(script.replies)) - 1
            script.replies[place](self)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    script.url = f"http://127.0.0.1:{server.server_port}"
    yield script
    server.shutdown()
    server.server_close()


def answer(body: Any, status: int = 200, **headers: str) -> Reply:
    """JSON, or bytes as they are."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        handler.send_response(status)
        for name, value in {"content-length": str(len(content)), **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return reply


def error(code: str, status: int = 200, message: str = "so it is", **headers: str) -> Reply:
    """An answer without data."""
    extensions = {"code": code, "requestId": "r-1"}
    return answer({"errors": [{"message": message, "extensions": extensions}]}, status, **headers)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True
