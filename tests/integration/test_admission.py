"""Admissions: exactly as many as there is room for, all limits of a call or none."""

from __future__ import annotations

import collections
import threading
import unittest

from weirtest import TestCase, config, limit, threads, utc


class Admission(TestCase):
    def test_forty_threads_asking_400_times_for_50_a_minute_get_exactly_50_and_charge_nothing_else(
        self,
    ) -> None:
        daemon = self.daemon(
            config(
                limit(50, window="60s")
                + limit(1_000_000, "input_tokens")
                + limit(1000)
                + limit(500, metric="in_flight", window="")
            )
        )
        statuses: collections.Counter[int] = collections.Counter()
        ids: set[str] = set()
        lock = threading.Lock()

        def ask(_: int) -> None:
            client = daemon.client()
            for _ in range(10):
                answer = client.admit(input_tokens=1200)
                with lock:
                    statuses[answer.status] += 1
                    if answer.status == 201:
                        ids.add(answer.json["admission_id"])

        with threads(40, ask):
            pass
        self.assertEqual(statuses, {201: 50, 429: 350})
        self.assertEqual(len(ids), 50)
        client = daemon.client()
        for name, held in (
            ("*/requests/60s", 50),
            ("*/input_tokens/day", 50 * 1200),
            ("*/requests/day", 50),
            ("*/in_flight", 50),
        ):
            state = client.limit(name)
            self.assertEqual(state["held"], held, name)
            self.assertEqual(state["used"], 0, name)
            self.assertEqual(state["remaining"], state["amount"] - held, name)
        self.assertEqual(len(client.calls()), 50)
        self.assertEqual(client.metrics().sum("weir_admissions_total", decision="denied"), 350)

    def test_a_denied_call_charges_none_of_its_other_limits(self) -> None:
        daemon = self.daemon(
            config(limit(2, models='["m"]') + limit(100) + limit(10_000, "input_tokens", "60s"))
        )
        client = daemon.client()
        for _ in range(2):
            self.admitted(client, input_tokens=10)
        for _ in range(20):
            problem = self.check_problem(client.admit(input_tokens=10), 429)
            self.assertEqual(problem["violated-policies"], ["m/requests/day"])
        self.assertEqual(client.limit("*/requests/day")["held"], 2)
        self.assertEqual(client.limit("*/input_tokens/60s")["held"], 20)
        self.admitted(client, "another", input_tokens=10)

    def test_an_admission_tells_all_that_the_contract_says(self) -> None:
        client = self.daemon(config(limit(20) + limit(5000, "input_tokens", "60s"))).client()
        answer = client.post(
            "/v1/admissions",
            {
                "project": "default",
                "model": "gemini-2.5-flash",
                "input_tokens": 1200,
                "output_tokens": 800,
                "images": 0,
                "consumer": "chat",
                "priority": "normal",
                "wait_s": 5.0,
                "lease_s": 120,
            },
            {"X-Request-Id": "mine-1"},
        )
        admission = self.check(answer, 201)
        self.assertEqual(answer.headers.get_content_type(), "application/json")
        self.assertEqual(answer.headers["X-Request-Id"], "mine-1")
        self.assertEqual(
            set(admission),
            {
                "admission_id",
                "project",
                "model",
                "admitted_at",
                "lease_expires_at",
                "waited_s",
                "charged",
            },
        )
        self.assertEqual(
            (admission["project"], admission["model"]), ("default", "gemini-2.5-flash")
        )
        self.assertEqual(admission["waited_s"], 0)
        self.assertEqual(admission["charged"]["requests"], 1)
        self.assertEqual(admission["charged"]["input_tokens"], 1200)
        lease = utc(admission["lease_expires_at"]) - utc(admission["admitted_at"])
        self.assertAlmostEqual(lease.total_seconds(), 120, places=2)

    def test_a_denial_tells_which_limit_and_when_to_come_back(self) -> None:
        client = self.daemon(config(limit(1, models='["m"]'))).client()
        self.admitted(client)
        answer = client.admit()
        problem = self.check_problem(answer, 429)
        self.assertEqual(
            problem["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded"
        )
        self.assertEqual(problem["title"], "Quota exceeded")
        self.assertEqual(problem["violated-policies"], ["m/requests/day"])
        self.assertIn("1 of 1 requests per day", problem["detail"])
        (violation,) = problem["violations"]
        expected = {
            "limit": "m/requests/day",
            "metric": "requests",
            "window": "day",
            "amount": 1,
            "used": 0,
            "held": 1,
            "requested": 1,
            "retry_at": violation["retry_at"],
        }
        self.assertEqual(violation, expected)
        self.assertEqual(problem["retry_at"], violation["retry_at"])
        retry_after = int(answer.headers["Retry-After"])
        self.assertGreaterEqual(retry_after, problem["retry_after_s"])
        self.assertLess(retry_after, problem["retry_after_s"] + 1.001)
        self.assertRegex(
            answer.headers["RateLimit-Policy"], r'"m/requests/day";q=1;w=(86400|82800|90000)'
        )
        self.assertRegex(answer.headers["RateLimit"], r'"m/requests/day";r=0;t=\d+')
        self.assertGreaterEqual(retry_after, int(answer.headers["RateLimit"].rsplit("t=", 1)[1]))

    def test_rate_limit_fields_tell_units_and_leave_out_what_they_cannot_tell(self) -> None:
        limits = (
            limit(10, "input_tokens", "60s", models='["tokens"]')
            + limit(1, "in_flight", "", models='["flight"]')
            + limit(0.000003, "cost_usd", models='["gemini-2.5-flash"]')
            + limit(1, models='["caf\u00e9"]')
            + limit(1, models='[\'a"b\']')
        )
        client = self.daemon(config(limits)).client()
        for model, policy, state in (
            ("tokens", '"tokens/input_tokens/60s";q=10;qu="tokens";w=60', '"tokens/input_tokens/60s";r=2;t='),
            ("flight", '"flight/in_flight";q=1;qu="concurrent-requests"', '"flight/in_flight";r=0;t='),
            ("gemini-2.5-flash", None, None),
            ("caf\u00e9", None, None),
            ('a"b', r'"a\"b/requests/day";q=1;w=86400', r'"a\"b/requests/day";r=0;t='),
        ):
            for _ in range(2):
                answer = client.admit(model, input_tokens=8)
            self.assertEqual(len(self.check_problem(answer, 429)["violated-policies"]), 1)
            self.assertEqual(answer.headers.get("RateLimit-Policy"), policy)
            if state is None:
                self.assertIsNone(answer.headers.get("RateLimit"))
            else:
                self.assertTrue(answer.headers["RateLimit"].startswith(state), answer.headers)

    def test_what_can_never_fit_is_refused_at_once_even_by_one_who_would_wait(self) -> None:
        client = self.daemon(config(limit(1000, "input_tokens", "60s"))).client()
        problem = self.check_problem(client.admit(input_tokens=1001, wait_s=60), 422)
        self.assertEqual(problem["type"], "urn:weir:problem:never-fits")
        self.assertIn("1000", problem["detail"])
        self.admitted(client, input_tokens=1000)

    def test_a_shadow_limit_counts_and_never_denies(self) -> None:
        client = self.daemon(config(limit(1, more="enforce = false"))).client()
        for _ in range(5):
            self.admitted(client)
        state = client.limit("*/requests/day")
        self.assertEqual((state["held"], state["remaining"], state["enforced"]), (5, 0, False))

    def test_an_idempotency_key_gives_the_first_answer_again_and_only_for_the_same_body(
        self,
    ) -> None:
        daemon = self.daemon(config(limit(10)))
        client = daemon.client()
        first = self.check(
            client.admit(input_tokens=5, headers={"Idempotency-Key": '"key-1"'}), 201
        )
        for key in ('"key-1"', "key-1"):  # quoted or not
            self.assertEqual(
                self.check(client.admit(input_tokens=5, headers={"Idempotency-Key": key}), 201),
                first,
            )
        self.check_problem(client.admit(input_tokens=6, headers={"Idempotency-Key": "key-1"}), 422)
        other = self.check(client.admit(input_tokens=5, headers={"Idempotency-Key": "key-2"}), 201)
        self.assertNotEqual(other["admission_id"], first["admission_id"])
        self.assertEqual(client.limit("*/requests/day")["held"], 2)
        daemon.restart()
        client = daemon.client()
        again = self.check(client.admit(input_tokens=5, headers={"Idempotency-Key": "key-1"}), 201)
        self.assertEqual(again, first)
        self.check_problem(client.admit(input_tokens=6, headers={"Idempotency-Key": "key-1"}), 422)
        self.assertEqual(client.limit("*/requests/day")["held"], 2)

    def test_the_same_key_from_many_threads_at_once_admits_once(self) -> None:
        daemon = self.daemon(config(limit(100)))
        ids = []

        def ask(_: int) -> None:
            client = daemon.client()
            for number in range(5):
                answer = client.admit(headers={"Idempotency-Key": f"k{number}"})
                ids.append((number, self.check(answer, 201)["admission_id"]))

        with threads(10, ask):
            pass
        self.assertEqual(len(set(ids)), 5)
        self.assertEqual(daemon.client().limit("*/requests/day")["held"], 5)

    def test_a_pool_takes_the_next_project_and_then_the_fallback_model(self) -> None:
        more = """
[[projects]]
name = "second"
use_catalog = false
[[projects.limits]]
models = ["*"]
metric = "requests"
window = "day"
amount = 1
[[pools]]
name = "both"
projects = ["default", "second"]
fallback = { "big" = ["small"] }
"""
        client = self.daemon(
            config(limit(1, models='["big"]') + limit(10, models='["small"]'), more=more)
        ).client()
        got = []
        for _ in range(3):
            admission = self.check(client.admit("big", project="both"), 201)
            got.append((admission["project"], admission["model"]))
        self.assertEqual(got, [("default", "big"), ("second", "big"), ("default", "small")])

    def test_a_consumers_own_limit_and_share_hold_for_it_alone(self) -> None:
        more = """
[[consumers]]
name = "batch"
max_share = 0.5
[[consumers]]
name = "tiny"
  [[consumers.limits]]
  models = ["*"]
  metric = "requests"
  window = "day"
  amount = 1
"""
        client = self.daemon(config(limit(10), more=more)).client()
        for _ in range(5):
            self.admitted(client, consumer="batch")
        self.check_problem(client.admit(consumer="batch"), 429)
        self.admitted(client, consumer="tiny")
        self.check_problem(client.admit(consumer="tiny"), 429)
        for _ in range(4):
            self.admitted(client, consumer="chat")
        self.check_problem(client.admit(consumer="chat"), 429)

    def test_the_embedded_defaults_know_geminis_free_tier(self) -> None:
        daemon = self.daemon(config(project='provider = "gemini"\ntier = "free"'))
        client = daemon.client()
        self.admitted(client, "gemini-2.5-flash")
        state = client.limit("gemini-2.5-flash/requests/day")
        self.assertEqual(state["source"], "catalog")
        self.assertRegex(state["published"], r"^20\d\d-\d\d-\d\d$")
        self.assertEqual(state["held"], 1)


if __name__ == "__main__":
    unittest.main()
