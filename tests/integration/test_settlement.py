"""Settlements: by usage, by the upstream's own answer, twice, late, never."""

from __future__ import annotations

import json
import unittest

from weirtest import DATA, TestCase, config, eventually, limit

USAGE = {
    "input_tokens": 123,
    "cached_input_tokens": 100,
    "output_tokens": 456,
    "thoughts_tokens": 78,
    "tool_use_tokens": 5,
    "total_tokens": 662,
}
SAMPLES = DATA / "upstream" / "samples"
ERRORS = DATA / "upstream" / "errors"


class Settlement(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.running = self.daemon(
            config(
                limit(100)
                + limit(100_000, "input_tokens")
                + limit(100_000, "output_tokens")
                + limit(10, "in_flight", "")
            )
        )
        self.client = self.running.client()

    def counted(self, name: str) -> tuple[int, int]:
        state = self.client.limit(name)
        return state["used"], state["held"]

    def test_usage_replaces_the_estimate_in_place(self) -> None:
        admission_id = self.admitted(
            self.client, input_tokens=1000, output_tokens=50, consumer="chat"
        )
        self.assertEqual(self.counted("*/input_tokens/day"), (0, 1000))
        self.assertEqual(self.counted("*/in_flight"), (0, 1))
        settled = self.check(
            self.client.settle(admission_id, status=200, usage=USAGE, latency_s=1.82), 200
        )
        self.assertEqual(settled["usage"], USAGE)
        self.assertEqual(
            {key: settled[key] for key in ("project", "model", "consumer", "status", "estimated")},
            {
                "project": "default",
                "model": "m",
                "consumer": "chat",
                "status": 200,
                "estimated": False,
            },
        )
        self.assertEqual(
            settled["charged"]["input_tokens"], 128, "limits on input count tool use too"
        )
        self.assertTrue(settled["call_id"])
        self.assertEqual(self.counted("*/input_tokens/day"), (128, 0))
        self.assertEqual(
            self.counted("*/output_tokens/day"), (534, 0)
        )  # thoughts are billed as output
        self.assertEqual(self.counted("*/requests/day"), (1, 0))
        self.assertEqual(self.counted("*/in_flight"), (0, 0))
        (call,) = self.client.calls()
        self.assertEqual(
            (call["state"], call["usage"], call["latency_s"]), ("settled", USAGE, 1.82)
        )

    def test_more_than_estimated_stays_charged_beyond_the_limit(self) -> None:
        admission_id = self.admitted(self.client, input_tokens=10)
        self.check(
            self.client.settle(admission_id, status=200, usage={"input_tokens": 150_000}), 200
        )
        state = self.client.limit("*/input_tokens/day")
        self.assertEqual((state["used"], state["remaining"]), (150_000, 0))
        self.check_problem(self.client.admit(input_tokens=1), 429)

    def test_the_same_settlement_twice_is_the_first_result_and_another_is_409(self) -> None:
        admission_id = self.admitted(self.client, input_tokens=1000)
        body = {"status": 200, "usage": USAGE}
        first = self.check(self.client.settle(admission_id, body), 200)
        self.assertEqual(self.check(self.client.settle(admission_id, body), 200), first)
        other = {"status": 200, "usage": USAGE | {"input_tokens": 124, "total_tokens": 663}}
        self.check_problem(self.client.settle(admission_id, other), 409)
        self.assertEqual(self.counted("*/input_tokens/day"), (128, 0))
        self.running.restart()
        self.client = self.running.client()
        self.assertEqual(self.check(self.client.settle(admission_id, body), 200), first)
        self.check_problem(self.client.settle(admission_id, other), 409)
        self.check_problem(self.client.delete(f"/v1/admissions/{admission_id}"), 409)
        self.assertEqual(self.counted("*/input_tokens/day"), (128, 0))

    def test_a_total_that_contradicts_its_parts_is_told(self) -> None:
        admission_id = self.admitted(self.client)
        problem = self.check_problem(
            self.client.settle(admission_id, status=200, usage=USAGE | {"total_tokens": 1}), 400
        )
        self.assertEqual(problem["errors"][0]["pointer"], "/usage/total_tokens")

    def test_a_cancelled_call_is_undone_and_gone(self) -> None:
        admission_id = self.admitted(self.client, input_tokens=1000)
        answer = self.client.delete(f"/v1/admissions/{admission_id}")
        self.assertEqual((answer.status, answer.body), (204, b""))
        for name in ("*/requests/day", "*/input_tokens/day", "*/in_flight"):
            self.assertEqual(self.counted(name), (0, 0), name)
        for _ in range(2):
            answer = self.client.delete(f"/v1/admissions/{admission_id}")
            self.assertEqual((answer.status, answer.body), (204, b""), "again is as once")
            self.check_problem(self.client.settle(admission_id, status=200, usage=USAGE), 410)
            self.running.restart()
            self.client = self.running.client()
        self.assertEqual(self.counted("*/requests/day"), (0, 0))
        self.assertEqual(self.client.calls()[0]["state"], "cancelled")

    def test_an_expired_lease_keeps_its_charge_and_a_late_settlement_corrects_it(self) -> None:
        admission_id = self.admitted(self.client, input_tokens=1000, lease_s=1)
        eventually("the lease ends", lambda: self.client.calls()[0]["state"] == "expired")
        self.assertEqual(self.counted("*/input_tokens/day"), (1000, 0))
        self.assertEqual(self.counted("*/requests/day"), (1, 0))
        self.assertEqual(self.counted("*/in_flight"), (0, 0))
        self.assertTrue(self.client.calls()[0]["estimated"])
        settled = self.check(self.client.settle(admission_id, status=200, usage=USAGE), 200)
        self.assertFalse(settled["estimated"])
        self.assertEqual(self.counted("*/input_tokens/day"), (128, 0))
        self.assertEqual(self.counted("*/requests/day"), (1, 0))
        self.assertEqual(self.client.calls()[0]["state"], "settled")
        self.assertEqual(
            self.check(self.client.settle(admission_id, status=200, usage=USAGE), 200), settled
        )
        self.running.restart()
        self.client = self.running.client()
        self.assertEqual(self.counted("*/input_tokens/day"), (128, 0))
        row = self.client.get("/v1/usage?by=project").json["rows"][0]
        self.assertEqual((row["calls"], row["input_tokens"]), (1, 123))

    def test_without_usage_the_estimate_stands_and_is_marked(self) -> None:
        admission_id = self.admitted(self.client, input_tokens=1000)
        settled = self.check(self.client.settle(admission_id, status=200), 200)
        self.assertTrue(settled["estimated"])
        self.assertEqual(self.counted("*/input_tokens/day"), (1000, 0))

    def test_a_call_that_failed_spends_its_request(self) -> None:
        for count, status in enumerate((503, 500, 429, 400), 1):
            self.check(self.client.settle(self.admitted(self.client), status=status), 200)
            self.assertEqual(self.counted("*/requests/day"), (count, 0), status)

    def test_an_account_that_no_call_can_have_harms_nobody(self) -> None:
        daemon = self.daemon(config(project="use_catalog = true"))
        client = daemon.client()

        def told(count: int) -> Any:
            account = {"promptTokenCount": count, "candidatesTokenCount": count, "totalTokenCount": 2 * count}
            body = {"usageMetadata": account}
            call = {"model": "gemini-2.5-pro", "upstream": {"status": 200, "headers": {}, "body": body}}
            return self.check(client.post("/v1/calls", call), 201)

        self.assertEqual(told(2**53)["cost_usd"], 0)  # not believed
        for _ in range(3):
            told(10**8)
        self.assertLessEqual(client.calls()[0]["cost_usd"], 1000)
        self.assertEqual(client.get("/readyz").status, 200)
        daemon.restart()
        client = daemon.client()
        told(10)
        self.assertEqual(client.get("/readyz").status, 200)
        self.assertEqual(len(client.calls()), 5)

    def test_every_recorded_upstream_answer_is_read(self) -> None:
        expected = {}
        for path in sorted(SAMPLES.iterdir()):
            text = path.read_text()
            body = json.loads(text) if path.suffix == ".json" else text
            with self.subTest(sample=path.name):
                admission_id = self.admitted(self.client, input_tokens=1)
                answer = self.client.settle(
                    admission_id, {"upstream": {"status": 200, "headers": {}, "body": body}}
                )
                expected[path.name] = self.check(answer, 200)["usage"]
        self.assertEqual(
            expected["01-unary-thinking.json"]["total_tokens"],
            self.total(json.loads((SAMPLES / "01-unary-thinking.json").read_text())),
        )
        stream = [
            json.loads(line[6:])
            for line in (SAMPLES / "02-sse-text.txt").read_text().splitlines()
            if line.startswith("data: {")
        ]
        usage = expected["02-sse-text.txt"]
        last = stream[-1]["usageMetadata"]
        self.assertEqual(usage["total_tokens"], last["totalTokenCount"])
        self.assertEqual(usage["thoughts_tokens"], last.get("thoughtsTokenCount", 0))
        self.assertEqual(usage["output_tokens"], last.get("candidatesTokenCount", 0))

    @staticmethod
    def total(answer) -> int:
        return answer["usageMetadata"]["totalTokenCount"]

    def test_a_stream_given_as_text_counts_its_last_usage(self) -> None:
        chunks = [
            {
                "usageMetadata": {
                    "promptTokenCount": 9,
                    "totalTokenCount": total,
                    "candidatesTokenCount": total - 9,
                }
            }
            for total in (50, 80, 60)
        ]
        text = "".join(f"data: {json.dumps(chunk)}\r\n\r\n" for chunk in chunks)
        admission_id = self.admitted(self.client)
        settled = self.check(
            self.client.settle(admission_id, {"upstream": {"status": 200, "body": text}}), 200
        )
        self.assertEqual(
            (settled["usage"]["input_tokens"], settled["usage"]["output_tokens"]), (9, 51)
        )

    def test_a_damaged_upstream_body_settles_with_the_estimate(self) -> None:
        for body in (
            "data: {broken",
            "",
            {},
            [],
            "<html>",
            {"usageMetadata": "x"},
            {"usageMetadata": {"promptTokenCount": -4}},
            5,
            None,
        ):
            with self.subTest(body=body):
                admission_id = self.admitted(self.client, input_tokens=7)
                settled = self.check(
                    self.client.settle(admission_id, {"upstream": {"status": 200, "body": body}}),
                    200,
                )
                self.assertTrue(settled["estimated"])
                self.assertEqual(settled["charged"]["input_tokens"], 7)

    def test_an_upstream_error_is_recorded_with_its_status(self) -> None:
        body = json.loads((ERRORS / "22-503-overloaded.json").read_text())
        admission_id = self.admitted(self.client, input_tokens=7)
        settled = self.check(
            self.client.settle(
                admission_id, {"upstream": {"status": 503, "headers": {}, "body": body}}
            ),
            200,
        )
        self.assertEqual(settled["status"], 503)
        (call,) = self.client.calls("status=503")
        self.assertEqual(call["admission_id"], admission_id)
        self.assertEqual(self.client.get("/v1/usage?by=project").json["rows"][0]["errors"], 1)
        self.assertEqual(self.client.get("/v1/observations").json["observations"], [])

    def test_settlements_of_known_models_have_a_price(self) -> None:
        admission_id = self.admitted(self.client, "gemini-2.5-flash")
        settled = self.check(
            self.client.settle(admission_id, status=200, usage={"input_tokens": 1_000_000}), 200
        )
        self.assertGreater(settled["cost_usd"], 0)
        self.assertAlmostEqual(self.client.calls()[0]["cost_usd"], settled["cost_usd"])


if __name__ == "__main__":
    unittest.main()
