"""What a consumer's token opens: its own calls, the limits that bind it, and so many requests a second."""

from __future__ import annotations

import json
import os
import re
import time
import unittest
from typing import Any

from proxytest import BODY, GENERATE, REPLY, ProxyCase
from test_events import Stream
from weirtest import Answer, Client, Daemon, config, eventually, limit

CHAT, BATCH, ADMIN = "chat-token-0123", "batch-token-4567", "admin-token-89ab"
CONSUMERS = """
[[consumers]]
name = "chat"
token_file = "chat.token"
[[consumers]]
name = "batch"
token_file = "batch.token"
max_share = 0.5
"""
ADMIN_ONLY = (
    ("GET", "/metrics"),
    ("GET", "/v1/observations"),
    ("DELETE", "/v1/observations/0000000000000001"),
    ("POST", "/v1/reload"),
    ("GET", "/nowhere"),
)


class TokenClient(Client):
    """Sends a token with every request."""

    def __init__(self, address: str, token: str) -> None:
        super().__init__(address)
        self.token = token

    def send(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> Answer:
        fields = {"Authorization": f"Bearer {self.token}"} | (headers or {})
        return super().send(method, path, body, fields)


class Consumers(ProxyCase):
    def serve(self, consumers: str = CONSUMERS, server: str = 'token_file = "admin.token"') -> Daemon:
        daemon = self.make(config(limit(100), server=server, more=consumers))
        for name, token in (("chat", CHAT), ("batch", BATCH), ("admin", ADMIN)):
            path = daemon.directory / f"{name}.token"
            path.write_text(token + "\n")
            path.chmod(0o600)
        return daemon.start()

    def clients(self, daemon: Daemon) -> tuple[TokenClient, TokenClient, TokenClient]:
        return (
            TokenClient(daemon.tcp, CHAT),
            TokenClient(daemon.tcp, BATCH),
            TokenClient(daemon.tcp, ADMIN),
        )

    def test_a_call_is_on_the_account_of_the_token(self) -> None:
        chat, batch, admin = self.clients(self.serve())
        own = self.admitted(chat)
        self.admitted(chat, consumer="chat")
        self.admitted(admin, consumer="batch")
        problem = self.check_problem(chat.admit(consumer="batch"), 403)
        self.assertEqual(problem["type"], "urn:weir:problem:not-yours")
        self.assertIn("consumer chat's", problem["detail"])
        self.check_problem(
            chat.post("/v1/calls", {"model": "m", "consumer": "batch", "status": 200}), 403
        )
        self.check(chat.post("/v1/calls", {"model": "m", "status": 200}), 201)
        self.check(chat.settle(own, status=200), 200)
        calls = admin.calls()
        self.assertEqual(sorted(call["consumer"] for call in calls), ["batch", "chat", "chat", "chat"])

    def test_admissions_of_others_do_not_exist(self) -> None:
        chat, batch, admin = self.clients(self.serve())
        theirs, own = self.admitted(batch), self.admitted(chat)
        for state in ("open", "settled"):
            with self.subTest(state=state):
                self.check_problem(chat.settle(theirs, status=200), 404)
                self.check_problem(chat.delete(f"/v1/admissions/{theirs}"), 404)
            if state == "open":
                held = {call["admission_id"]: call["state"] for call in admin.calls()}
                self.assertEqual(held, {theirs: "open", own: "open"})
                self.check(batch.settle(theirs, status=200), 200)
        self.check(admin.settle(own, status=200), 200)

    def test_an_idempotency_key_is_the_token_holders_own(self) -> None:
        chat, batch, _ = self.clients(self.serve())
        key = {"Idempotency-Key": '"1"'}
        first = self.check(chat.admit(headers=key), 201)
        self.assertEqual(
            self.check(chat.admit(headers=key), 201)["admission_id"], first["admission_id"]
        )
        other = self.check(batch.admit(headers=key), 201)
        self.assertNotEqual(other["admission_id"], first["admission_id"])

    def test_reports_show_its_own_calls(self) -> None:
        chat, batch, admin = self.clients(self.serve())
        for client, tokens in ((chat, 5), (batch, 70)):
            usage = {"input_tokens": tokens, "total_tokens": tokens}
            self.check(client.settle(self.admitted(client), status=200, usage=usage), 200)
        for query in ("", "?by=consumer", "?bucket=day", "?bucket=hour", "?by=model&bucket=day&tz=Asia/Kolkata"):
            with self.subTest(query=query):
                for client, tokens in ((chat, [5]), (batch, [70])):
                    rows = self.check(client.get("/v1/usage" + query), 200)["rows"]
                    self.assertEqual([row["input_tokens"] for row in rows], tokens)
        self.assertEqual(
            sum(row["calls"] for row in admin.get("/v1/usage").json["rows"]), 2
        )
        for accept in ("application/json", "application/x-ndjson", "text/csv"):
            text = chat.get("/v1/calls", {"Accept": accept}).text
            self.assertIn("chat", text)
            self.assertNotIn("batch", text)
        self.assertEqual(len(self.check(chat.get("/v1/calls?consumer=chat"), 200)["calls"]), 1)
        self.check_problem(chat.get("/v1/calls?consumer=batch"), 403)

    def test_limits_are_those_that_bind_it(self) -> None:
        chat, batch, admin = self.clients(self.serve())
        for client in (chat, batch):
            self.admitted(client)
        names = {
            name: sorted(limit["limit"] for limit in client.get("/v1/quota").json["limits"])
            for name, client in (("chat", chat), ("batch", batch), ("admin", admin))
        }
        self.assertEqual(names["chat"], ["*/requests/day"])
        self.assertEqual(names["batch"], ["*/requests/day", "*/requests/day@batch/share"])
        self.assertEqual(names["admin"], names["batch"])
        self.assertEqual(chat.limit("*/requests/day")["held"], 2)
        of_model = batch.get("/v1/quota?model=m").json["limits"]
        self.assertEqual(len(of_model), 2)

    def test_what_was_not_told_one_by_one_is_counted_for_those_who_would_have_been_told(self) -> None:
        daemon = self.serve()
        chat, batch, _ = self.clients(daemon)

        def stream(token: str, query: str = "") -> Stream:
            opened = Stream(daemon, query, headers=f"Authorization: Bearer {token}\r\n")
            self.addCleanup(opened.close)
            return opened

        everything, chats, denials = stream(ADMIN), stream(CHAT), stream(ADMIN, "?types=denial")
        count = 1500  # all but the first 50 are denied: batch may have half
        for _ in range(count):
            batch.admit()
        told, omitted = 0, 0
        while told + omitted < count:
            event = everything.of_type("admission", "denial", "omitted")
            told += event.type != "omitted"
            omitted += sum(event.data.values()) if event.type == "omitted" else 0
        self.assertEqual(told + omitted, count)
        self.assertGreater(omitted, 0)
        told = 0
        while told < count - 50:
            event = denials.next()
            assert event is not None, "the stream ended"
            told += event.data["denial"] if event.type == "omitted" else 1
            self.assertEqual(event.data.get("admission", 0), 0, "it asked for denials only")
        call = self.check(chat.admit(), 201)["admission_id"]
        first = chats.until("its own call", lambda event: event.type != "limit")
        self.assertEqual((first.type, first.data.get("call_id")), ("admission", call))

    def test_what_is_everybodys_is_for_the_daemons_own_token(self) -> None:
        chat, _, admin = self.clients(self.serve())
        for method, path in ADMIN_ONLY:
            with self.subTest(path=path):
                problem = self.check_problem(chat.send(method, path), 403)
                self.assertIn("consumer chat", problem["detail"])
                self.assertNotIn(admin.send(method, path).status, (401, 403))
        for path in ("/livez", "/readyz", "/openapi.json", "/"):
            self.check_status(chat.get(path), 200)

    def check_status(self, answer: Answer, status: int) -> None:
        self.assertEqual(answer.status, status, answer)

    def test_its_stream_tells_what_is_its_own(self) -> None:
        daemon = self.serve()
        chat, batch, _ = self.clients(daemon)
        stream = Stream(daemon, headers=f"Authorization: Bearer {CHAT}\r\n")
        self.addCleanup(stream.close)
        self.admitted(batch)
        self.admitted(chat)
        seen = []
        while not any(event.type == "admission" for event in seen):
            seen.append(stream.next())
        text = json.dumps([event.data for event in seen])
        self.assertIn('"chat"', text)
        self.assertNotIn("batch", text)

    def test_a_token_narrows_on_every_way_in(self) -> None:
        daemon = self.serve(server="")
        for address in (daemon.tcp, daemon.unix):
            with self.subTest(address=address):
                self.check_problem(TokenClient(address, CHAT).get("/metrics"), 403)
                self.check_status(Client(address).get("/metrics"), 200)
                self.check_status(TokenClient(address, "any other").get("/metrics"), 200)

    def test_a_token_that_is_taken_away_opens_nothing_more(self) -> None:
        daemon = self.serve()
        chat, _, admin = self.clients(daemon)
        own = self.admitted(chat)
        stream = Stream(daemon, headers=f"Authorization: Bearer {CHAT}\r\n")
        self.addCleanup(stream.close)
        (daemon.directory / "chat.token").write_text("another-token\n")
        self.check(admin.post("/v1/reload", ""), 200)
        self.check_problem(chat.settle(own, status=200), 401)
        while stream.next() is not None:
            pass
        renewed = TokenClient(daemon.tcp, "another-token")
        self.check(renewed.settle(own, status=200), 200)

    def test_a_broken_client_is_slowed_down_and_no_other(self) -> None:
        slowed = CONSUMERS.replace('"chat.token"', '"chat.token"\nrequests_per_s = 5', 1)
        daemon = self.serve(slowed)
        chat, batch, admin = self.clients(daemon)
        begin = time.monotonic()
        answers = [chat.admit() for _ in range(60)]
        may_pass = 5 + 5 * (time.monotonic() - begin) + 1  # what was not taken before, and for a step of the clock
        refused = [answer for answer in answers if answer.status == 429]
        self.assertEqual([answer.status for answer in answers[:5]], [201] * 5)
        self.assertTrue(refused, "60 requests in a row are more than 5 a second")
        self.assertLessEqual(len(answers) - len(refused), may_pass)
        problem = self.check_problem(refused[0], 429)
        self.assertEqual(problem["type"], "urn:weir:problem:too-many-requests")
        self.assertEqual(refused[0].headers["Retry-After"], "1")
        for _ in range(40):
            self.admitted(batch)
        held = admin.limit("*/requests/day")["held"]
        self.assertEqual(held, 40 + len(answers) - len(refused), "a refused request charges nothing")
        eventually("it goes on", lambda: chat.get("/v1/quota").status == 200)
        self.assertRegex(daemon.stderr(), r"consumer chat sends more than 5 requests a second: \d+ refused")
        self.assertEqual(daemon.stderr().count("sends more than"), 1)

    def test_a_refused_request_leaves_the_connection_in_order(self) -> None:
        slowed = CONSUMERS.replace('"chat.token"', '"chat.token"\nrequests_per_s = 0.5', 1)
        chat, _, _ = self.clients(self.serve(slowed))
        big = {"model": "m", "body": {"contents": ["x" * 300_000]}}
        statuses = [chat.post("/v1/admissions", big).status for _ in range(6)]
        self.assertIn(429, statuses)
        eventually("it goes on", lambda: chat.get("/livez").status == 200)

    def test_the_rate_holds_in_the_proxy_too(self) -> None:
        upstream = self.upstream(lambda peer, request: peer.answer(REPLY))
        daemon = self.proxied(
            upstream,
            more='[[consumers]]\nname = "chat"\ntoken_file = "chat.token"\nrequests_per_s = 2\n',
            files={"chat.token": CHAT},
        )
        client = Client(daemon.tcp)
        answers = [client.post(GENERATE, BODY, {"x-goog-api-key": CHAT}) for _ in range(30)]
        refused = [answer for answer in answers if answer.status == 429]
        self.assertGreater(len(refused), 0)
        self.assertEqual(refused[0].json["error"]["status"], "RESOURCE_EXHAUSTED")
        self.assertEqual(refused[0].headers["Retry-After"], "1")
        self.assertEqual(client.post(GENERATE, BODY, {"x-goog-api-key": "any"}).status, 200)

    def test_who_connects_to_the_socket_is_in_the_log(self) -> None:
        daemon = self.serve()
        for _ in range(3):
            self.check_status(Client(daemon.unix).get("/livez"), 200)
        line = rf"unix socket: user {os.getuid()} connects \(group {os.getgid()}, process {os.getpid()}\)"
        self.assertEqual(len(re.findall(line, daemon.stderr())), 1, daemon.stderr())
        Client(daemon.unix).post("/v1/reload", "")
        self.assertIn(
            f"user {os.getuid()}, process {os.getpid()} asks to read the configuration again",
            daemon.stderr(),
        )

    def test_a_rate_needs_a_token_and_a_token_one_owner(self) -> None:
        for consumers, message in (
            ('[[consumers]]\nname = "a"\nrequests_per_s = 5\n', "requests_per_s needs a token_file"),
            (
                '[[consumers]]\nname = "a"\ntoken_file = "chat.token"\nrequests_per_s = 0\n',
                "requests_per_s must be at least 0.01",
            ),
            (
                '[[consumers]]\nname = "a"\ntoken_file = "admin.token"\n',
                "the token is also that of [server]",
            ),
        ):
            with self.subTest(message=message):
                daemon = self.make(
                    config(limit(5), server='token_file = "admin.token"', more=consumers)
                )
                for name in ("chat", "admin"):
                    (daemon.directory / f"{name}.token").write_text(name)
                    (daemon.directory / f"{name}.token").chmod(0o600)
                daemon.launch()
                self.assertEqual(daemon.wait(), 2)
                self.assertIn(message, daemon.stderr())


if __name__ == "__main__":
    unittest.main()
