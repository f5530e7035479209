"""What the proxy holds at once is bounded: proxy.max_held_bytes."""

from __future__ import annotations

import contextlib
import json
import threading
import unittest

from proxytest import BODY, GENERATE, REPLY, ProxyCase
from upstreamtest import Peer, Request
from weirtest import Answer, Client, eventually, limit, raw_connection, threads

BOUND = "max_held_bytes = 100000\nmax_metered_body_bytes = 100000"
NAMELESS = "/proxy/default/v1beta/openai/chat/completions"  # refused for its body, once that has come
LARGE = BODY | {"labels": "x" * 60_000}


class HeldBytes(ProxyCase):
    def setUp(self) -> None:
        super().setUp()
        self.go = threading.Event()
        self.addCleanup(self.go.set)

        def script(peer: Peer, request: Request) -> None:
            self.go.wait()
            peer.answer(REPLY)

        self.up = self.upstream(script)
        self.running = self.proxied(self.up, proxy=BOUND)

    def head(self, length: int) -> bytes:
        return f"POST {GENERATE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()

    def is_refused(self, answer: Answer) -> None:
        message = self.check(answer, 503)["error"]["message"]
        self.assertIn("proxy.max_held_bytes allows (100000)", message)
        self.assertEqual(answer.headers["Retry-After"], "1")

    def test_past_the_bound_a_call_is_refused_until_a_body_is_let_go(self) -> None:
        answers: list[Answer] = []
        with threads(1, lambda index: answers.append(self.running.client().post(GENERATE, LARGE))):
            eventually("the first is at upstream", lambda: self.up.requests)
            client: Client = self.running.client()
            self.is_refused(client.post(GENERATE, LARGE))
            data = json.dumps(LARGE).encode()
            piece = b"%x\r\n%s\r\n0\r\n\r\n" % (len(data), data)
            with raw_connection(self.running.tcp) as connection:
                connection.sendall(
                    f"POST {GENERATE} HTTP/1.1\r\nHost: localhost\r\n"
                    "Transfer-Encoding: chunked\r\n\r\n".encode() + piece
                )
                self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 503 "))
            self.assertEqual(client.limit("*/requests/day")["held"], 1)  # nothing was admitted
            self.go.set()
        self.check(answers[0], 200)
        for _ in range(3):
            self.check(self.running.client().post(GENERATE, LARGE), 200)

    def test_bytes_that_have_not_come_are_not_counted(self) -> None:
        with contextlib.ExitStack() as slow:
            for _ in range(20):
                connection = slow.enter_context(raw_connection(self.running.tcp))
                connection.sendall(self.head(100_000) + b"x")
            for _ in range(3):
                self.check(self.running.client().post(NAMELESS, b"x" * 60_000), 400)

    def test_a_client_that_leaves_lets_its_body_go(self) -> None:
        with raw_connection(self.running.tcp) as leaving:
            leaving.sendall(self.head(90_000) + b"x" * 80_000)
            eventually("its bytes are counted", lambda: self.running.client().post(NAMELESS, b"x" * 60_000).status == 503)
        self.go.set()
        eventually("they are let go", lambda: self.running.client().post(GENERATE, LARGE).status == 200)

    def test_a_large_body_counts_until_upstream_has_taken_it(self) -> None:
        go = threading.Event()
        self.addCleanup(go.set)

        def on_peer(peer: Peer) -> None:
            peer.head()
            go.wait()
            peer.drain(20_000_000)  # all that comes

        running = self.proxied(
            self.upstream(on_peer=on_peer),
            limits=limit(10),
            proxy="max_held_bytes = 12000000\nmax_metered_body_bytes = 10000000",
        )
        client = running.client()
        with raw_connection(running.tcp) as connection:
            connection.sendall(self.head(20_000_000))
            connection.sendall(b"x" * 11_000_000)
            eventually("it is admitted", lambda: client.limit("*/requests/day")["held"] == 1)
            for _ in range(3):
                self.check(client.post(NAMELESS, b"x" * 2_000_000), 503)
            go.set()
            eventually("upstream has taken it", lambda: client.post(NAMELESS, b"x" * 2_000_000).status == 400)


if __name__ == "__main__":
    unittest.main()
