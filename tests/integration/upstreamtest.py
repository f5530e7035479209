"""An upstream that does what a test says, over TLS, and keeps every byte that it got.

Standard library only; certificates are made by the openssl command.
"""

from __future__ import annotations

import contextlib
import functools
import json
import pathlib
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any

from weirtest import DEADLINE_S


@functools.cache
def certificates() -> pathlib.Path:
    """A directory with ca.pem, and cert.pem and key.pem for localhost and upstream.example."""
    made = tempfile.TemporaryDirectory(prefix="weir-certificates-")
    certificates.keep = made  # type: ignore[attr-defined]
    directory = pathlib.Path(made.name)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)

    openssl("req", "-x509", *curve, "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")
    (directory / "ext").write_text("subjectAltName=DNS:localhost,DNS:upstream.example,IP:127.0.0.1,IP:::1\n")
    openssl("req", *curve, "-subj", "/CN=here", "-keyout", "key.pem", "-out", "csr.pem")
    openssl(
        *("x509", "-req", "-days", "2", "-in", "csr.pem", "-CA", "ca.pem", "-CAkey", "ca.key"),
        *("-CAcreateserial", "-extfile", "ext", "-out", "cert.pem"),
    )
    return directory


class Request:
    """What came, whole."""

    def __init__(self, head: bytes, body: bytes) -> None:
        self.head = head
        self.body = body
        self.trailers: list[str] = []
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ")
        self.headers = [tuple(line.split(": ", 1)) for line in lines[1:] if line]

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key.lower() == name.lower()]
        return ", ".join(values) if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Peer:
    """The upstream's side of one connection."""

    def __init__(self, sock: socket.socket, number: int) -> None:
        self.sock = sock
        self.number = number
        self.raw = b""
        self._buffer = b""

    def _fill(self) -> bool:
        try:
            got = self.sock.recv(65536)
        except OSError:
            return False
        self.raw += got
        self._buffer += got
        return bool(got)

    def until(self, end: bytes) -> bytes | None:
        while end not in self._buffer:
            if not self._fill():
                return None
        at = self._buffer.index(end) + len(end)
        taken, self._buffer = self._buffer[:at], self._buffer[at:]
        return taken

    def exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            if not self._fill():
                break
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def drain(self, count: int) -> int:
        """Reads and forgets; how much came."""
        done = len(self._buffer)
        self._buffer = b""
        while done < count:
            try:
                got = self.sock.recv(1 << 20)
            except OSError:
                break
            if not got:
                break
            done += len(got)
        return done

    def head(self) -> bytes | None:
        return self.until(b"\r\n\r\n")

    def request(self) -> Request | None:
        head = self.head()
        if head is None:
            return None
        made = Request(head[:-4], b"")
        if (length := made.header("content-length")) is not None:
            made.body = self.exactly(int(length))
        elif made.header("transfer-encoding") == "chunked":
            while size := int((self.until(b"\r\n") or b"0").split(b";")[0], 16):
                made.body += self.exactly(size + 2)[:-2]
            while (line := self.until(b"\r\n") or b"\r\n") != b"\r\n":
                made.trailers.append(line[:-2].decode("latin-1"))
        return made

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def answer(
        self, body: Any = b"", status: str = "200 OK", headers: dict[str, str] | None = None
    ) -> None:
        """`body`: bytes as they are, anything else as JSON."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        fields = {"Content-Type": "application/json", "Content-Length": str(len(data))}
        lines = "".join(f"{key}: {value}\r\n" for key, value in (fields | (headers or {})).items())
        self.send(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + data)

    def events(self, first: bytes = b"") -> None:
        """The head of a stream of server-sent events, and its first chunk at once with it."""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.send(head + (b"%x\r\n%s\r\n" % (len(first), first) if first else b""))

    def chunk(self, data: bytes) -> None:
        self.send(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def reset(self) -> None:
        """The connection ends without ceremony."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()  # not by its number: OpenSSL would go on reading whatever gets that next

    def gone(self) -> bool:
        """Waits for the other side to end the connection."""
        while self._fill():
            pass
        return True


def listen(ipv6: bool = False) -> socket.socket:
    if ipv6:
        return socket.create_server(("::1", 0), family=socket.AF_INET6, backlog=128)
    return socket.create_server(("127.0.0.1", 0), backlog=128)


@contextlib.contextmanager
def nobody() -> Iterator[int]:
    """A port on 127.0.0.1 where nobody listens, and that nobody else is given in the block."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


Script = Callable[[Peer, Request], None]


class Upstream:
    """Serves each connection in a thread: `script` answers each request. `on_peer` takes the whole
    connection instead."""

    def __init__(
        self,
        script: Script | None = None,
        on_peer: Callable[[Peer], None] | None = None,
        tls: bool = True,
        ipv6: bool = False,
    ) -> None:
        self.script = script
        self.on_peer = on_peer
        self.requests: list[Request] = []
        self.peers: list[Peer] = []
        self.errors: list[BaseException] = []
        self.server_names: list[str | None] = []  # asked for in the TLS handshake
        self._context: ssl.SSLContext | None = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificates() / "cert.pem", certificates() / "key.pem")
            self._context.sni_callback = lambda sock, name, context: self.server_names.append(name)
        self._listener = listen(ipv6)
        self.port = self._listener.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://{'[::1]' if ipv6 else 'localhost'}:{self.port}"
        self._threads: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def project(self, provider: str = "gemini", path: str = "", key: bool = True) -> str:
        """Lines for [[projects]]."""
        lines = f'provider = "{provider}"\nuse_catalog = false\nbase_url = "{self.url}{path}"\n'
        if self._context:
            lines += f'ca_file = "{certificates() / "ca.pem"}"\n'
        return lines + ('api_key_file = "key"\n' if key else "")

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            sock.settimeout(DEADLINE_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._context:
                sock = self._context.wrap_socket(sock, server_side=True)
        except OSError:
            return
        peer = Peer(sock, len(self.peers))
        self.peers.append(peer)
        with contextlib.closing(sock):
            try:
                if self.on_peer:
                    self.on_peer(peer)
                    return
                while (request := peer.request()) is not None:
                    self.requests.append(request)
                    assert self.script
                    self.script(peer, request)
            except (OSError, ValueError):
                pass  # the other side has gone, or the test has reset it
            except BaseException as error:  # pylint: disable=broad-except
                self.errors.append(error)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # or a thread that waits in accept() would take one more
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(DEADLINE_S)
        self._listener.close()
        for peer in self.peers:
            with contextlib.suppress(OSError):
                peer.sock.close()
        if self.errors:
            raise self.errors[0]
