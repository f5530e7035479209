"""WebSockets, byte by byte: a client for the daemon, and the server's side for an upstream of ours.

Standard library only: what passes is what a test wrote, and nothing is answered on its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import socket
import struct
from typing import Any

from upstreamtest import Peer, Request
from weirtest import DEADLINE_S

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
LIVE = "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent"


def frame(opcode: int, payload: bytes, mask: bytes | None = None, last: bool = True) -> bytes:
    size = len(payload)
    if size < 126:
        length = struct.pack("!B", size)
    else:
        length = struct.pack("!BH", 126, size) if size <= 0xFFFF else struct.pack("!BQ", 127, size)
    head = bytes([opcode | (0x80 if last else 0), length[0] | (0x80 if mask else 0)]) + length[1:]
    if not mask:
        return head + payload
    return head + mask + masked(payload, mask)


def masked(payload: bytes, mask: bytes) -> bytes:
    key = int.from_bytes(mask * (len(payload) // 4 + 1), "big") >> 8 * (4 - len(payload) % 4)
    return (int.from_bytes(payload, "big") ^ key).to_bytes(len(payload), "big")


def closing(code: int, reason: str = "") -> bytes:
    return struct.pack("!H", code) + reason.encode()


def accept_key(key: str) -> str:
    digest = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
    return base64.b64encode(digest).decode()


class Frames:
    """Reads frames from something that reads exactly so many bytes."""

    def __init__(self, exactly: Any) -> None:
        self._exactly = exactly

    def __call__(self) -> tuple[int, bytes]:
        """Opcode and payload of the next frame; (-1, b"") at the end of the stream."""
        head = self._exactly(2)
        if len(head) < 2:
            return -1, b""
        size = head[1] & 0x7F
        if size >= 126:
            size = int.from_bytes(self._exactly(2 if size == 126 else 8), "big")
        mask = self._exactly(4) if head[1] & 0x80 else None
        payload = self._exactly(size)
        return head[0] & 0x0F, masked(payload, mask) if mask else payload


def accept(peer: Peer, request: Request, lines: str = "") -> Frames:
    """The server's 101, and what reads the client's frames."""
    key = request.header("sec-websocket-key")
    assert key
    peer.send(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        + f"Sec-WebSocket-Accept: {accept_key(key)}\r\n{lines}\r\n".encode()
    )
    return Frames(peer.exactly)


class WebSocket:
    """A client. The handshake is done when it is made; `head` is what came back."""

    MASK = b"\x12\xfe\x34\xdc"

    def __init__(self, address: str, path: str, headers: dict[str, str] | None = None) -> None:
        host, port = address.removeprefix("http://").rsplit(":", 1)
        self.sock = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
        self._buffer = b""
        self.key = base64.b64encode(os.urandom(16)).decode()
        fields = {
            **{"Host": f"{host}:{port}", "Connection": "Upgrade", "Upgrade": "websocket"},
            **{"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": self.key},
            **(headers or {}),
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.sock.sendall(f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode())
        while b"\r\n\r\n" not in self._buffer:
            got = self.sock.recv(65536)
            if not got:
                break
            self._buffer += got
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        self.head = head.decode("latin-1")
        self.status = int(self.head.split(" ")[1])
        self.headers = {
            name.lower(): value for name, value in (line.split(": ", 1) for line in self.head.split("\r\n")[1:])
        }
        self.receive = Frames(self._exactly)

    def _exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            try:
                got = self.sock.recv(65536)
            except ConnectionError:
                break
            if not got:
                break
            self._buffer += got
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def body(self) -> bytes:
        """Of an answer that is no 101."""
        return self._exactly(int(self.headers["content-length"]))

    def send(self, payload: Any, opcode: int = TEXT, last: bool = True) -> None:
        """`payload`: bytes as they are, anything else as JSON."""
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        self.sock.sendall(frame(opcode, data, self.MASK, last))

    def close(self) -> None:
        self.sock.close()
