"""Trailers of chunked messages, through the proxy and both ways."""

from __future__ import annotations

import contextlib
import http.client
import json
import unittest

from proxytest import BODY, GENERATE, REPLY, STREAM, USAGE, ProxyCase, event
from upstreamtest import Peer, Request
from weirtest import raw_connection

LINES = b"X-Sum: abc\r\nKeep-Alive: 5\r\nX-Weir-Model: fake\r\ngrpc-status: 0\r\n"


def with_trailers(peer: Peer, request: Request) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n")
    peer.chunk(event("a", USAGE))
    peer.send(b"0\r\n" + LINES + b"\r\n")


def post(path: str, body: bytes, trailers: bytes = b"", version: str = "1.1", more: str = "") -> bytes:
    """A chunked POST, or one of HTTP/1.0 with a length."""
    head = f"POST {path} HTTP/{version}\r\nHost: localhost\r\n{more}"
    if version == "1.0":
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:9], body[9:]))
    return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n" + trailers + b"\r\n"


def to_the_end(address: str, data: bytes) -> bytes:
    """What comes until the daemon ends the connection."""
    got = b""
    with raw_connection(address) as connection, contextlib.suppress(ConnectionError):
        connection.sendall(data)
        while piece := connection.recv(65536):
            got += piece
    return got


class Trailers(ProxyCase):
    def test_an_answers_trailers_pass_but_for_those_that_are_not_its_own(self) -> None:
        upstream = self.upstream(with_trailers)
        running = self.proxied(upstream)
        data = json.dumps(BODY).encode()
        end = b"\r\n0\r\nX-Sum: abc\r\ngrpc-status: 0\r\n\r\n"
        with raw_connection(running.tcp) as connection:
            for path in (STREAM, "/proxy/default/v1beta/files", STREAM):  # metered or not, one after the other
                connection.sendall(post(path, data))
                got = b""
                while not got.endswith(b"\r\n\r\n") or b"\r\n0\r\n" not in got:
                    piece = connection.recv(65536)
                    self.assertTrue(piece, got)
                    got += piece
                self.assertTrue(got.endswith(end), got)
                self.assertIn(b"Trailer: X-Sum\r\n", got)
        self.assertEqual(len(upstream.peers), 1)
        self.assertEqual([call["usage"]["input_tokens"] for call in self.closed(running.client(), 2)], [7, 7])

    def test_who_gets_no_chunks_gets_no_trailers(self) -> None:
        running = self.proxied(self.upstream(with_trailers))
        got = to_the_end(running.tcp, post(STREAM, json.dumps(BODY).encode(), version="1.0"))
        self.assertTrue(got.endswith(event("a", USAGE)), got)

    def test_a_requests_trailers_pass(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(REPLY))
        running = self.proxied(upstream)
        data = json.dumps(BODY).encode()
        for path in ("/proxy/default/upload/v1beta/files", GENERATE):
            trailers = b"X-Sum: 1\r\nAuthorization: Bearer k\r\nTE: x\r\n"
            got = to_the_end(running.tcp, post(path, data, trailers, more="Connection: close\r\n"))
            self.assertTrue(got.startswith(b"HTTP/1.1 200 "), got)
            seen = upstream.requests[-1]
            self.assertEqual((seen.body, seen.trailers), (data, ["X-Sum: 1"]), path)
        self.assertEqual(self.only_call(running.client())["usage"]["input_tokens"], 7)

    def test_large_trailers_of_a_request_are_refused(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(REPLY))
        running = self.proxied(upstream)
        large = b"".join(b"X-%d: %s\r\n" % (i, b"x" * 1000) for i in range(70))
        for path in (GENERATE, "/proxy/default/upload/v1beta/files"):
            got = to_the_end(running.tcp, post(path, json.dumps(BODY).encode(), large))
            self.assertTrue(got == b"" or got.startswith(b"HTTP/1.1 431 "), got)
            self.assertFalse(any(b"X-1: " in peer.raw for peer in upstream.peers))
        self.assertEqual(running.client().limit("*/requests/day")["used"], 0)
        self.check(running.client().post(GENERATE, BODY), 200)

    def test_large_trailers_of_an_answer_end_it(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            peer.events()
            peer.chunk(event("a", USAGE))
            peer.send(b"0\r\n" + b"".join(b"X-%d: %s\r\n" % (i, b"x" * 1000) for i in range(70)) + b"\r\n")

        running = self.proxied(self.upstream(script))
        with self.assertRaises(http.client.IncompleteRead):
            running.client().post(STREAM, BODY)
        call = self.only_call(running.client())
        self.assertEqual((call["usage"]["input_tokens"], call["estimated"]), (7, True))
        self.nothing_held(running.client())


if __name__ == "__main__":
    unittest.main()
