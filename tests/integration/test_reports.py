"""The reports: usage, single calls in all their forms, and calls made without admission."""

from __future__ import annotations

import csv
import io
import json
import random
import unittest

from weirtest import Client, TestCase, config, eventually, limit, raw_connection, scaled, threads

TOKENS = (
    "input_tokens",
    "cached_input_tokens",
    "output_tokens",
    "thoughts_tokens",
    "tool_use_tokens",
    "total_tokens",
)


def usage_of(seed: int) -> dict[str, int]:
    numbers = random.Random(seed)
    usage = {
        "input_tokens": numbers.randrange(1, 1000),
        "output_tokens": numbers.randrange(1000),
        "thoughts_tokens": numbers.randrange(100),
        "tool_use_tokens": numbers.randrange(50),
    }
    usage["cached_input_tokens"] = numbers.randrange(usage["input_tokens"])
    usage["total_tokens"] = sum(usage.values()) - usage["cached_input_tokens"]
    return usage


class Reports(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.running = self.daemon(
            config(
                limit(10**9) + limit(10**12, "input_tokens"),
                more='[[projects]]\nname = "other"\nuse_catalog = false\n',
            )
        )
        self.client = self.running.client()

    def work(self, count: int, client: Client | None = None, first: int = 0) -> list[dict]:
        """Admits and settles; what was settled."""
        client = client or self.client
        done = []
        for seed in range(first, first + count):
            project, model, consumer = (
                ("default", "other")[seed % 2],
                f"m{seed % 3}",
                f"c{seed % 5}",
            )
            admission_id = self.admitted(
                client, model, project=project, consumer=consumer, input_tokens=10
            )
            status = 500 if seed % 7 == 0 else 200
            settled = self.check(
                client.settle(admission_id, status=status, usage=usage_of(seed)), 200
            )
            done.append(settled | {"admission_id": admission_id})
        return done

    def test_the_usage_report_is_the_sum_of_what_was_settled(self) -> None:
        done = self.work(120)
        for by in ("project,model,consumer", "model", "consumer", "project", "project,consumer"):
            with self.subTest(by=by):
                names = by.split(",")
                expected: dict[tuple, dict] = {}
                for call in done:
                    row = expected.setdefault(
                        tuple(call[name] for name in names),
                        {"calls": 0, "errors": 0} | {token: 0 for token in TOKENS},
                    )
                    row["calls"] += 1
                    row["errors"] += call["status"] >= 400
                    for token in TOKENS:
                        row[token] += call["usage"][token]
                rows = self.check(self.client.get(f"/v1/usage?by={by}"), 200)["rows"]
                got = {
                    tuple(row[name] for name in names): {
                        key: row[key] for key in ("calls", "errors", *TOKENS)
                    }
                    for row in rows
                }
                self.assertEqual(got, expected)
        for bucket in ("none", "hour", "day"):
            rows = self.check(self.client.get(f"/v1/usage?bucket={bucket}"), 200)["rows"]
            self.assertEqual(
                sum(row["total_tokens"] for row in rows),
                sum(call["usage"]["total_tokens"] for call in done),
            )
            self.assertEqual(all(row["bucket_start"] is None for row in rows), bucket == "none")
        self.running.restart()
        rows = self.running.client().get("/v1/usage").json["rows"]
        self.assertEqual(sum(row["calls"] for row in rows), 120)

    def test_the_usage_report_is_bounded_by_since_and_until(self) -> None:
        self.work(10)
        for query, calls in (
            ("since=2020-01-01&until=2099-01-01", 10),
            ("since=2099-01-01", 0),
            ("until=2020-01-01T00:00:00Z", 0),
        ):
            rows = self.check(self.client.get(f"/v1/usage?{query}"), 200)["rows"]
            self.assertEqual(sum(row["calls"] for row in rows), calls, query)

    def test_denials_are_counted_in_the_report(self) -> None:
        client = self.daemon(config(limit(1))).client()
        self.admitted(client)
        for _ in range(7):
            self.check_problem(client.admit(), 429)

        def denied() -> int:
            rows = client.get("/v1/usage?by=project").json["rows"]
            return sum(row["denied"] for row in rows)

        eventually("denials are written down, a tick later", lambda: denied() == 7)

    def test_usage_as_csv_says_the_same(self) -> None:
        self.work(30)
        answer = self.client.get("/v1/usage?by=model,consumer", {"Accept": "text/csv"})
        self.assertEqual(answer.headers.get_content_type(), "text/csv")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        expected = self.client.get("/v1/usage?by=model,consumer").json["rows"]
        self.assertEqual(len(rows), len(expected))
        for row, want in zip(rows, expected):
            for key, value in want.items():
                if isinstance(value, (int, float)):
                    self.assertAlmostEqual(float(row[key]), value)
                else:
                    self.assertEqual(row[key], value or "")

    def test_a_call_made_without_admission_counts_even_beyond_the_limit(self) -> None:
        client = self.daemon(config(limit(2) + limit(1000, "input_tokens"))).client()
        for _ in range(3):
            answer = client.post(
                "/v1/calls",
                {
                    "project": "default",
                    "model": "m",
                    "consumer": "batch",
                    "status": 200,
                    "usage": {"input_tokens": 400, "output_tokens": 1},
                },
            )
            self.check(answer, 201)
        requests, tokens = client.limit("*/requests/day"), client.limit("*/input_tokens/day")
        self.assertEqual((requests["used"], requests["remaining"]), (3, 0))
        self.assertEqual((tokens["used"], tokens["remaining"]), (1200, 0))
        self.check_problem(client.admit(), 429)
        self.assertEqual({call["state"] for call in client.calls()}, {"settled"})
        self.assertEqual(client.get("/v1/usage?by=consumer").json["rows"][0]["calls"], 3)

    def test_a_recorded_call_has_its_time(self) -> None:
        world = self.world()
        world.freeze("2026-01-06T12:00:00Z")
        client = self.daemon(config(limit(2)), world=world).client()
        self.check(
            client.post(
                "/v1/calls",
                {
                    "model": "m",
                    "at": "2026-01-05T12:00:00Z",
                    "status": 200,
                    "usage": {"input_tokens": 4},
                },
            ),
            201,
        )
        self.assertEqual(client.limit("*/requests/day")["used"], 0, "it was another day")
        rows = client.get(
            "/v1/usage?bucket=day&by=project&since=2026-01-01&until=2026-02-01"
        ).json["rows"]
        self.assertEqual(
            [(row["bucket_start"], row["calls"]) for row in rows],
            [("2026-01-05T08:00:00.000Z", 1)],
        )

    def test_pages_by_cursor_show_every_call_once_newest_first(self) -> None:
        ids = [call["admission_id"] for call in self.work(57)]
        seen, cursor, pages = [], "", 0
        while True:
            page = self.check(
                self.client.get("/v1/calls?limit=10" + (f"&cursor={cursor}" if cursor else "")),
                200,
            )
            seen += [call["admission_id"] for call in page["calls"]]
            pages += 1
            self.work(1, first=1000 + pages)  # new calls do not shift older pages
            cursor = page["next_cursor"]
            if not cursor:
                break
        self.assertEqual(seen, ids[::-1])
        self.assertEqual(pages, 6)

    def test_calls_are_filtered(self) -> None:
        done = self.work(70)
        for query, wanted in (
            ("project=other", lambda call: call["project"] == "other"),
            (
                "model=m1&consumer=c3",
                lambda call: call["model"] == "m1" and call["consumer"] == "c3",
            ),
            ("status=500", lambda call: call["status"] == 500),
            ("model=nothing", lambda call: False),
            ("since=2099-01-01", lambda call: False),
            ("since=2020-01-01&until=2099-01-01", lambda call: True),
        ):
            with self.subTest(query=query):
                expected = [call["admission_id"] for call in done if wanted(call)][::-1]
                self.assertEqual(
                    [call["admission_id"] for call in self.client.calls(query)], expected
                )
                page = self.client.get(f"/v1/calls?{query}&limit=1000").json["calls"]
                self.assertEqual([call["admission_id"] for call in page], expected)

    def test_thousands_of_calls_stream_as_ndjson_and_csv_while_others_are_served(self) -> None:
        count = scaled(5000, 500)
        done: list[dict] = []
        with threads(
            4,
            lambda index: done.extend(self.work(count // 4, self.running.client(), index * count)),
        ):
            pass
        expected = {call["admission_id"]: call for call in done}
        streamed = self.client.calls()
        self.assertEqual(len(streamed), len(expected))
        for call in streamed:
            self.assertEqual(call["usage"], expected[call["admission_id"]]["usage"])
        answer = self.client.get("/v1/calls", {"Accept": "application/x-ndjson"})
        self.assertEqual(answer.headers.get_content_type(), "application/x-ndjson")
        answer = self.client.get("/v1/calls", {"Accept": "text/csv"})
        self.assertEqual(answer.headers.get_content_type(), "text/csv")
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        self.assertEqual({row["admission_id"] for row in rows}, set(expected))
        self.admitted(self.client)

    def test_a_reader_that_stops_reading_holds_up_nobody_and_gets_it_all(self) -> None:
        count = scaled(3000, 500)
        for _ in range(count):
            body = {"model": "m" * 60, "status": 200, "usage": {"input_tokens": 5}}
            self.check(self.client.post("/v1/calls", body), 201)
        with raw_connection(self.running.tcp) as slow:
            slow.sendall(
                b"GET /v1/calls HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                b"Accept: application/x-ndjson\r\n\r\n"
            )
            for _ in range(100):
                self.admitted(self.client)
            received = b""
            while piece := slow.recv(65536):
                received += piece
        self.assertGreaterEqual(received.count(b'"call_id"'), count)
        self.assertTrue(received.endswith(b"\r\n0\r\n\r\n"), "a whole chunked body")

    def test_names_that_csv_must_quote_come_back(self) -> None:
        name = 'a,"b",c'
        self.admitted(self.client, "=1+1", consumer=name)
        answer = self.client.get("/v1/calls", {"Accept": "text/csv"})
        (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
        self.assertEqual(row["consumer"], name)

    def test_names_that_the_usage_report_must_quote_come_back(self) -> None:
        for name in ('a,"b",c', "back\\slash", 'x"y', "é,ü"):
            with self.subTest(name=name):
                client = self.daemon(config(limit(9))).client()
                self.check(client.settle(self.admitted(client, "m", consumer=name), status=200, usage={}), 200)
                answer = client.get("/v1/usage?by=consumer", {"Accept": "text/csv"})
                (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
                self.assertEqual((row["consumer"], row["calls"]), (name, "1"))

    def test_quota_is_filtered_by_project_and_model(self) -> None:
        client = self.daemon(
            config(limit(5, models='["a"]') + limit(7, models='["b*"]') + limit(9))
        ).client()
        names = lambda query: {
            state["limit"] for state in client.get(f"/v1/quota?{query}").json["limits"]
        }
        self.assertEqual(
            names("project=default"), {"a/requests/day", "b*/requests/day", "*/requests/day"}
        )
        self.assertEqual(names("model=a"), {"a/requests/day", "*/requests/day"})
        self.assertEqual(names("model=bee"), {"b*/requests/day", "*/requests/day"})
        self.check_problem(client.get("/v1/quota?project=nowhere"), 404)
        state = client.limit("a/requests/day")
        self.assertLessEqual(
            {
                "project",
                "limit",
                "models",
                "metric",
                "window",
                "amount",
                "used",
                "held",
                "remaining",
                "resets_at",
                "pace_per_hour",
                "forecast",
                "exhausts_at",
                "source",
                "published",
                "enforced",
            },
            set(state),
        )
        self.assertEqual(
            (state["models"], state["source"], state["enforced"]), (["a"], "config", True)
        )

    def test_the_openapi_document_is_json_and_names_the_routes(self) -> None:
        document = self.check(self.client.get("/openapi.json"), 200)
        self.assertTrue(document["openapi"].startswith("3.1"))
        for path in ("/v1/admissions", "/v1/calls", "/v1/quota", "/v1/usage", "/v1/observations"):
            self.assertIn(path, json.dumps(list(document["paths"])))


if __name__ == "__main__":
    unittest.main()
