"""An HTTP proxy that opens tunnels, and keeps what it was asked and what passed."""

from __future__ import annotations

import contextlib
import socket
import threading

from upstreamtest import Peer, Request, listen
from weirtest import DEADLINE_S


class ConnectProxy:
    """Each tunnel to a name leads to `port` here. `answer`: what it says in place of opening one; "" hangs."""

    def __init__(self, port: int, answer: str | None = None, ipv6: bool = False) -> None:
        self.asked: list[Request] = []
        self.passed = b""  # from the client, through tunnels
        self._port = port
        self._answer = answer
        self._ipv6 = ipv6
        self._listener = listen(ipv6)
        self._sockets: list[socket.socket] = []
        host = "[::1]" if ipv6 else "127.0.0.1"
        self.authority = f"{host}:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.authority}"
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        sock.settimeout(DEADLINE_S)
        head = Peer(sock, 0).head()  # a client says nothing more before it is answered
        if head is None:
            return
        self.asked.append(Request(head[:-4], b""))
        with contextlib.suppress(OSError):
            if self._answer == "":
                sock.recv(1)
            elif self._answer is not None:
                sock.sendall(f"HTTP/1.1 {self._answer}\r\nContent-Length: 0\r\n\r\n".encode())
                sock.close()
            else:
                self._tunnel(sock)

    def _tunnel(self, sock: socket.socket) -> None:
        origin = socket.create_connection(("::1" if self._ipv6 else "127.0.0.1", self._port))
        self._sockets.append(origin)
        sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        back = threading.Thread(target=self._copy, args=(origin, sock, False), daemon=True)
        back.start()
        self._copy(sock, origin, True)
        back.join(DEADLINE_S)

    def _copy(self, source: socket.socket, sink: socket.socket, keep: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if keep:
                    self.passed += data
                sink.sendall(data)
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join(DEADLINE_S)
        self._listener.close()
        for sock in self._sockets:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
