"""`[proxy] retry`: what upstream refuses is tried again on the caller's behalf, charged again, and told."""

from __future__ import annotations

import datetime
import http.client
import json
import unittest
from typing import Any

from proxytest import BODY, ERRORS, GENERATE, KEY, LIMITS, REPLY, STREAM, ProxyCase
from upstreamtest import Peer, Request, Script
from weirtest import Answer, Client, config, eventually, limit, raw_connection, threads

OVERLOADED = {"error": {"code": 503, "message": "Later.", "status": "UNAVAILABLE"}}


def answers(*refusals: tuple[str, Any]) -> Script:
    """Refuses one call after the other as told, then answers."""
    left = list(refusals)

    def script(peer: Peer, request: Request) -> None:
        if left:
            status, body = left.pop(0)
            peer.answer(body, status, {"X-Up": "1"})
        else:
            peer.answer(REPLY)

    return script


class Retry(ProxyCase):
    def retries(self, client: Client, code: int) -> float:
        return client.metrics().sum("weir_proxy_retries_total", code=str(code))

    def statuses(self, client: Client, count: int) -> list[int]:
        """Of the calls in the ledger, oldest first."""
        return [call["status"] for call in reversed(self.closed(client, count))]

    def test_an_overload_is_tried_again_and_each_attempt_charged(self) -> None:
        upstream = self.upstream(answers(("503 Service Unavailable", OVERLOADED)))
        client = self.proxied(upstream, proxy="retry = 2").client()
        self.assertEqual(self.retries(client, 503), 0)
        answer = client.post(GENERATE, BODY)
        self.assertEqual(self.check(answer, 200), REPLY)
        self.assertEqual([request.json for request in upstream.requests], [BODY, BODY])
        self.assertEqual(self.statuses(client, 2), [503, 200])
        self.assertEqual(answer.headers["X-Weir-Admission"], client.calls()[0]["admission_id"])
        self.assertGreaterEqual(float(answer.headers["X-Weir-Waited"]), 1)
        self.assertEqual(client.limit("*/requests/day")["used"], 2)
        self.assertEqual(client.limit("*/input_tokens/day")["used"], 7)
        self.assertEqual((self.retries(client, 503), self.retries(client, 429)), (1, 0))
        self.nothing_held(client)

    def test_a_large_body_is_sent_again_whole(self) -> None:
        upstream = self.upstream(answers(("503 Service Unavailable", OVERLOADED)))
        client = self.proxied(upstream, proxy="retry = 1").client()
        large = BODY | {"labels": "x" * 300_000}
        self.assertEqual(self.check(client.post(GENERATE, large), 200), REPLY)
        self.assertEqual([request.json == large for request in upstream.requests], [True, True])

    def test_a_cool_down_is_learned_and_waited_for(self) -> None:
        upstream = self.upstream(answers(("429 Too Many", (ERRORS / "13-429-bare-no-details.json").read_bytes())))
        world = self.world()
        world.freeze(datetime.datetime.now(datetime.timezone.utc))
        running = self.proxied(upstream, proxy="retry = 1", world=world)
        client = running.client()
        got: list[Answer] = []
        with threads(1, lambda _: got.append(running.client().post(GENERATE, BODY))):
            eventually("after the pause it waits", lambda: client.metrics().sum("weir_queue_waiting") == 1)
            world.pass_time(3)  # the cool-down is of two seconds
        [answer] = got
        self.assertEqual(self.check(answer, 200), REPLY)
        self.assertEqual(float(answer.headers["X-Weir-Waited"]), 1 + 3)  # the pause, and the cool-down
        self.assertEqual(self.statuses(client, 2), [429, 200])
        self.assertEqual(self.retries(client, 429), 1)

    def test_it_is_off_unless_configured_and_for_who_has_no_patience(self) -> None:
        for proxy, headers in (("", {}), ("retry = 2", {"X-Weir-Wait": "0"}), ("retry = 2\nwait_s = 0", {})):
            upstream = self.upstream(answers(("503 Not Now", OVERLOADED)))
            client = self.proxied(upstream, proxy=proxy).client()
            answer = client.post(GENERATE, BODY, headers)
            self.assertEqual((self.check(answer, 503), answer.headers["X-Up"]), (OVERLOADED, "1"))
            self.assertEqual(self.statuses(client, 1), [503])

    def test_the_last_refusal_reaches_the_caller_as_it_came(self) -> None:
        last = {"error": {"code": 503, "message": "The third.", "status": "UNAVAILABLE"}}
        upstream = self.upstream(answers(*[("503 No", OVERLOADED)] * 2, ("503 Still No", last)))
        client = self.proxied(upstream, proxy="retry = 2").client()
        answer = client.post(GENERATE, BODY)
        self.assertEqual((self.check(answer, 503), answer.headers["X-Up"]), (last, "1"))
        self.assertEqual(answer.headers["X-Weir-Admission"], client.calls()[0]["admission_id"])
        self.assertEqual(self.statuses(client, 3), [503, 503, 503])
        self.assertEqual(client.limit("*/requests/day")["used"], 3)

    def test_what_waiting_does_not_change_is_not_tried_again(self) -> None:
        for name, status in (
            ("15-429-prepay-depleted", "429 Too Many"),  # until somebody pays
            ("01-429-free-rpd-misleading-short-hint", "429 Too Many"),  # until the day ends
            ("31-500-internal", "500 Internal"),
            ("10-400-api-key-invalid", "400 Bad"),
        ):
            body = (ERRORS / f"{name}.json").read_bytes()
            upstream = self.upstream(answers((status, body)))
            client = self.proxied(upstream, proxy="retry = 3").client()
            answer = client.post(GENERATE, BODY)
            self.assertEqual((answer.status, answer.body), (int(status[:3]), body), name)
            self.assertEqual(answer.headers["X-Weir-Admission"], self.only_call(client)["admission_id"])
            self.assertEqual(len(upstream.requests), 1, name)

    def test_a_hint_beyond_the_patience_is_believed(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            peer.answer(OVERLOADED, "503 No", {"Retry-After": "1000"})

        upstream = self.upstream(script)
        answer = self.proxied(upstream, proxy="retry = 3").client().post(GENERATE, BODY)
        self.assertEqual((answer.status, answer.headers["Retry-After"]), (503, "1000"))
        self.assertEqual(len(upstream.requests), 1)

    def test_a_client_that_leaves_in_the_pause_ends_it(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            peer.answer(OVERLOADED, "503 No", {"Retry-After": "5"})

        upstream = self.upstream(script)
        running = self.proxied(upstream, proxy="retry = 1")
        client = running.client()
        data = json.dumps(BODY).encode()
        with raw_connection(running.tcp) as leaving:
            leaving.sendall(
                f"POST {GENERATE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data
            )
            eventually("the pause began", lambda: self.retries(client, 503) == 1)
        # One that stays, and whose pause begins later, measures the time.
        self.check(client.post(GENERATE, BODY), 503)
        self.assertEqual(len(upstream.requests), 3)
        self.assertEqual(self.statuses(client, 3), [503, 503, 503])
        self.nothing_held(client)

    def test_a_pool_goes_on_with_its_next_project_or_model(self) -> None:
        bare = (ERRORS / "13-429-bare-no-details.json").read_bytes()
        refusing = self.upstream(lambda peer, request: peer.answer(bare, "429 No"))
        willing = self.upstream(lambda peer, request: peer.answer(REPLY))
        openai = "/proxy/both/v1beta/openai/chat/completions"
        for second, fallback in ((willing, "{}"), (refusing, '{ "m" = ["n"] }')):
            world = self.world()
            world.freeze(datetime.datetime.now(datetime.timezone.utc))  # so that no cool-down ends
            running = self.make(
                config(
                    LIMITS,
                    project=refusing.project(),
                    more=f"""
[[projects]]
name = "second"
{second.project()}
{LIMITS}
[[pools]]
name = "both"
projects = ["default", "second"]
fallback = {fallback}
[proxy]
retry = 2
""",
                ),
                world=world,
            )
            (running.directory / "key").write_text(KEY)
            (running.directory / "key").chmod(0o600)
            client = running.start().client()
            refusing.requests.clear()
            body = {"model": "m", "messages": [{"role": "user", "content": "m"}]}
            answer = client.post(openai, body)
            if second is willing:
                self.assertEqual(self.check(answer, 200), REPLY)
                self.assertEqual(answer.headers["X-Weir-Project"], "second")
                self.assertEqual(self.statuses(client, 2), [429, 200])
            else:
                self.assertEqual((answer.status, answer.headers["X-Weir-Model"]), (429, "n"))
                self.assertEqual([seen.json for seen in refusing.requests], [body, body, body | {"model": "n"}])

    def test_what_is_not_held_is_not_tried_again(self) -> None:
        upstream = self.upstream(answers(("503 No", OVERLOADED)))
        running = self.proxied(upstream, proxy="retry = 2\nmax_metered_body_bytes = 1024")
        large = json.dumps(BODY | {"labels": "x" * 5000}).encode()
        with raw_connection(running.tcp) as connection:
            head = f"POST {GENERATE} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(large)}\r\n\r\n"
            connection.sendall(head.encode() + large[:2000])
            eventually("its beginning is on the way", lambda: upstream.peers)
            connection.sendall(large[2000:])
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            self.assertEqual((answer.status, json.loads(answer.read())), (503, OVERLOADED))
        self.assertEqual(self.statuses(running.client(), 1), [503])

    def test_a_refusal_too_large_to_hold_passes(self) -> None:
        data = b'{"error":{"code":503,"message":"' + b"m" * 200_000 + b'"}}'

        def script(peer: Peer, request: Request) -> None:
            peer.send(b"HTTP/1.1 503 No\r\nTransfer-Encoding: chunked\r\n\r\n")
            for at in range(0, len(data), 5000):
                peer.chunk(data[at : at + 5000])
            peer.send(b"0\r\n\r\n")

        upstream = self.upstream(script)
        client = self.proxied(upstream, proxy="retry = 2").client()
        answer = client.post(GENERATE, BODY)
        self.assertEqual((answer.status, answer.body == data), (503, True))
        self.assertEqual(self.statuses(client, 1), [503])

    def test_a_refusal_that_breaks_off_is_seen_to(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            peer.send(b"HTTP/1.1 503 No\r\nContent-Length: 100\r\n\r\n{")
            peer.reset()

        client = self.proxied(self.upstream(script), proxy="retry = 2").client()
        with self.assertRaises(http.client.IncompleteRead) as caught:
            client.post(STREAM, BODY)
        self.assertEqual(caught.exception.partial, b"{")
        self.assertTrue(self.only_call(client)["estimated"])

    def test_no_room_for_another_attempt_gives_upstreams_own_answer(self) -> None:
        upstream = self.upstream(answers(("503 No", OVERLOADED)))
        client = self.proxied(upstream, limits=limit(1), proxy="retry = 2").client()
        answer = client.post(GENERATE, BODY)
        self.assertEqual((self.check(answer, 503), answer.headers["X-Up"]), (OVERLOADED, "1"))
        self.assertNotIn("X-Weir-Denied", answer.headers)
        self.assertEqual(len(upstream.requests), 1)


if __name__ == "__main__":
    unittest.main()
