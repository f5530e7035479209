"""Bad input gets its documented answer, and changes nothing."""

from __future__ import annotations

import contextlib
import json
import unittest
import urllib.parse

from weirtest import TestCase, config, eventually, limit, raw_connection, raw_exchange

POST = b"POST /v1/admissions HTTP/1.1\r\nHost: localhost\r\n"
ADMISSION_FIELDS = {
    "project": (1, [], {}, True),
    "model": (1, None, [], {}, True),
    "input_tokens": ("1", 1.5, -1, True, [], {}),
    "output_tokens": ("1", 1.5, -1, False, [], {}),
    "images": ("1", 0.5, -1, []),
    "consumer": (1, [], {}, False),
    "priority": (1, "urgent", [], {}),
    "wait_s": ("5", -1, [], True),
    "lease_s": ("5", -1, 0, [], True),
}
SETTLEMENT_FIELDS = {
    "/status": (
        {"status": "200"},
        {"status": 20},
        {"status": 1000},
        {"status": 200.5},
        {"status": []},
    ),
    "/usage": ({"usage": []}, {"usage": 1}),
    "/usage/input_tokens": (
        {"usage": {"input_tokens": "1"}},
        {"usage": {"input_tokens": -1}},
        {"usage": {"input_tokens": 1.5}},
    ),
    "/usage/thoughts_tokens": ({"usage": {"thoughts_tokens": True}},),
    "/latency_s": ({"status": 200, "latency_s": "fast"}, {"status": 200, "latency_s": -1}),
    "/sent_at": ({"status": 200, "sent_at": "yesterday"}, {"status": 200, "sent_at": 5}),
    "/upstream": ({"upstream": []}, {"upstream": "text"}),
    "/upstream/status": ({"upstream": {"status": "429", "body": {}}},),
}


class Requests(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.running = self.daemon(config(limit(100) + limit(1000, "input_tokens", "60s")))
        self.client = self.running.client()

    def nothing_changed(self) -> None:
        self.assertEqual(self.client.limit("*/requests/day")["held"], 0)
        self.assertEqual(self.client.calls(), [])

    def pointers(self, problem) -> list[str]:
        self.assertTrue(all(error["detail"] for error in problem["errors"]), problem)
        return [error["pointer"] for error in problem["errors"]]

    def test_each_field_of_a_wrong_type_is_400_with_its_pointer(self) -> None:
        for field, values in ADMISSION_FIELDS.items():
            for value in values:
                with self.subTest(field=field, value=value):
                    problem = self.check_problem(
                        self.client.post("/v1/admissions", {"model": "m"} | {field: value}), 400
                    )
                    self.assertEqual(self.pointers(problem), [f"/{field}"])
        self.nothing_changed()

    def test_every_wrong_field_is_told_at_once(self) -> None:
        problem = self.check_problem(
            self.client.post(
                "/v1/admissions", {"model": 1, "input_tokens": "x", "lease_s": [], "wat": 1}
            ),
            400,
        )
        self.assertEqual(
            sorted(self.pointers(problem)), ["/input_tokens", "/lease_s", "/model", "/wat"]
        )

    def test_an_unknown_field_is_400_with_a_suggestion(self) -> None:
        problem = self.check_problem(
            self.client.post("/v1/admissions", {"model": "m", "input_token": 1}), 400
        )
        (error,) = problem["errors"]
        self.assertEqual(error["pointer"], "/input_token")
        self.assertIn("input_tokens", error["detail"])
        problem = self.check_problem(
            self.client.post("/v1/admissions", {"model": "m", "a/b~c": 1}), 400
        )
        self.assertEqual(self.pointers(problem), ["/a~1b~0c"])
        self.nothing_changed()

    def test_a_missing_model_is_told(self) -> None:
        for body in ({}, {"input_tokens": 5}, {"model": ""}):
            problem = self.check_problem(self.client.post("/v1/admissions", body), 400)
            self.assertEqual(self.pointers(problem), ["/model"])

    def test_broken_json_is_400(self) -> None:
        for body in (
            "",
            "{",
            "}",
            "[]",
            '"model"',
            "null",
            "1",
            '{"model":}',
            '{"model":"m"',
            '{"model":"m",}',
            '{"model":"m"}{"model":"m"}',
            '{"model":"m"} x',
            "{'model':'m'}",
            '{"model":"m", "input_tokens":01}',
            '{"model":"m","input_tokens":NaN}',
            '{"model":"m","input_tokens":1000000000000000000000000000000}',
            '{"model":"\\ud800"}',
            b'{"model":"\xff"}',
            '{"model":"a\nb"}',
            "[" * 100_000,
            '{"model":' * 50_000,
            b"\x00" * 100,
            "model=m&input_tokens=5",
        ):
            with self.subTest(body=body[:40]):
                self.check_problem(self.client.post("/v1/admissions", body), 400)
        self.nothing_changed()

    def test_a_number_beyond_64_bits_is_400_and_said_to_be_out_of_range(self) -> None:
        for number in ("1" + "0" * 30, "1e999"):
            body = '{"model":"m","input_tokens":' + number + "}"
            problem = self.check_problem(self.client.post("/v1/admissions", body), 400)
            self.assertIn("out of range", problem["detail"])

    def test_what_is_full_of_mistakes_is_answered_briefly(self) -> None:
        for body in ('{"' + "a" * 900_000 + '":1}', "{" + '"":0,' * 100_000 + '"a":1}'):
            answer = self.client.post("/v1/admissions", body)
            problem = self.check_problem(answer, 400)
            self.assertLessEqual(len(problem["errors"]), 100)
            self.assertLess(len(answer.body), 20_000)
        self.nothing_changed()

    def test_no_name_holds_what_a_terminal_obeys(self) -> None:
        for name in ("a\u001b]52;c;x\u0007", "a\u009b2J", "a\u2028b", "a\u202eb", "a\u2066b", "x" * 201):
            with self.subTest(name=name[:20]):
                self.check_problem(self.client.post("/v1/admissions", {"model": name}), 400)
                self.check_problem(self.client.get("/v1/quota?model=" + urllib.parse.quote(name)), 400)
        self.nothing_changed()

    def test_what_is_only_asked_about_takes_no_room(self) -> None:
        daemon = self.daemon(config('', project='provider = "gemini"\ntier = "free"'))
        client = daemon.client()
        before = client.get("/v1/quota").json["limits"]
        for i in range(1100):  # more than there is room for
            answer = self.check(client.get(f"/v1/quota?model=never-called-{i}"), 200)
            self.assertIn(f"never-called-{i}/requests/60s", [each["limit"] for each in answer["limits"]])
        self.assertEqual(client.get("/v1/quota").json["limits"], before)
        self.assertEqual(self.check(client.admit(model="new"), 201)["model"], "new")
        # What was told is what a call then meets.
        told = client.get("/v1/quota?model=newer").json["limits"]
        self.check(client.admit(model="newer"), 201)
        met = client.get("/v1/quota?model=newer").json["limits"]
        self.assertEqual([(each["limit"], each["amount"]) for each in told],
                         [(each["limit"], each["amount"]) for each in met])

    def test_a_body_of_two_megabytes_is_413_however_it_comes(self) -> None:
        body = json.dumps({"model": "m", "consumer": "x" * (2 << 20)}).encode()
        self.check_problem(self.client.post("/v1/admissions", body), 413)
        head = b"POST /v1/admissions HTTP/1.1\r\nHost: localhost\r\n"
        announced = raw_exchange(
            self.running.tcp, head + b"Content-Length: 2097152\r\n\r\n" + body
        )
        self.assertRegex(announced, rb"^HTTP/1\.1 413 ")
        chunks = (
            b"".join(b"10000\r\n" + b"x" * 0x10000 + b"\r\n" for _ in range(32)) + b"0\r\n\r\n"
        )
        chunked = raw_exchange(
            self.running.tcp, head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks
        )
        self.assertRegex(chunked, rb"^HTTP/1\.1 413 ")
        huge = raw_exchange(
            self.running.tcp, head + b"Content-Length: 99999999999999999999999\r\n\r\n"
        )
        self.assertRegex(huge, rb"^HTTP/1\.1 4(00|13) ")
        self.nothing_changed()

    def test_a_body_just_below_one_megabyte_is_read(self) -> None:
        problem = self.check_problem(
            self.client.post("/v1/admissions", '{"model":5' + " " * ((1 << 20) - 20) + "}"), 400
        )
        self.assertEqual(self.pointers(problem), ["/model"])

    def test_a_header_that_is_too_long_is_431(self) -> None:
        answer = raw_exchange(
            self.running.tcp,
            b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
        )
        self.assertRegex(answer, rb"^HTTP/1\.1 431 ")

    def test_what_is_not_http_is_400_and_closed(self) -> None:
        for data in (
            b"hello\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
            b"GET / HTTP/9.9\r\n\r\n",
            POST + b"Content-Length: -5\r\n\r\n",
            POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n{}{}{}",
            POST + b"Transfer-Encoding: gzip\r\n\r\n",
            POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        ):
            with self.subTest(data=data[:60]):
                answer = raw_exchange(self.running.tcp, data)
                self.assertRegex(answer, rb"^HTTP/1\.1 (400|501|505) ")
                self.assertEqual(
                    answer.count(b"HTTP/1.1 "), 1, "nothing after a parse error is answered"
                )
        self.nothing_changed()

    def test_a_chunked_body_is_read_like_another(self) -> None:
        answer = raw_exchange(
            self.running.tcp,
            b"POST /v1/admissions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"mod\r\n7\r\nel":"m"\r\n1\r\n}\r\n0\r\n\r\n',
        )
        self.assertRegex(answer, rb"^HTTP/1\.1 201 ")

    def test_pipelined_requests_are_answered_in_order(self) -> None:
        request = b"GET /%s HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: %s\r\n\r\n"
        answer = raw_exchange(
            self.running.tcp,
            b"".join(
                request % (path, name)
                for path, name in ((b"livez", b"r1"), (b"nowhere", b"r2"), (b"v1/quota", b"r3"))
            ),
        )
        places = [answer.lower().find(b"x-request-id: " + name) for name in (b"r1", b"r2", b"r3")]
        self.assertEqual(places, sorted(places))
        self.assertNotIn(-1, places)

    def test_a_request_that_comes_byte_by_byte_is_answered(self) -> None:
        body = b'{"model":"m"}'
        data = (
            b"POST /v1/admissions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
            % len(body)
            + body
        )
        with raw_connection(self.running.tcp) as connection:
            for i in range(len(data)):
                connection.sendall(data[i : i + 1])
            self.assertRegex(connection.recv(65536), rb"^HTTP/1\.1 201 ")

    def test_who_expects_100_continue_gets_it(self) -> None:
        body = b'{"model":"m"}'
        with raw_connection(self.running.tcp) as connection:
            connection.sendall(
                b"POST /v1/admissions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body)
            )
            self.assertRegex(connection.recv(65536), rb"^HTTP/1\.1 100 ")
            connection.sendall(body)
            self.assertRegex(connection.recv(65536), rb"^HTTP/1\.1 201 ")

    def test_unknown_things_are_404_and_wrong_methods_405(self) -> None:
        self.check_problem(self.client.admit(project="nowhere"), 404)
        self.check_problem(self.client.get("/v1/nowhere"), 404)
        for method, path in (
            ("GET", "/v1/admissions"),
            ("DELETE", "/v1/quota"),
            ("POST", "/metrics"),
            ("PUT", "/v1/admissions"),
            ("PATCH", "/v1/calls"),
        ):
            with self.subTest(method=method, path=path):
                answer = self.client.send(method, path, b"{}")
                self.check_problem(answer, 405)
                self.assertTrue(answer.headers["Allow"])
        self.nothing_changed()

    def test_an_unknown_admission_is_404(self) -> None:
        known = self.admitted(self.client)
        for name in (
            "nothing",
            "0",
            "AAAAAAAAAAAAA",
            known[:-1],
            known + "0",
            "%00",
            "..%2f..",
            "1" * 200,
        ):
            with self.subTest(id=name):
                self.check_problem(self.client.settle(name, status=200, usage={}), 404)
                self.check_problem(self.client.delete(f"/v1/admissions/{name}"), 404)

    def test_a_settlement_of_the_wrong_form_is_400_with_its_pointer_and_settles_nothing(
        self,
    ) -> None:
        admission_id = self.admitted(self.client)
        for pointer, bodies in SETTLEMENT_FIELDS.items():
            for body in bodies:
                with self.subTest(body=body):
                    problem = self.check_problem(self.client.settle(admission_id, body), 400)
                    self.assertEqual(self.pointers(problem), [pointer])
        for body in ("", "[]", "{", "null"):
            self.check_problem(
                self.client.post(f"/v1/admissions/{admission_id}/settlement", body), 400
            )
        problem = self.check_problem(self.client.settle(admission_id, {"usages": {}}), 400)
        self.assertIn("usage", problem["errors"][0]["detail"])
        self.assertEqual(self.client.calls()[0]["state"], "open")

    def test_bad_queries_are_400_and_say_which_parameter(self) -> None:
        for path, name in (
            ("/v1/usage?bucket=year", "bucket"),
            ("/v1/usage?by=colour", "by"),
            ("/v1/usage?since=x", "since"),
            ("/v1/usage?tz=Mars/Olympus&bucket=day", "tz"),
            ("/v1/calls?limit=x", "limit"),
            ("/v1/calls?limit=0", "limit"),
            ("/v1/calls?cursor=!!", "cursor"),
            ("/v1/calls?status=abc", "status"),
            ("/v1/calls?until=tomorrow", "until"),
        ):
            with self.subTest(path=path):
                problem = self.check_problem(self.client.get(path), 400)
                self.assertIn(name, json.dumps(problem))

    def test_a_request_id_is_echoed_if_it_is_sane_and_made_if_not(self) -> None:
        self.assertEqual(
            self.client.get("/livez", {"X-Request-Id": "a.b:c-1_2"}).headers["X-Request-Id"],
            "a.b:c-1_2",
        )
        first = self.client.get("/livez", {"X-Request-Id": "x" * 500}).headers["X-Request-Id"]
        second = self.client.get("/livez").headers["X-Request-Id"]
        self.assertTrue(first and second)
        self.assertNotEqual(first, second)
        self.assertNotIn("xxx", first)

    def test_a_head_request_gets_no_body(self) -> None:
        answer = self.client.send("HEAD", "/livez")
        self.assertEqual((answer.status, answer.body), (200, b""))
        self.assertEqual(self.client.get("/livez").status, 200)

    def test_one_connection_too_many_is_told_so_and_closed(self) -> None:
        daemon = self.daemon(config(limit(5), server="max_connections = 5"))
        with contextlib.ExitStack() as stack:
            for _ in range(5):
                held = stack.enter_context(raw_connection(daemon.tcp))
                held.sendall(b"GET /livez HTTP/1.1\r\n")  # busy: it does not make room
            eventually("it is told so", lambda: b" 503 " in raw_exchange(daemon.tcp, b""))
            held.sendall(b"Host: localhost\r\n\r\n")
            self.assertRegex(held.recv(4096), rb"^HTTP/1\.1 200 ")
        eventually("there is room again", lambda: daemon.client().get("/livez").status == 200)

    def test_odd_models_and_consumers_are_names_like_others(self) -> None:
        for name in ("a b", "é€😀", "x" * 100, "../..", '"quoted"', "a\\b", "a,b", "%41"):
            with self.subTest(name=name):
                self.admitted(self.client, name, consumer=name)
                self.assertEqual(self.client.calls()[0]["model"], name)
                self.assertEqual(self.client.calls()[0]["consumer"], name)


if __name__ == "__main__":
    unittest.main()
