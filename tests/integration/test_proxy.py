"""The proxy against an upstream of ours: what it sends there, what comes back, what the ledger holds."""

from __future__ import annotations

import datetime
import gzip
import http.client
import json
import socket
import threading
import unittest
from typing import Any

from proxytest import BODY, ERRORS, GENERATE, KEY, LIMITS, REPLY, SAMPLES, STREAM, USAGE, ProxyCase, event
from upstreamtest import Peer, Request, Upstream, nobody
from weirtest import Answer, Client, config, eventually, limit, threads

class Unary(ProxyCase):
    def test_a_call_passes_with_our_key_and_is_settled_by_its_usage(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(REPLY, headers={"X-Up": "1", "x-request-id": "up-1"}))
        running = self.proxied(upstream)
        client = running.client()
        answer = client.post(
            GENERATE + "?key=callers-key&x=%20y",
            BODY,
            {
                "x-goog-api-key": "callers-key",
                "Authorization": "Bearer callers-key",
                "X-Custom": "kept",
                "X-Weir-Consumer": "tester",
                "Connection": "keep-alive, X-Hop",
                "X-Hop": "dropped",
                "TE": "trailers",
                "Cookie": "a=b",
            },
        )
        self.assertEqual(self.check(answer, 200), REPLY)
        self.assertEqual(answer.headers["X-Up"], "1")
        self.assertEqual(answer.headers["X-Request-Id"], "up-1")
        self.assertEqual(answer.headers["X-Weir-Project"], "default")
        self.assertEqual(answer.headers["X-Weir-Model"], "m")
        self.assertEqual(float(answer.headers["X-Weir-Waited"]), 0)
        call = self.only_call(client)
        self.assertEqual(call["admission_id"], answer.headers["X-Weir-Admission"])
        self.assertEqual((call["status"], call["consumer"], call["estimated"]), (200, "tester", False))
        self.assertEqual((call["usage"]["input_tokens"], call["usage"]["output_tokens"]), (7, 5))
        self.assertGreaterEqual(call["latency_s"], 0)
        self.assertEqual(client.limit("*/requests/day")["used"], 1)
        self.assertEqual(client.limit("*/input_tokens/day")["used"], 7)

        [seen] = upstream.requests
        self.assertEqual((seen.method, seen.target), ("POST", "/v1beta/models/m:generateContent?x=%20y"))
        self.assertEqual(seen.json, BODY)
        self.assertEqual(seen.header("x-goog-api-key"), KEY)
        self.assertEqual(seen.header("host"), f"localhost:{upstream.port}")
        self.assertEqual(seen.header("x-custom"), "kept")
        self.assertEqual(seen.header("cookie"), "a=b")
        self.assertEqual((seen.header("te"), seen.header("connection")), ("trailers", "TE"))
        for name in ("authorization", "x-weir-consumer", "x-hop", "transfer-encoding"):
            self.assertIsNone(seen.header(name), name)
        self.assertNotIn(b"callers-key", upstream.peers[0].raw)
        self.assertNotIn(KEY, running.stderr())
        self.assertNotIn(KEY, client.get("/metrics").text)

    def test_connections_upstream_are_used_again(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(REPLY))
        client = self.proxied(upstream).client()
        for _ in range(5):
            self.check(client.post(GENERATE, BODY), 200)
        self.assertEqual(len(upstream.peers), 1)
        self.assertEqual(client.limit("*/requests/day")["used"], 5)

    def test_the_admission_is_in_the_ledger_before_the_request_leaves(self) -> None:
        states: list[Any] = []

        def script(peer: Peer, request: Request) -> None:
            states.append(running.client().calls())
            peer.answer(REPLY)

        upstream = self.upstream(script)
        running = self.proxied(upstream)
        self.check(running.client().post(GENERATE, BODY), 200)
        self.assertEqual([call["state"] for call in states[0]], ["open"])

    def test_paths_that_cost_nothing_pass_unmetered(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            peer.answer({"you": request.target}, headers={"Set-Cookie": "a=b"})

        upstream = self.upstream(script)
        client = self.proxied(upstream).client()
        for method, path in (
            ("GET", "/v1beta/models?pageSize=5"),
            ("POST", "/v1beta/models/m:countTokens"),
            ("DELETE", "/v1beta/files/abc"),
            ("PATCH", "/v1beta/cachedContents/x"),
            ("GET", "/v1beta/interactions/abc"),
            ("GET", "/v1beta/openai/models"),
        ):
            body = BODY if method in ("POST", "PATCH") else None
            answer = client.send(method, "/proxy/default" + path, body)
            self.assertEqual(self.check(answer, 200)["you"], path)
            self.assertEqual(answer.headers["Set-Cookie"], "a=b")
            self.assertIsNone(answer.headers["X-Weir-Admission"])
            seen = upstream.requests[-1]
            self.assertEqual(seen.method, method)
            self.assertEqual(seen.body, json.dumps(BODY).encode() if body else b"")
            key = "authorization" if "openai" in path else "x-goog-api-key"
            self.assertIn(KEY, seen.header(key) or "")
        self.assertEqual(client.calls(), [])

    def test_head_and_bodiless_answers(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            if request.method == "HEAD":
                peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n")
            else:
                peer.send(b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n")

        client = self.proxied(self.upstream(script)).client()
        head = client.send("HEAD", "/proxy/default/v1beta/models")
        self.assertEqual((head.status, head.headers["Content-Length"], head.body), (200, "1234", b""))
        gone = client.delete("/proxy/default/v1beta/files/x")
        self.assertEqual((gone.status, gone.headers["X-A"], gone.body), (204, "1", b""))

    def test_methods_that_would_show_the_key_or_lead_elsewhere_are_refused(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(request.head))  # as TRACE has it
        client = self.proxied(upstream).client()
        for method in ("TRACE", "trace", "CONNECT"):
            error = self.check(client.send(method, "/proxy/default/v1beta/models"), 501)["error"]
            self.assertEqual(error["status"], "UNIMPLEMENTED")
            self.assertIn(method, error["message"])
        self.assertEqual(upstream.requests, [])

    def test_spellings_of_a_metered_path_do_not_get_around_the_meter(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(REPLY))
        client = self.proxied(upstream).client()
        for path in (
            "/v1beta/models/m%3AgenerateContent",
            "//v1beta//models/m:generateContent",
            "/v1beta/models/%6d:generate%43ontent",
        ):
            answer = client.post("/proxy/default" + path, BODY)
            self.check(answer, 200)
            self.assertEqual(answer.headers["X-Weir-Model"], "m")
            self.assertEqual(upstream.requests[-1].target, path)
        for path in (
            *("/v1beta/../x", "/%2e%2e/x", "/v1beta/./x", "/a%5c..%5cb", "/a%0d%0ab"),
            *("/v1beta/models/m:generateContent#/x", "/v1beta/models?a#b"),
        ):
            self.assertEqual(client.get("/proxy/default" + path).status, 400, path)
        self.assertEqual(len(upstream.requests), 3)

    def test_a_gzip_answer_passes_as_it_is_and_is_metered(self) -> None:
        packed = gzip.compress(json.dumps(REPLY).encode())
        upstream = self.upstream(lambda peer, request: peer.answer(packed, headers={"Content-Encoding": "gzip"}))
        client = self.proxied(upstream).client()
        answer = client.post(GENERATE, BODY, {"Accept-Encoding": "br, gzip;q=0.8"})
        self.assertEqual(answer.body, packed)
        self.assertEqual(upstream.requests[0].header("accept-encoding"), "gzip")
        self.assertEqual(self.only_call(client)["usage"]["total_tokens"], 12)
        client.post(GENERATE, BODY, {"Accept-Encoding": "br"})
        self.assertEqual(upstream.requests[1].header("accept-encoding"), "identity")

    def test_the_key_that_a_refusal_quotes_does_not_reach_the_caller(self) -> None:
        text = f"Permission denied: Consumer 'api_key:{KEY}' has been suspended ({KEY})."
        refusal = json.dumps({"error": {"code": 403, "message": text, "status": "PERMISSION_DENIED"}}).encode()
        hidden = refusal.replace(KEY.encode(), b"*" * len(KEY))
        packed = {"Content-Encoding": "gzip"}

        def script(peer: Peer, request: Request) -> None:
            if "packed" in request.target:
                peer.answer(gzip.compress(refusal), "403 Forbidden", packed)
            elif "chunks" in request.target:
                peer.send(b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n")
                for i in range(0, len(refusal), 5):
                    piece = refusal[i : i + 5]
                    peer.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                peer.send(b"0\r\n\r\n")
            elif "large" in request.target:
                peer.answer(b"x" * 200_000, "403 Forbidden")
            elif "plain" in request.target:
                peer.answer(refusal.replace(KEY.encode(), b"hidden"), "403 Forbidden")
            else:
                peer.answer(refusal, "403 Forbidden")

        client = self.proxied(self.upstream(script)).client()
        for model in ("m", "packed", "chunks"):
            for accepted in ("identity", "gzip, br"):
                with self.subTest(model=model, accepted=accepted):
                    path = GENERATE.replace("models/m", f"models/{model}")
                    answer = client.post(path, BODY, {"Accept-Encoding": accepted})
                    self.assertEqual((answer.status, answer.body), (403, hidden))
                    self.assertIsNone(answer.headers["Content-Encoding"])
        self.assertEqual(client.get("/proxy/default/v1beta/models").body, hidden)
        self.assertEqual(client.get("/proxy/default/v1beta/files/packed").body, hidden)
        head = client.send("HEAD", "/proxy/default/v1beta/models")
        self.assertEqual((head.status, head.headers["Content-Length"]), (403, str(len(refusal))))
        self.assertEqual(len(client.post(GENERATE.replace("models/m", "models/large"), BODY).body), 200_000)
        plain = client.post(GENERATE.replace("models/m", "models/plain"), BODY)
        self.assertEqual(plain.body, refusal.replace(KEY.encode(), b"hidden"))

    def test_a_packed_refusal_that_is_not_all_there_hides_the_key_too(self) -> None:
        refusal = json.dumps({"error": {"code": 403, "message": f"'api_key:{KEY}' has been suspended."}}).encode()
        hidden = refusal.replace(KEY.encode(), b"*" * len(KEY))
        data = gzip.compress(refusal)
        head = b"HTTP/1.1 403 Forbidden\r\nContent-Encoding: gzip\r\n"

        def script(peer: Peer, request: Request) -> None:
            if "trailers" in request.target:
                peer.send(head + b"Transfer-Encoding: chunked\r\n\r\n")
                peer.chunk(data)
                peer.send(b"0\r\nX-Sum: 1\r\n\r\n")
            else:
                peer.send(head + b"Content-Length: %d\r\n\r\n" % len(data) + data[:-1])
                raise ConnectionError

        client = self.proxied(self.upstream(script)).client()
        for path in (GENERATE, "/proxy/default/v1beta/files/x"):
            with self.subTest(path):
                answer = client.post(path + "?trailers", BODY, {"Accept-Encoding": "gzip"})
                self.assertEqual((answer.status, answer.body), (403, hidden))
                self.assertIsNone(answer.headers["Content-Encoding"])
                with self.assertRaises(http.client.IncompleteRead) as broken:
                    client.post(path, BODY, {"Accept-Encoding": "gzip"})
                self.assertEqual(broken.exception.partial, hidden)

    def test_upstream_errors_pass_keep_the_request_charge_and_teach(self) -> None:
        exhausted = (ERRORS / "01b-429-free-rpd-flash-lite-20.json").read_bytes()

        def script(peer: Peer, request: Request) -> None:
            if b"429" in request.body:
                peer.answer(exhausted, "429 Too Many Requests", {"Retry-After": "7"})
            else:
                peer.answer({"error": {"code": 503}}, "503 Service Unavailable")

        client = self.proxied(self.upstream(script)).client()
        answer = client.post(GENERATE, BODY)
        self.assertEqual(self.check(answer, 503), {"error": {"code": 503}})
        self.assertTrue(answer.headers["X-Weir-Admission"])
        call = self.only_call(client)
        self.assertEqual((call["status"], call["usage"]["total_tokens"]), (503, 0))
        self.assertEqual(client.limit("*/requests/day")["used"], 1)
        answer = client.post(GENERATE, BODY | {"x": "429"})
        self.assertEqual((answer.status, answer.body, answer.headers["Retry-After"]), (429, exhausted, "7"))
        self.assertEqual([call["status"] for call in self.closed(client, 2)], [429, 503])
        self.assertTrue(client.get("/v1/observations").json["observations"])


class Streams(ProxyCase):
    def test_events_pass_one_by_one_and_the_last_usage_counts(self) -> None:
        seen = threading.Semaphore(0)

        def script(peer: Peer, request: Request) -> None:
            peer.events()
            for i in range(5):
                peer.chunk(event(f"part {i}", {"promptTokenCount": 9, "candidatesTokenCount": i + 1, "totalTokenCount": 10 + i}))
                self.assertTrue(seen.acquire(timeout=60), "an event was held back")
            peer.chunk(b"")

        upstream = self.upstream(script)
        running = self.proxied(upstream)
        connection = http.client.HTTPConnection(running.tcp.removeprefix("http://"), timeout=60)
        connection.request("POST", STREAM, json.dumps(BODY))
        response = connection.getresponse()
        self.assertEqual(response.headers["Content-Type"], "text/event-stream")
        for i in range(5):
            self.assertIn(f"part {i}".encode(), response.readline())
            self.assertEqual(response.readline(), b"\r\n")
            seen.release()
        self.assertEqual(response.read(), b"")
        call = self.only_call(running.client())
        self.assertEqual((call["usage"]["input_tokens"], call["usage"]["output_tokens"], call["estimated"]), (9, 5, False))

    def test_recorded_streams_are_metered(self) -> None:
        cases = {
            "02-sse-text.txt": STREAM,
            "09-array-stream.json": STREAM.replace("?alt=sse", ""),
            "12-openai-compat-stream.txt": "/proxy/default/v1beta/openai/chat/completions",
            "14-interactions-sse-final-events.txt": "/proxy/default/v1beta/interactions",
        }
        for name, path in cases.items():
            data = (SAMPLES / name).read_bytes()

            def script(peer: Peer, request: Request, data: bytes = data) -> None:
                peer.events()
                for at in range(0, len(data), 97):
                    peer.chunk(data[at : at + 97])
                peer.chunk(b"")

            client = self.proxied(self.upstream(script)).client()
            answer = client.post(path, BODY | {"model": "models/m", "stream": True, "input": "hi"})
            self.assertEqual(answer.body, data, name)
            call = self.only_call(client)
            self.assertGreater(call["usage"]["total_tokens"], 0, name)
            self.assertFalse(call["estimated"], name)
            self.assertEqual(call["model"], "m")

    def test_a_client_that_leaves_settles_with_what_was_seen(self) -> None:
        ended = threading.Event()

        def script(peer: Peer, request: Request) -> None:
            peer.events()
            peer.chunk(event("half", {"promptTokenCount": 9, "candidatesTokenCount": 2, "totalTokenCount": 11}))
            peer.gone()
            ended.set()

        running = self.proxied(self.upstream(script))
        host, port = running.tcp.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as sock:
            body = json.dumps(BODY).encode()
            sock.sendall(
                f"POST {STREAM} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            )
            data = b""
            while b"half" not in data:
                data += sock.recv(65536)
        self.assertTrue(ended.wait(60), "the upstream connection stays open")
        client = running.client()
        call = self.only_call(client)
        self.assertEqual((call["status"], call["estimated"]), (200, True))
        self.assertEqual((call["usage"]["input_tokens"], call["usage"]["output_tokens"]), (9, 2))
        self.nothing_held(client)

    def test_a_client_that_leaves_before_the_answer_keeps_the_estimate(self) -> None:
        asked, ended = threading.Event(), threading.Event()

        def script(peer: Peer, request: Request) -> None:
            asked.set()
            peer.gone()
            ended.set()

        running = self.proxied(self.upstream(script))
        host, port = running.tcp.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as sock:
            body = json.dumps(BODY).encode()
            sock.sendall(
                f"POST {GENERATE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            )
            self.assertTrue(asked.wait(60))
        self.assertTrue(ended.wait(60))
        client = running.client()
        call = self.only_call(client)
        self.assertEqual((call["status"], call["estimated"]), (499, True))
        self.assertEqual(client.limit("*/requests/day")["used"], 1)
        self.assertGreater(client.limit("*/input_tokens/day")["used"], 0)

    def test_an_upstream_that_breaks_off_is_seen_to_break_off(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            peer.events()
            peer.chunk(event("half", {"promptTokenCount": 9, "candidatesTokenCount": 2, "totalTokenCount": 11}))
            peer.reset()

        running = self.proxied(self.upstream(script))
        connection = http.client.HTTPConnection(running.tcp.removeprefix("http://"), timeout=60)
        connection.request("POST", STREAM, json.dumps(BODY))
        response = connection.getresponse()
        with self.assertRaises(http.client.IncompleteRead) as broken:
            response.read()
        self.assertIn(b"half", broken.exception.partial)
        call = self.only_call(running.client())
        self.assertEqual((call["status"], call["estimated"], call["usage"]["total_tokens"]), (200, True, 11))

    def test_many_streams_at_once(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            peer.events()
            for i in range(10):
                peer.chunk(event(request.json["n"] + f" {i}", USAGE))
            peer.chunk(b"")

        running = self.proxied(self.upstream(script))

        def one(index: int) -> None:
            answer = running.client().post(STREAM, BODY | {"n": f"stream {index}"})
            for i in range(10):
                assert f"stream {index} {i}".encode() in answer.body

        with threads(20, one):
            pass
        client = running.client()
        self.assertEqual(client.limit("*/requests/day")["used"], 20)
        self.assertEqual(client.limit("*/input_tokens/day")["used"], 20 * 7)


class BadUpstreams(ProxyCase):
    def test_nobody_there_charges_nothing(self) -> None:
        upstream = self.upstream(lambda peer, request: None)
        port = self.enterContext(nobody())
        upstream.url = f"https://127.0.0.1:{port}"
        client = self.proxied(upstream).client()
        self.assertIn(str(port), self.refused(client, 502))
        self.assertEqual(self.only_call(client)["state"], "cancelled")
        self.assertEqual(client.limit("*/requests/day")["used"], 0)

    def test_a_certificate_that_does_not_convince_charges_nothing(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(REPLY))
        running = self.make(
            config(LIMITS, project=upstream.project(key=False).replace("ca_file", "# ca_file"))
        ).start()
        self.assertIn("certificate", self.refused(running.client(), 502))
        self.assertEqual(upstream.requests, [])
        self.assertEqual(running.client().limit("*/requests/day")["used"], 0)

    def test_what_is_no_answer(self) -> None:
        answers = {
            "garbage": b"lorem ipsum\r\n\r\n",
            "nothing": b"",
            "a large header": b"HTTP/1.1 200 OK\r\nX: " + b"h" * 70_000 + b"\r\n\r\n",
            "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n1",
        }
        for name, data in answers.items():

            def script(peer: Peer, request: Request, data: bytes = data) -> None:
                peer.send(data)
                peer.reset()

            client = self.proxied(self.upstream(script)).client()
            self.refused(client, 502)
            call = self.only_call(client)
            self.assertEqual((call["status"], call["estimated"]), (502, True), name)
            self.assertEqual(client.limit("*/requests/day")["used"], 1, name)
            self.assertGreater(client.limit("*/input_tokens/day")["used"], 0, name)
            self.nothing_held(client)

    def test_an_answer_that_is_shorter_than_it_says(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\":")
            peer.reset()

        running = self.proxied(self.upstream(script))
        with self.assertRaises(http.client.IncompleteRead):
            running.client().post(GENERATE, BODY)
        self.assertTrue(self.only_call(running.client())["estimated"])

    def test_one_that_never_answers(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            peer.gone()

        client = self.proxied(self.upstream(script), proxy="first_byte_timeout_s = 0.3").client()
        self.assertIn("in time", self.refused(client, 504))
        call = self.only_call(client)
        self.assertEqual((call["status"], call["estimated"]), (504, True))
        self.nothing_held(client)

    def test_one_that_answers_early_and_hangs_up(self) -> None:
        def on_peer(peer: Peer) -> None:
            peer.head()
            peer.answer({"error": {"code": 413}}, "413 Too Large")

        running = self.proxied(self.upstream(on_peer=on_peer))
        answer = running.client().send("POST", "/proxy/default/upload/v1beta/files", b"x" * 3_000_000)
        self.assertEqual(answer.status, 413)


class Refusals(ProxyCase):
    def test_a_denial_is_googles_own(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(REPLY))
        client = self.proxied(upstream, limit(1, window="60s")).client()
        self.check(client.post(GENERATE, BODY), 200)
        answer = client.post(GENERATE, BODY, {"X-Weir-Wait": "0"})
        error = self.check(answer, 429)["error"]
        self.assertEqual((error["code"], error["status"]), (429, "RESOURCE_EXHAUSTED"))
        self.assertTrue(error["message"].startswith("Weir: 1 of 1 requests per 60s"), error)
        failure, retry = error["details"]
        self.assertEqual(failure["@type"], "type.googleapis.com/google.rpc.QuotaFailure")
        [violation] = failure["violations"]
        self.assertIn("PerMinute", violation["quotaId"])
        self.assertEqual(violation["quotaValue"], "1")
        self.assertEqual(retry["@type"], "type.googleapis.com/google.rpc.RetryInfo")
        delay = float(retry["retryDelay"].removesuffix("s"))
        self.assertTrue(0 < delay < 62, retry)
        self.assertTrue(delay <= int(answer.headers["Retry-After"]) < delay + 2)
        self.assertEqual(answer.headers["X-Weir-Denied"], "*/requests/60s")
        self.assertEqual(len(upstream.requests), 1)

        answer = client.post(
            "/proxy/default/v1beta/openai/chat/completions", {"model": "m", "messages": []}, {"X-Weir-Wait": "0"}
        )
        self.assertEqual(self.check(answer, 429)["error"]["code"], "rate_limit_exceeded")
        answer = client.post("/proxy/default/v1beta/interactions", {"model": "m", "input": "x"}, {"X-Weir-Wait": "0"})
        self.assertEqual(self.check(answer, 429)["error"]["code"], "too_many_requests")

    def test_an_openai_denial(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(REPLY))
        running = self.make(config(limit(0), project=upstream.project("openai", key=False))).start()
        answer = running.client().post("/proxy/default/v1/chat/completions", {"model": "gpt", "messages": []})
        error = self.check(answer, 429)["error"]
        self.assertEqual((error["type"], error["code"]), ("requests", "rate_limit_exceeded"))
        self.assertEqual(answer.headers["X-Should-Retry"], "false")
        self.assertIsNone(answer.headers["Retry-After"])

    def test_a_call_waits_for_room_as_long_as_it_says(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(REPLY))
        world = self.world()
        world.freeze(datetime.datetime.now(datetime.timezone.utc))  # the certificate is of today
        running = self.proxied(upstream, limit(1, window="10s"), world=world)
        client = running.client()
        self.check(client.post(GENERATE, BODY), 200)
        answers: list[Answer] = []
        with threads(1, lambda _: answers.append(running.client().post(GENERATE, BODY, {"X-Weir-Wait": "20"}))):
            eventually("it waits", lambda: client.metrics().sum("weir_queue_waiting") == 1)
            world.pass_time(11)
        self.check(answers[0], 200)
        self.assertEqual(float(answers[0].headers["X-Weir-Waited"]), 11)
        self.assertEqual(self.check(client.post(GENERATE, BODY, {"X-Weir-Wait": "soon"}), 400)["error"]["status"], "INVALID_ARGUMENT")

    def test_a_client_that_leaves_the_line_frees_its_place(self) -> None:
        release = threading.Event()

        def script(peer: Peer, request: Request) -> None:
            release.wait(60)
            peer.answer(REPLY)

        upstream = self.upstream(script)
        running = self.proxied(upstream, limit(1, "in_flight", ""))
        host, port = running.tcp.removeprefix("http://").split(":")
        body = json.dumps(BODY).encode()
        head = f"POST {GENERATE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection((host, int(port))) as first:
            first.sendall(head + body)
            eventually("the first is upstream", lambda: len(upstream.requests) == 1)
            with socket.create_connection((host, int(port))) as second:
                second.sendall(head + body)
                eventually("the second waits", lambda: "} 1" in "".join(
                    line for line in running.client().get("/metrics").text.splitlines()
                    if line.startswith("weir_queue_waiting") and "normal" in line))
            eventually("it has left the line", lambda: "} 1" not in "".join(
                line for line in running.client().get("/metrics").text.splitlines()
                if line.startswith("weir_queue_waiting")))
            release.set()
            self.assertIn(b"200 OK", first.recv(65536))
        self.assertEqual(len(upstream.requests), 1)

    def test_who_and_what_is_unknown(self) -> None:
        client = self.proxied(self.upstream(lambda peer, request: peer.answer(REPLY))).client()
        self.assertEqual(self.check(client.post("/proxy/nope/v1beta/models/m:generateContent", BODY), 404)["error"]["status"], "NOT_FOUND")
        for body in (b"{", b"[]", b'{"messages":[]}', b'{"model":7}', b'{"model":"a b"}', b'{"model":"a\\r\\nX: y"}'):
            refused = self.check(client.post("/proxy/default/v1beta/openai/embeddings", body), 400)
            self.assertTrue(refused["error"]["message"].startswith("Weir: "), refused)
        for model in ("a%20b", "a%09b", "%C3%A4", "x" * 201):
            self.check(client.post(f"/proxy/default/v1beta/models/{model}:generateContent", BODY), 400)


class Callers(ProxyCase):
    def test_a_project_without_a_key_is_told_what_to_do(self) -> None:
        client = self.daemon(config(LIMITS)).client()
        message = self.refused(client, 401)
        self.assertIn('project "default" has no key, and generativelanguage.googleapis.com', message)
        self.assertIn("api_key_file", message)
        self.assertEqual(client.calls(), [])

    def test_a_consumers_name_is_taken_as_it_is_or_refused(self) -> None:
        client = self.proxied(self.upstream(lambda peer, request: peer.answer(REPLY))).client()
        for name in ("a b", "caf\u00e9", "x" * 200):
            header = name.encode().decode("latin-1")
            self.check(client.post(GENERATE, BODY, {"X-Weir-Consumer": header}), 200)
            self.assertEqual(client.calls()[0]["consumer"], name)
        for name, fault in (
            ("x" * 201, "must be at most 200 bytes"),
            ("a\tb", "must not contain control characters"),
            ("caf\u00e9", "must be UTF-8"),  # one byte of Latin-1
        ):
            error = self.check(client.post(GENERATE, BODY, {"X-Weir-Consumer": name}), 400)["error"]
            self.assertEqual(error["message"], f"Weir: X-Weir-Consumer {fault}")
        self.assertEqual(len(client.calls()), 3)

    def test_a_token_names_the_consumer_and_the_daemon_asks_for_one(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(REPLY))
        running = self.make(
            config(
                LIMITS,
                project=upstream.project(),
                server='token_file = "admin"',
                more='[[consumers]]\nname = "chat"\ntoken_file = "chat"\n',
            )
        )
        for name, secret in (("key", KEY), ("admin", "admin-token"), ("chat", "chat-token")):
            (running.directory / name).write_text(secret)
            (running.directory / name).chmod(0o600)
        running.start()
        client = Client(running.tcp)
        for headers, path, status, consumer in (
            ({}, GENERATE, 401, ""),
            ({"x-goog-api-key": "chat-tokeN"}, GENERATE, 401, ""),
            ({"x-goog-api-key": "chat-token"}, GENERATE, 200, "chat"),
            ({"Authorization": "Bearer chat-token", "X-Weir-Consumer": "other"}, GENERATE, 200, "chat"),
            ({}, GENERATE + "?key=chat-token", 200, "chat"),
            ({"x-goog-api-key": "admin-token", "X-Weir-Consumer": "other"}, GENERATE, 200, "other"),
        ):
            answer = client.post(path, BODY, headers)
            self.check(answer, status)
            if status == 200:
                calls = Client(running.unix).calls()
                self.assertEqual(calls[0]["consumer"], consumer)
        self.assertEqual(Client(running.unix).post(GENERATE, BODY).status, 200)  # its mode decides
        for peer in upstream.peers:
            self.assertNotIn(b"-token", peer.raw)


class Bodies(ProxyCase):
    def test_a_large_upload_streams(self) -> None:
        size = 64 << 20
        got = []

        def on_peer(peer: Peer) -> None:
            peer.head()
            got.append(peer.drain(size))
            peer.answer({"ok": True})

        running = self.proxied(self.upstream(on_peer=on_peer))
        connection = http.client.HTTPConnection(running.tcp.removeprefix("http://"), timeout=90)
        connection.putrequest("POST", "/proxy/default/upload/v1beta/files")
        connection.putheader("Content-Length", str(size))
        connection.endheaders()
        block = b"u" * (1 << 20)
        for _ in range(size >> 20):
            connection.send(block)
        self.assertEqual(connection.getresponse().status, 200)
        self.assertEqual(got, [size])
        with open(f"/proc/{running.pid}/status", encoding="ascii") as status:
            peak = int(next(line for line in status if line.startswith("VmHWM")).split()[1])
        if not running.env.get("LD_PRELOAD"):
            self.assertLess(peak, 400_000)  # kB; far less without sanitizers

    def test_a_chunked_request_is_collected_and_sent_with_a_length(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(REPLY))
        running = self.proxied(upstream)
        connection = http.client.HTTPConnection(running.tcp.removeprefix("http://"), timeout=90)
        data = json.dumps(BODY).encode()
        connection.request("POST", GENERATE, iter([data[:10], data[10:]]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        self.assertEqual(connection.getresponse().status, 200)
        self.assertEqual(upstream.requests[0].header("content-length"), str(len(data)))
        self.assertEqual(upstream.requests[0].body, data)

    def test_a_metered_body_beyond_the_bound(self) -> None:
        sizes = []

        def on_peer(peer: Peer) -> None:
            head = peer.head() or b""
            length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
            sizes.append((length, peer.drain(length)))
            peer.answer(REPLY)

        running = self.proxied(
            self.upstream(on_peer=on_peer), limit(100) + limit(10_000_000, "input_tokens"), proxy="max_metered_body_bytes = 100000"
        )
        client = running.client()
        large = json.dumps(BODY | {"x": "y" * 2_000_000})
        self.check(client.post(GENERATE, large), 200)
        self.assertEqual(sizes, [(len(large), len(large))])
        self.assertEqual(self.only_call(client)["usage"]["total_tokens"], 12)
        answer = running.client().post("/proxy/default/v1beta/openai/chat/completions", large)
        self.check(answer, 413)

    def test_upload_urls_lead_back_through_the_proxy(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            if "moved" in request.target:
                peer.answer(b"", "302 Found", {"Location": "/v1beta/files/7?u=1"})
            elif "upload_id" in request.target:
                peer.answer({"file": {"size": len(request.body)}})
            else:
                peer.answer(b"", headers={"X-Goog-Upload-URL": f"{upstream.url}/upload/v1beta/files?upload_id=42&key={KEY}&u=1"})

        upstream = self.upstream(script)
        running = self.proxied(upstream)
        client = running.client()
        url = client.post("/proxy/default/upload/v1beta/files", {}).headers["X-Goog-Upload-URL"]
        self.assertEqual(url, f"{running.tcp}/proxy/default/upload/v1beta/files?upload_id=42&u=1")
        self.assertEqual(client.send("POST", url.removeprefix(running.tcp), b"12345").json, {"file": {"size": 5}})
        self.assertEqual(upstream.requests[1].header("x-goog-api-key"), KEY)
        moved = client.get("/proxy/default/v1beta/files/moved").headers["Location"]
        self.assertEqual(moved, f"{running.tcp}/proxy/default/v1beta/files/7?u=1")


class Pools(ProxyCase):
    def test_the_next_project_then_the_fallback_model(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(REPLY))
        lines = upstream.project()
        running = self.make(
            config(
                limit(1, models='["big"]'),
                project=lines,
                more=f"""
[[projects]]
name = "second"
{lines.replace('"key"', '"key2"')}
{limit(1, models='["big"]')}
[[pools]]
name = "both"
projects = ["default", "second"]
fallback = {{ "big" = ["small"] }}
""",
            )
        )
        for name, secret in (("key", KEY), ("key2", "second-key")):
            (running.directory / name).write_text(secret)
            (running.directory / name).chmod(0o600)
        running.start()
        client = running.client()
        body = b'{ "x": {"model": "big"}, "model" : "big", "messages": ["model", "big"] }'
        seen = []
        for path, sent in (
            ("/proxy/both/v1beta/models/big:generateContent", body),
            ("/proxy/both/v1beta/openai/chat/completions", body),
            ("/proxy/both/v1beta/openai/chat/completions", body.replace(b': "big", "m', b': "small", "m')),
            ("/proxy/both/v1beta/models/big:streamGenerateContent?alt=sse", body),
        ):
            answer = client.post(path, body)
            self.check(answer, 200)
            request = upstream.requests[-1]
            self.assertEqual(request.body, sent)
            key = request.header("x-goog-api-key") or request.header("authorization")
            seen.append((answer.headers["X-Weir-Project"], answer.headers["X-Weir-Model"], key))
        self.assertEqual(
            seen,
            [
                ("default", "big", KEY),
                ("second", "big", "Bearer second-key"),
                ("default", "small", "Bearer " + KEY),
                ("default", "small", KEY),
            ],
        )
        self.assertEqual(upstream.requests[-1].target, "/v1beta/models/small:streamGenerateContent?alt=sse")


class OtherProviders(ProxyCase):
    def test_openai_paths(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            if request.target.endswith("embeddings"):
                peer.answer({"data": [], "usage": {"prompt_tokens": 8, "total_tokens": 8}})
            else:
                peer.answer(
                    {"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 30, "total_tokens": 40}}
                )

        upstream = self.upstream(script)
        running = self.make(config(LIMITS, project=upstream.project("openai", path="/api/v1")))
        (running.directory / "key").write_text(KEY)
        (running.directory / "key").chmod(0o600)
        client = running.start().client()
        body = {"model": "gpt-x", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 10}
        for path, target in (
            ("/v1/chat/completions", "/api/v1/chat/completions"),
            ("/chat/completions", "/api/v1/chat/completions"),
            ("/v1/responses", "/api/v1/responses"),
            ("/v1/embeddings", "/api/v1/embeddings"),
        ):
            answer = client.post("/proxy/default" + path, body, {"Authorization": "Bearer mine"})
            self.check(answer, 200)
            self.assertEqual(answer.headers["X-Weir-Model"], "gpt-x")
            self.assertEqual(upstream.requests[-1].target, target)
            self.assertEqual(upstream.requests[-1].header("authorization"), "Bearer " + KEY)
        used = [call["usage"]["total_tokens"] for call in self.closed(client, 4)]
        self.assertEqual(used, [8, 40, 40, 40])


class Crash(ProxyCase):
    def test_a_killed_daemon_finds_its_open_call_again(self) -> None:
        asked = threading.Event()

        def script(peer: Peer, request: Request) -> None:
            asked.set()
            peer.gone()

        running = self.proxied(self.upstream(script))

        def leave(_: int) -> None:
            try:
                running.client().post(GENERATE, BODY)
            except (OSError, http.client.HTTPException):
                pass

        with threads(1, leave):
            self.assertTrue(asked.wait(60))
            running.kill()
        running.start()
        client = running.client()
        self.assertEqual(client.limit("*/requests/day")["held"], 1)
        self.assertEqual([call["state"] for call in client.calls()], ["open"])


if __name__ == "__main__":
    unittest.main()
