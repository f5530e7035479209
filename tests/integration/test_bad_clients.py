"""Clients that idle, dawdle, flood, lie and vanish: the others are answered all the while, and nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import http.client
import resource
import socket
import struct
import unittest

from bystander import Bystander
from upstreamtest import Peer, Request, Upstream
from weirtest import (
    BINARY,
    SANITIZER_RUNTIME,
    Daemon,
    TestCase,
    config,
    eventually,
    limit,
    raw_connection,
    raw_exchange,
    scaled,
    threads,
)

LIMITS = limit(10**9)
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
ADMIT = b"POST /v1/admissions HTTP/1.1\r\nHost: localhost\r\n"


def smuggled(prefix: str) -> bytes:
    """A request that must never be served, as it hides in another one's body."""
    body = b'{"model":"smuggled"}'
    return f"POST {prefix}/admissions HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class BadClients(TestCase):
    def setUp(self) -> None:
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16384), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))

    def running(self, **options: str) -> Daemon:
        return self.daemon(config(LIMITS, **options))

    def crowd(self, daemon: Daemon, count: int) -> list[socket.socket]:
        """So many connections, closed when the test ends."""
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        return [stack.enter_context(raw_connection(daemon.tcp)) for _ in range(count)]

    def served(self, daemon: Daemon) -> None:
        """Who comes new is served, as soon as somebody has been idle for a moment."""

        def asked() -> bool:
            with contextlib.suppress(OSError, http.client.HTTPException):  # refused without a word
                return daemon.client().get("/livez").status == 200
            return False

        eventually("who comes new is served", asked)

    def test_five_thousand_idle_connections_keep_nobody_out(self) -> None:
        daemon = self.running()  # 4096 may be open
        with Bystander(self, daemon) as others:
            idle = self.crowd(daemon, 5000)
            others.goes_on()
            for _ in range(20):
                self.served(daemon)
            ended = 0
            for connection in idle[:4000]:
                connection.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    ended += connection.recv(1) == b""
            self.assertGreater(ended, 0, "who was idle for long made room")
        others.check_all()

    def test_writers_of_a_byte_at_a_time(self) -> None:
        daemon = self.running()
        with Bystander(self, daemon) as others:
            slow = self.crowd(daemon, scaled(300, 50))
            for byte in range(20):
                for connection in slow:
                    with contextlib.suppress(ConnectionError):  # a header may take ten seconds, not longer
                        connection.sendall(ADMIT[byte : byte + 1])
                others.goes_on(5)
        others.check_all()

    def test_readers_of_a_byte_at_a_time(self) -> None:
        daemon = self.running()
        stack = contextlib.ExitStack()
        with Bystander(self, daemon) as others, stack:
            others.goes_on(scaled(1000, 200))
            for _ in range(scaled(100, 20)):
                connection = socket.socket()
                stack.enter_context(connection)
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
                host, port = daemon.tcp.removeprefix("http://").split(":")
                connection.connect((host, int(port)))
                # Pipelined: more answers than fit into the sockets' buffers.
                connection.sendall((b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n") * 100)
                connection.recv(1)
            others.goes_on(50)
        others.check_all()

    def test_who_vanishes_in_the_middle(self) -> None:
        daemon = self.running()
        body = b'{"model":"m"}'
        with Bystander(self, daemon) as others:
            for cut in range(0, 60, 3):
                request = ADMIT + b"Content-Length: %d\r\n\r\n" % len(body) + body
                for how in ("reset", "close", "half"):
                    connection = raw_connection(daemon.tcp)
                    connection.sendall(request[:cut])
                    if how == "reset":
                        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    if how == "half":
                        connection.shutdown(socket.SHUT_WR)
                        self.assertNotIn(b" 201 ", connection.recv(4096))
                    connection.close()
            others.goes_on()
        others.check_all()

    def test_headers_of_a_megabyte(self) -> None:
        daemon = self.running()
        with Bystander(self, daemon) as others:
            for shape in (
                b"X-Long: " + b"x" * (1 << 20) + b"\r\n\r\n",
                b"".join(b"X-%d: y\r\n" % number for number in range(100_000)) + b"\r\n",
            ):
                answer = raw_exchange(daemon.tcp, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + shape)
                self.assertRegex(answer, rb"^HTTP/1\.1 431 ")
                self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
            answer = raw_exchange(daemon.tcp, b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertRegex(answer, rb"^HTTP/1\.1 (414|431) ")
            others.goes_on()
        others.check_all()

    def test_thousands_of_pipelined_requests_have_their_turns(self) -> None:
        daemon = self.running()
        count = scaled(20_000, 2000)
        answered = 0

        def read(connection: socket.socket) -> None:
            nonlocal answered
            status_line, rest = b"HTTP/1.1 200 ", b""
            while piece := connection.recv(65536):
                rest += piece
                answered += rest.count(status_line)
                rest = rest[-len(status_line) + 1 :]  # where one may have been cut

        with Bystander(self, daemon) as others, raw_connection(daemon.tcp) as connection:
            with threads(1, lambda _: read(connection)):
                connection.sendall(GET * count)
                others.goes_on()
                eventually("all of them are answered", lambda: answered == count)
                connection.shutdown(socket.SHUT_RDWR)
        others.check_all()

    SHAPES = {
        "both lengths": b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        "both, the other way round": b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n",
        "two lengths": b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n",
        "a list of lengths": b"Content-Length: 0, 44\r\n\r\n",
        "a signed length": b"Content-Length: +0\r\n\r\n",
        "a length in hexadecimal": b"Content-Length: 0x0\r\n\r\n",
        "a length beyond 64 bits": b"Content-Length: 18446744073709551616\r\n\r\n",
        "a space before the colon": b"Content-Length : 44\r\n\r\n",
        "a space before the colon of the coding": b"Transfer-Encoding : chunked\r\n\r\n",
        "another coding": b"Transfer-Encoding: xchunked\r\n\r\n",
        "two codings": b"Transfer-Encoding: chunked, identity\r\n\r\n",
        "the coding twice": b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        "a folded line": b"Transfer-Encoding:\r\n chunked\r\n\r\n",
        "a line that begins with a space": b" Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n",
        "a zero byte": b"Content-Length: 0\x00\r\n\r\n",
        "a vertical tab": b"Transfer-Encoding: \x0bchunked\r\n\r\n",
        "bare carriage returns": b"X: y\rContent-Length: 0\r\n\r\n",
        "a chunk of a negative size": b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
        "a chunk size with a prefix": b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
        "a chunk size beyond 64 bits": b"Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n",
        "a chunk that is longer than it says": b"Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n0\r\n\r\n",
    }

    def test_no_request_is_smuggled_in_another(self) -> None:
        daemon = self.running()
        for name, lines in self.SHAPES.items():
            with self.subTest(name):
                answer = raw_exchange(daemon.tcp, ADMIT + lines + smuggled("/v1"))
                self.assertRegex(answer, rb"^HTTP/1\.1 (400|413|501) ")
                self.assertEqual(answer.count(b"HTTP/1.1 "), 1, "nothing after it is answered")
        self.assertEqual(daemon.client().calls(), [])

    def test_nor_through_the_proxy(self) -> None:
        def answers(peer: Peer, _: Request) -> None:
            peer.answer({"models": []})

        upstream = Upstream(answers)
        self.addCleanup(upstream.close)
        daemon = self.make(config(LIMITS, project=upstream.project()))
        (daemon.directory / "key").write_text("key\n")
        daemon.start()
        for name, lines in self.SHAPES.items():
            for path in ("v1beta/files", "v1beta/models/m:generateContent"):
                with self.subTest(name, path=path):
                    head = f"POST /proxy/default/{path} HTTP/1.1\r\nHost: localhost\r\n".encode()
                    answer = raw_exchange(daemon.tcp, head + lines + smuggled("/proxy/default/v1beta/smuggled"))
                    self.assertLessEqual(answer.count(b"HTTP/1.1 "), 1)
        for request in upstream.requests:
            self.assertNotIn("smuggled", request.target)
        self.assertNotIn(b"smuggled", b"".join(peer.raw for peer in upstream.peers))

    @unittest.skipIf(SANITIZER_RUNTIME, "UBSan needs descriptors itself, to see what may be read")
    def test_out_of_file_descriptors(self) -> None:
        daemon = self.make(config(LIMITS))
        wrapper = daemon.directory / "few"
        wrapper.write_text(f'#!/bin/sh\nulimit -n 100\nexec {BINARY} "$@"\n')
        wrapper.chmod(0o700)
        daemon.binary = str(wrapper)
        daemon.start()
        self.assertIn("LimitNOFILE", daemon.stderr(), "it says beforehand that they will not do")
        with Bystander(self, daemon) as others:
            for _ in range(3):
                crowd = self.crowd(daemon, 300)
                for connection in crowd[-20:]:
                    connection.sendall(ADMIT)  # busy: these do not make room
                others.goes_on()
                for connection in crowd:
                    connection.close()
            self.served(daemon)
        daemon.binary = BINARY
        others.check_all()


if __name__ == "__main__":
    unittest.main()
