"""WebSocket sessions through the proxy: what passes, what is admitted, and what the ledger holds of it."""

from __future__ import annotations

import json
import signal
import socket
import threading
import unittest
from collections.abc import Callable
from typing import Any

from proxytest import KEY, LIMITS, TIMEOUT_S, ProxyCase
from upstreamtest import Peer, Request, Upstream
from websockettest import (
    BINARY,
    CLOSE,
    CONTINUATION,
    LIVE,
    PING,
    PONG,
    TEXT,
    Frames,
    WebSocket,
    accept,
    accept_key,
    closing,
    frame,
)
from weirtest import DEADLINE_S, SANITIZER_RUNTIME, Client, Daemon, config, eventually, limit

SETUP = {"setup": {"model": "models/live", "generationConfig": {"responseModalities": ["TEXT"]}}}
SESSION = "/proxy/default" + LIVE


def usage(prompt: int, response: int, thoughts: int = 0) -> bytes:
    account = {"promptTokenCount": prompt, "responseTokenCount": response, "totalTokenCount": prompt + response}
    if thoughts:
        account["thoughtsTokenCount"] = thoughts
    return json.dumps({"serverContent": {"turnComplete": True}, "usageMetadata": account}).encode()


def echo(peer: Peer, request: Request) -> None:
    """Says that the setup came, answers each text with a turn of 10 and 5 tokens, and a close with a close."""
    receive = accept(peer, request)
    receive()
    peer.send(frame(BINARY, b'{"setupComplete":{}}'))
    while True:
        opcode, payload = receive()
        if opcode == CLOSE:
            peer.send(frame(CLOSE, payload))
        if opcode in (CLOSE, -1):
            raise ConnectionError
        if opcode == PING:
            peer.send(frame(PONG, payload))
        else:
            peer.send(frame(TEXT, b'{"serverContent":{"modelTurn":{}}}') + frame(BINARY, usage(10, 5)))


def accepting(serve: Callable[[Peer, Frames], None]) -> Callable[[Peer, Request], None]:
    """A script: the handshake, `serve`, the end of the connection."""

    def script(peer: Peer, request: Request) -> None:
        serve(peer, accept(peer, request))
        raise ConnectionError

    return script


class SessionCase(ProxyCase):
    def session(self, running: Daemon, path: str = SESSION, headers: dict[str, str] | None = None) -> WebSocket:
        made = WebSocket(running.tcp, path, headers)
        self.addCleanup(made.close)
        return made

    def opened(self, running: Daemon, path: str = SESSION) -> WebSocket:
        """Up to the server's word that the setup came."""
        made = self.session(running, path)
        self.assertEqual(made.status, 101, made.head)
        made.send(SETUP)
        self.assertEqual(made.receive(), (BINARY, b'{"setupComplete":{}}'))
        return made

    def turn(self, session: WebSocket) -> None:
        session.send({"clientContent": {"turnComplete": True}})
        self.assertEqual(session.receive()[0], TEXT)
        self.assertEqual(session.receive(), (BINARY, usage(10, 5)))

    def ended(self, session: WebSocket, code: int) -> str:
        """The Close frame comes, then the end; the reason."""
        opcode, payload = session.receive()
        self.assertEqual((opcode, int.from_bytes(payload[:2], "big")), (CLOSE, code), payload)
        self.assertEqual(session.receive(), (-1, b""))
        return payload[2:].decode()

    def left(self, session: WebSocket) -> None:
        session.send(closing(1000), CLOSE)
        self.assertEqual(self.ended(session, 1000), "")


class Passing(SessionCase):
    def test_the_handshake_and_every_frame_pass_with_our_key(self) -> None:
        seen: list[tuple[int, bytes]] = []

        def serve(peer: Peer, request: Request) -> None:
            receive = accept(peer, request, "Sec-WebSocket-Protocol: two\r\nX-Up: 1\r\n")
            while (got := receive())[0] != -1:
                seen.append(got)
                if got[0] == CLOSE:
                    break
                # as it came, but in fragments with a ping between them
                peer.send(frame(TEXT, got[1][:5], last=False) + frame(PING, b"now") + frame(CONTINUATION, got[1][5:]))
            peer.send(frame(CLOSE, closing(1000, "bye")))
            raise ConnectionError

        upstream = self.upstream(serve)
        running = self.proxied(upstream)
        session = self.session(
            running,
            SESSION + "?key=callers-key&alt=x&access_token=callers-token",
            {
                "Authorization": "Token callers-key",
                "x-goog-api-key": "callers-key",
                "Sec-WebSocket-Protocol": "one, two, openai-insecure-api-key.callers-key",
                "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
                "X-Custom": "kept",
            },
        )
        self.assertEqual(session.status, 101, session.head)
        self.assertEqual(session.headers["sec-websocket-accept"], accept_key(session.key))
        self.assertEqual(session.headers["sec-websocket-protocol"], "two")
        self.assertEqual((session.headers["upgrade"], session.headers["connection"]), ("websocket", "Upgrade"))
        self.assertEqual((session.headers["x-up"], session.headers["x-weir-project"]), ("1", "default"))
        self.assertNotIn("sec-websocket-extensions", session.headers)

        setup = json.dumps(SETUP).encode()
        session.send(setup[:7], TEXT, last=False)
        session.send(b"", PING)
        session.send(setup[7:], CONTINUATION)
        large = b"\x00" * 300_000
        for payload in (b"", large):
            session.send(payload, BINARY)
        got: list[tuple[int, bytes]] = []
        while len(got) < 15:
            got.append(session.receive())
        session.send(closing(1000), CLOSE)
        self.assertEqual(self.ended(session, 1000), "bye")
        sent = [(TEXT, setup[:7]), (PING, b""), (CONTINUATION, setup[7:]), (BINARY, b""), (BINARY, large)]
        self.assertEqual(seen, [*sent, (CLOSE, closing(1000))])
        expected_back = []
        for _, payload in sent:
            expected_back += [(TEXT, payload[:5]), (PING, b"now"), (CONTINUATION, payload[5:])]
        self.assertEqual(got, expected_back)

        [request] = upstream.requests
        self.assertEqual((request.method, request.target), ("GET", LIVE + "?alt=x"))
        self.assertEqual(request.header("x-goog-api-key"), KEY)
        self.assertEqual(request.header("host"), f"localhost:{upstream.port}")
        self.assertEqual(request.header("sec-websocket-key"), session.key)
        self.assertEqual(request.header("sec-websocket-protocol"), "one, two")
        self.assertEqual((request.header("connection"), request.header("upgrade")), ("Upgrade", "websocket"))
        self.assertEqual(request.header("x-custom"), "kept")
        for name in ("authorization", "sec-websocket-extensions"):
            self.assertIsNone(request.header(name))
        for peer in upstream.peers:
            self.assertNotIn(b"callers-", peer.raw)
        self.only_call(running.client())

    def test_a_side_that_does_not_read_holds_the_other_back(self) -> None:
        total = 64 << 20
        read_on = threading.Event()
        sent = {"client": 0, "upstream": 0}

        def serve(peer: Peer, receive: Frames) -> None:
            receive()
            block = frame(BINARY, b"s" * (1 << 20))
            read_on.wait(DEADLINE_S)
            for _ in range(total >> 20):
                peer.send(block)
                sent["upstream"] += len(block)
            self.assertEqual(peer.drain(total), total)
            peer.send(frame(CLOSE, closing(1000)))

        running = self.proxied(self.upstream(accepting(serve)))
        session = self.session(running)
        session.send(SETUP)
        block = frame(BINARY, b"c" * ((1 << 20) - 14), WebSocket.MASK)
        self.assertEqual(len(block), 1 << 20)

        def send_all() -> None:
            for _ in range(total >> 20):
                session.sock.sendall(block)
                sent["client"] += len(block)

        sending = threading.Thread(target=send_all, daemon=True)
        sending.start()
        before = self.resident(running)
        stalled = eventually("the client is held back", lambda: self.stalled(sent, "client"))
        self.assertLess(stalled, total)
        read_on.set()
        eventually("upstream is held back", lambda: self.stalled(sent, "upstream"))
        self.assertLess(sent["upstream"], total)
        if not SANITIZER_RUNTIME:  # which keeps what was freed for a while
            self.assertLess(self.resident(running) - before, 16 << 20)
        for _ in range(total >> 20):
            self.assertEqual(len(session.receive()[1]), 1 << 20)
        self.ended(session, 1000)
        sending.join(DEADLINE_S)
        self.assertEqual(sent["client"], total)

    def resident(self, running: Daemon) -> float:
        return running.client().metrics().sum("process_resident_memory_bytes")

    def stalled(self, sent: dict[str, int], side: str) -> int:
        """How much was sent, if nothing more was for a while."""
        before = sent[side]
        threading.Event().wait(0.3)
        return before if before > 0 and sent[side] == before else 0

    def test_a_session_that_costs_nothing_passes_too(self) -> None:
        running = self.proxied(self.upstream(echo))
        session = self.session(running, "/proxy/default/v1beta/other")
        self.assertEqual(session.status, 101, session.head)
        session.send(b"anything")
        self.assertEqual(session.receive()[0], BINARY)
        self.left(session)
        self.assertEqual(running.client().calls(), [])

    def test_other_protocols_are_not_offered_upstream(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer({"models": []}))
        running = self.proxied(upstream)
        answer = running.client().get(
            "/proxy/default/v1beta/models",
            {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAMAAABkAAQAAP__"},
        )
        self.check(answer, 200)
        [request] = upstream.requests
        for name in ("upgrade", "connection", "http2-settings"):
            self.assertIsNone(request.header(name))


class Metering(SessionCase):
    def waiting(self, client: Client) -> float:
        return client.metrics().sum("weir_queue_waiting")

    def test_turns_are_added_up_and_the_session_is_in_flight_until_its_end(self) -> None:
        running = self.proxied(self.upstream(echo))
        client = running.client()
        session = self.opened(running)
        self.assertEqual(client.limit("*/in_flight")["held"], 1)
        [call] = client.calls()
        self.assertEqual((call["state"], call["model"]), ("open", "live"))
        for _ in range(3):
            self.turn(session)
        session.send(b"still there?", PING)
        self.assertEqual(session.receive(), (PONG, b"still there?"))
        self.assertEqual(client.limit("*/in_flight")["held"], 1)
        self.left(session)
        call = self.only_call(client)
        self.assertEqual((call["state"], call["status"], call["estimated"]), ("settled", 101, False))
        self.assertEqual((call["usage"]["input_tokens"], call["usage"]["output_tokens"]), (30, 15))
        self.nothing_held(client)
        self.assertEqual(client.limit("*/requests/day")["used"], 1)
        self.assertEqual(client.limit("*/input_tokens/day")["used"], 30)

    def test_a_session_without_room_is_refused_by_a_close_before_upstream_has_its_setup(self) -> None:
        seen: list[tuple[int, bytes]] = []

        def serve(peer: Peer, request: Request) -> None:
            if not seen:
                seen.append((0, b""))
                echo(peer, request)
            receive = accept(peer, request)
            while (got := receive())[0] != -1:
                seen.append(got)

        running = self.proxied(self.upstream(serve), limit(1, "in_flight", ""), proxy="wait_s = 0")
        client = running.client()
        first = self.opened(running)
        second = self.session(running)
        self.assertEqual(second.status, 101)
        second.send(SETUP)
        self.assertIn("Weir: ", self.ended(second, 1013))
        self.left(first)
        eventually("upstream was told", lambda: len(seen) == 2)
        self.assertEqual(seen[1], (CLOSE, closing(1001)))
        self.only_call(client)

    def test_a_session_waits_for_room(self) -> None:
        running = self.proxied(self.upstream(echo), limit(1, "in_flight", ""))
        client = running.client()
        first = self.opened(running)
        second = self.session(running)
        second.send(SETUP)
        eventually("it waits", lambda: self.waiting(client) == 1)
        self.left(first)
        self.assertEqual(second.receive(), (BINARY, b'{"setupComplete":{}}'))
        self.left(second)
        self.assertEqual([call["state"] for call in self.closed(client, 2)], ["settled"] * 2)

    def test_a_client_that_leaves_the_line_costs_nothing(self) -> None:
        running = self.proxied(self.upstream(echo), limit(1, "in_flight", ""))
        client = running.client()
        first = self.opened(running)
        second = self.session(running)
        second.send(SETUP)
        eventually("it waits", lambda: self.waiting(client) == 1)
        second.close()
        eventually("its place is free", lambda: self.waiting(client) == 0)
        self.left(first)
        self.only_call(client)

    def test_a_session_that_can_never_fit_or_names_no_model_is_a_policy_violation(self) -> None:
        running = self.proxied(self.upstream(echo), limit(10, "input_tokens"))
        nameless = "names no model"
        two = {"setup": {"model": "models/a"}, "model": "b"}
        for first, reason in (
            *((SETUP, "input tokens"), ({"setup": {}}, nameless), (b"no JSON", nameless)),
            (two, "names a model twice"),
        ):
            session = self.session(running)
            session.send(first)
            self.assertIn(reason, self.ended(session, 1008))
        session = self.session(running)
        session.sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        self.assertIn("no WebSocket frame", self.ended(session, 1008))
        self.assertEqual(running.client().calls(), [])

    def test_a_first_message_beyond_the_bound_is_too_big(self) -> None:
        running = self.proxied(self.upstream(echo), proxy="max_metered_body_bytes = 1024")
        session = self.session(running)
        session.send(b" " * 1025)
        self.assertIn("max_metered_body_bytes", self.ended(session, 1009))

    def test_a_first_message_that_does_not_come_whole_ends_the_session(self) -> None:
        running = self.proxied(self.upstream(echo), proxy=f"idle_timeout_s = {TIMEOUT_S}")
        whole = self.opened(running)
        for start in (b"", b"\x81\xfe\x10\x00" + WebSocket.MASK + b"some of it"):
            session = self.session(running)
            session.sock.sendall(start)
            self.assertIn("first message did not come", self.ended(session, 1008))
        self.turn(whole)  # which was silent all the while
        self.assertEqual(len(running.client().calls()), 1)

    def test_first_messages_count_as_held(self) -> None:
        running = self.proxied(self.upstream(echo), proxy="max_held_bytes = 100000\nmax_metered_body_bytes = 100000")
        first = self.session(running)
        first.send(SETUP["setup"] | {"x": "y" * 40_000}, last=False)  # 40 KB as it came, 40 KB read
        second = self.session(running)
        second.send(SETUP | {"x": "y" * 20_000})
        self.assertIn("max_held_bytes", self.ended(second, 1013))
        first.close()
        for _ in range(5):  # what is sent on is held no more
            eventually("the bytes are let go", lambda: self.may_open(running))

    def may_open(self, running: Daemon) -> bool:
        session = self.session(running)
        session.send(SETUP | {"x": "y" * 30_000})
        return session.receive() == (BINARY, b'{"setupComplete":{}}')

    def test_a_message_too_large_to_be_read_passes_and_marks_the_account(self) -> None:
        large = b'{"x":"' + b"x" * 2000 + b'",' + usage(1, 1)[1:]

        def serve(peer: Peer, receive: Frames) -> None:
            receive()
            peer.send(frame(TEXT, large) + frame(TEXT, usage(10, 5)) + frame(CLOSE, closing(1000)))

        running = self.proxied(self.upstream(accepting(serve)), proxy="max_metered_body_bytes = 1024")
        session = self.session(running)
        session.send(SETUP)
        self.assertEqual(session.receive(), (TEXT, large))
        self.assertEqual(session.receive(), (TEXT, usage(10, 5)))
        self.ended(session, 1000)
        call = self.only_call(running.client())
        self.assertEqual((call["usage"]["input_tokens"], call["estimated"]), (10, True))

    def test_a_session_that_is_cut_off_is_settled_by_what_was_seen(self) -> None:
        for cut in ("client", "client's reset", "upstream"):
            with self.subTest(cut):
                gone = threading.Event()

                def serve(peer: Peer, receive: Frames, cut: str = cut, gone: threading.Event = gone) -> None:
                    receive()
                    peer.send(frame(TEXT, usage(10, 5)) + b"\x82\x7e\x04")  # and in the middle of a frame
                    if cut == "upstream":
                        return peer.reset()
                    peer.gone()
                    gone.set()

                running = self.proxied(self.upstream(accepting(serve)))
                session = self.session(running)
                session.send(SETUP)
                self.assertEqual(session.receive(), (TEXT, usage(10, 5)))
                if cut == "upstream":
                    self.assertEqual(session._exactly(100), b"\x82\x7e\x04")  # pylint: disable=protected-access
                else:
                    if cut != "client":
                        session.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    session.close()
                    self.assertTrue(gone.wait(DEADLINE_S), "the session upstream stays open")
                call = self.only_call(running.client())
                self.assertEqual((call["state"], call["status"], call["estimated"]), ("settled", 101, True))
                self.assertEqual((call["usage"]["input_tokens"], call["usage"]["output_tokens"]), (10, 5))
                self.nothing_held(running.client())

    def test_a_session_without_a_turn_keeps_its_estimate(self) -> None:
        running = self.proxied(self.upstream(echo))
        session = self.opened(running)
        self.left(session)
        call = self.only_call(running.client())
        self.assertEqual((call["state"], call["estimated"], call["usage"]["input_tokens"]), ("settled", True, 0))
        self.assertEqual(running.client().limit("*/input_tokens/day")["used"], len(json.dumps(SETUP)) // 4)

    def test_a_close_for_want_of_quota_is_learned(self) -> None:
        reason = "You exceeded your current quota, please check your plan and billing details."

        def serve(peer: Peer, receive: Frames) -> None:
            receive()
            peer.send(frame(CLOSE, closing(1011, reason)))

        running = self.proxied(self.upstream(accepting(serve)))
        session = self.session(running)
        session.send(SETUP)
        self.assertEqual(self.ended(session, 1011), reason)
        self.assertEqual(self.only_call(running.client())["status"], 429)
        [learned] = running.client().get("/v1/observations").json["observations"]
        self.assertEqual((learned["project"], learned["model"]), ("default", "live"))

    def test_a_pools_session_is_its_first_projects(self) -> None:
        upstream = self.upstream(echo)
        more = f"""
[[projects]]
name = "second"
{upstream.project()}
[[pools]]
name = "both"
projects = ["default", "second"]
"""
        running = self.proxied(upstream, limit(1), more)
        self.left(self.opened(running, "/proxy/both" + LIVE))
        refused = self.session(running, "/proxy/both" + LIVE)
        refused.send(SETUP)
        self.assertIn("requests per day", self.ended(refused, 1013))
        self.assertEqual(self.only_call(running.client())["project"], "default")


class RealtimeCase(SessionCase):
    def realtime(self, upstream: Upstream, limits: str, more: str = "") -> Daemon:
        project = upstream.project("openai", "/v1")
        running = self.make(config(limits, project=project, more=more + "\n[proxy]\nwait_s = 0\n"))
        (running.directory / "key").write_text(KEY)
        (running.directory / "key").chmod(0o600)
        return running.start()


class Realtime(RealtimeCase):
    """OpenAI's: the model stands in the URL, so the answer to the handshake says what becomes of it."""

    PATH = "/proxy/default/v1/realtime?model=gpt-realtime"

    @staticmethod
    def respond(peer: Peer, receive: Frames) -> None:
        peer.send(frame(TEXT, b'{"type":"session.created","session":{"model":"gpt-realtime"}}'))
        while (got := receive())[0] == TEXT:
            asked = json.loads(got[1])
            assert asked["type"] == "response.create", asked
            used = {"total_tokens": 30, "input_tokens": 20, "output_tokens": 10}
            used |= {"input_token_details": {"cached_tokens": 8}}
            peer.send(frame(TEXT, json.dumps({"type": "response.done", "response": {"usage": used}}).encode()))
        peer.send(frame(CLOSE, got[1]))

    def test_a_session_is_admitted_before_the_handshake_and_settled_by_its_responses(self) -> None:
        upstream = self.upstream(accepting(self.respond))
        running = self.realtime(upstream, LIMITS)
        session = self.session(running, self.PATH, {"Sec-WebSocket-Protocol": "realtime, openai-insecure-api-key.abc"})
        self.assertEqual(session.status, 101, session.head)
        self.assertEqual(session.headers["x-weir-model"], "gpt-realtime")
        self.assertEqual(session.receive()[0], TEXT)
        for _ in range(2):
            session.send({"type": "response.create"})
            self.assertEqual(json.loads(session.receive()[1])["type"], "response.done")
        self.left(session)
        call = self.only_call(running.client())
        self.assertEqual(call["admission_id"], session.headers["x-weir-admission"])
        self.assertEqual((call["model"], call["status"], call["estimated"]), ("gpt-realtime", 101, False))
        used = call["usage"]
        self.assertEqual((used["input_tokens"], used["cached_input_tokens"], used["output_tokens"]), (40, 16, 20))
        [request] = upstream.requests
        self.assertEqual(request.target, "/v1/realtime?model=gpt-realtime")
        self.assertEqual(request.header("authorization"), f"Bearer {KEY}")
        self.assertEqual(request.header("sec-websocket-protocol"), "realtime")

    def test_without_room_the_handshake_is_refused(self) -> None:
        running = self.realtime(self.upstream(accepting(self.respond)), limit(1, "in_flight", ""))
        first = self.session(running, self.PATH)
        second = self.session(running, self.PATH)
        self.assertEqual(second.status, 429, second.head)
        self.assertEqual(json.loads(second.body())["error"]["code"], "rate_limit_exceeded")
        first.receive()
        self.left(first)

    def test_two_models_in_the_query_are_refused(self) -> None:
        upstream = self.upstream(accepting(self.respond))
        session = self.session(self.realtime(upstream, limit(1)), self.PATH + "&model=dear")
        self.assertEqual(session.status, 400, session.head)
        self.assertEqual(upstream.requests, [])

    def test_a_pool_takes_the_next_project_then_the_next_model(self) -> None:
        upstream = self.upstream(accepting(self.respond))
        one = limit(1, models='["gpt-realtime"]')
        more = f"""
[[projects]]
name = "second"
{upstream.project("openai", "/v1")}
{one}
[[pools]]
name = "both"
projects = ["default", "second"]
fallback = {{ "gpt-realtime" = ["gpt-realtime-mini"] }}
"""
        running = self.realtime(upstream, one, more)
        told = []
        for _ in range(3):
            session = self.session(running, self.PATH.replace("default", "both"))
            told.append((session.headers["x-weir-project"], session.headers["x-weir-model"]))
            session.receive()
            self.left(session)
        expected = [("default", "gpt-realtime"), ("second", "gpt-realtime"), ("default", "gpt-realtime-mini")]
        self.assertEqual(told, expected)
        asked = [request.target.split("=")[1] for request in upstream.requests]
        self.assertEqual(asked, [model for _, model in expected])

    def test_upstreams_refusal_of_the_handshake_passes_as_it_is_and_is_learned(self) -> None:
        body = {"error": {"message": "Rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}}
        upstream = self.upstream(
            lambda peer, request: peer.answer(body, "429 Too Many Requests", {"Retry-After": "40"})
        )
        running = self.realtime(upstream, LIMITS)
        session = self.session(running, self.PATH)
        self.assertEqual((session.status, session.headers["retry-after"]), (429, "40"))
        self.assertEqual(json.loads(session.body()), body)
        call = self.only_call(running.client())
        self.assertEqual((call["state"], call["status"]), ("settled", 429))
        [learned] = running.client().get("/v1/observations").json["observations"]
        self.assertEqual(learned["model"], "gpt-realtime")
        again = self.session(running, self.PATH)
        self.assertEqual(again.status, 429)
        self.assertIn("x-weir-denied", again.headers)
        self.assertEqual(len(upstream.requests), 1)


class Responses(RealtimeCase):
    """OpenAI's Responses API: each message names its model, whatever stands in the URL."""

    CREATE = {"type": "response.create", "input": []}

    def responses(self, query: str = "") -> tuple[Daemon, WebSocket, list[str]]:
        """The session, and the models that upstream hears of: it answers each message with a turn."""
        heard: list[str] = []

        def serve(peer: Peer, receive: Frames) -> None:
            while (got := receive())[0] == TEXT:
                heard.append(json.loads(got[1])["model"])
                used = {"total_tokens": 30, "input_tokens": 20, "output_tokens": 10}
                done = {"type": "response.completed", "response": {"model": heard[-1], "usage": used}}
                peer.send(frame(TEXT, json.dumps(done).encode()))
            peer.send(frame(CLOSE, got[1]))

        running = self.realtime(self.upstream(accepting(serve)), LIMITS)
        session = self.session(running, "/proxy/default/v1/responses" + query)
        self.assertEqual(session.status, 101, session.head)
        return running, session, heard

    def turn_of(self, session: WebSocket, model: str) -> None:
        session.send(self.CREATE | {"model": model})
        self.assertEqual(json.loads(session.receive()[1])["type"], "response.completed")

    def test_the_model_is_the_messages_and_each_turn_is_counted(self) -> None:
        for query in ("", "?model=dear"):
            with self.subTest(query):
                running, session, heard = self.responses(query)
                for _ in range(3):
                    self.turn_of(session, "dear")
                self.left(session)
                call = self.only_call(running.client())
                self.assertEqual((call["model"], call["estimated"], heard), ("dear", False, ["dear"] * 3))
                self.assertEqual(call["usage"]["total_tokens"], 90)

    def test_a_query_that_names_another_model_than_the_message_opens_nothing(self) -> None:
        running, session, heard = self.responses("?model=cheap")
        session.send(self.CREATE | {"model": "dear"})
        self.assertIn("name different models", self.ended(session, 1008))
        self.assertEqual((running.client().calls(), heard), ([], []))

    def test_a_message_that_names_another_model_ends_the_session_before_upstream_has_it(self) -> None:
        for query in ("", "?model=cheap"):
            with self.subTest(query):
                running, session, heard = self.responses(query)
                self.turn_of(session, "cheap")
                session.send(self.CREATE | {"model": "dear"})
                self.assertIn("another model", self.ended(session, 1008))
                call = self.only_call(running.client())
                self.assertEqual((call["model"], call["status"], call["usage"]["total_tokens"]), ("cheap", 101, 30))
                self.assertEqual(heard, ["cheap"])

    def test_two_models_in_messages_that_come_together_charge_nothing(self) -> None:
        running, session, heard = self.responses()
        both = [json.dumps(self.CREATE | {"model": model}).encode() for model in ("cheap", "dear")]
        session.sock.sendall(b"".join(frame(TEXT, message, WebSocket.MASK) for message in both))
        self.assertIn("another model", self.ended(session, 1008))
        self.assertEqual((running.client().calls(), heard), ([], []))

    def test_a_message_that_cannot_be_read_ends_the_session(self) -> None:
        running, session, heard = self.responses()
        self.turn_of(session, "cheap")
        session.send(b"no JSON")
        self.assertIn("no JSON object", self.ended(session, 1008))
        self.assertEqual(heard, ["cheap"])
        self.assertEqual(self.only_call(running.client())["status"], 101)


class Ends(SessionCase):
    def test_a_refused_handshake_passes_as_it_is(self) -> None:
        for status in ("400 Bad Request", "403 Forbidden", "429 Too Many Requests"):
            with self.subTest(status):
                error = {"error": {"code": int(status[:3]), "message": "no"}}
                running = self.proxied(self.upstream(lambda peer, request: peer.answer(error, status)))
                session = self.session(running)
                self.assertEqual(session.status, int(status[:3]))
                self.assertEqual(json.loads(session.body()), error)
                self.assertEqual(running.client().calls(), [])

    def test_a_daemon_that_is_told_to_stop_ends_sessions_and_settles_them(self) -> None:
        told: list[tuple[int, bytes]] = []

        def serve(peer: Peer, receive: Frames) -> None:
            receive()
            peer.send(frame(TEXT, usage(10, 5)))
            told.append(receive())

        running = self.proxied(self.upstream(accepting(serve)))
        sessions = [self.session(running) for _ in range(3)]
        for session in sessions:
            session.send(SETUP)
            session.receive()
        assert running.process
        running.process.send_signal(signal.SIGTERM)
        for session in sessions:
            self.assertIn("stops", self.ended(session, 1001))
            session.close()
        self.assertEqual(running.wait(), 0)
        eventually("upstream is told", lambda: len(told) == 3)
        self.assertEqual(told, [(CLOSE, closing(1001))] * 3)
        running.start()
        calls = running.client().calls()
        told = [(call["state"], call["status"], call["estimated"]) for call in calls]
        self.assertEqual(told, [("settled", 101, True)] * 3)
        self.assertEqual([call["usage"]["input_tokens"] for call in calls], [10] * 3)

    def test_who_may_not_call_gets_no_session(self) -> None:
        upstream = self.upstream(echo)
        running = self.proxied(upstream)
        self.assertEqual(self.session(running, SESSION, {"Origin": "http://evil.example"}).status, 403)
        self.assertEqual(self.session(running, "/proxy/nobody" + LIVE).status, 404)
        self.assertEqual(upstream.requests, [])


if __name__ == "__main__":
    unittest.main()
