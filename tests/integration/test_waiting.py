"""Waiting for room: in, out, away, too many."""

from __future__ import annotations

import resource
import threading
import unittest
from typing import Any

from weirtest import Answer, Client, Daemon, TestCase, config, eventually, limit, raw_connection, run_command

ONE_AT_A_TIME = limit(1, "in_flight", "")


class Asking:
    """A call that asks in a thread of its own."""

    def __init__(self, daemon: Daemon, **fields) -> None:
        self.answer: Answer | None = None
        self._thread = threading.Thread(target=self._ask, args=(daemon, fields), daemon=True)
        self._thread.start()

    def _ask(self, daemon: Daemon, fields) -> None:
        self.answer = daemon.client().admit(**fields)

    def result(self) -> Answer:
        self._thread.join(90)
        assert self.answer is not None, "no answer"
        return self.answer


class Waiting(TestCase):
    def waiting(self, daemon: Daemon, count: int) -> None:
        client = daemon.client()

        def now() -> bool:
            metrics = client.metrics()
            return metrics.has("weir_queue_waiting") and metrics.sum("weir_queue_waiting") == count

        eventually(f"{count} calls wait", now)

    def next_in(self, client: Client) -> dict[str, Any]:
        """The one call that is open, once the ledger has it: room is taken before that is written."""
        return eventually(
            "one of them is in", lambda: next((call for call in client.calls() if call["state"] == "open"), None)
        )

    def test_a_waiting_call_goes_when_room_appears(self) -> None:
        daemon = self.daemon(config(ONE_AT_A_TIME))
        client = daemon.client()
        for freed_by in ("settlement", "cancellation"):
            with self.subTest(freed_by=freed_by):
                first = self.admitted(client)
                second = Asking(daemon, wait_s=60)
                self.waiting(daemon, 1)
                self.check_problem(client.admit(), 429)
                if freed_by == "settlement":
                    self.check(client.settle(first, status=200, usage={}), 200)
                else:
                    self.check(client.delete(f"/v1/admissions/{first}"), 204)
                admission = self.check(second.result(), 201)
                self.assertGreater(admission["waited_s"], 0)
                self.waiting(daemon, 0)
                self.assertEqual(client.limit("*/in_flight")["held"], 1)
                self.check(client.delete(f"/v1/admissions/{admission['admission_id']}"), 204)

    def test_room_made_by_an_ending_lease_is_given_too(self) -> None:
        daemon = self.daemon(config(ONE_AT_A_TIME))
        self.admitted(daemon.client(), lease_s=1)
        self.check(Asking(daemon, wait_s=60).result(), 201)

    def test_a_sliding_window_that_moves_on_lets_waiting_calls_in(self) -> None:
        world = self.world()
        world.freeze("2026-11-22T20:00:00Z")
        daemon = self.daemon(config(limit(2, window="10s")), world=world)
        client = daemon.client()
        for _ in range(2):
            self.check(client.settle(self.admitted(client), status=200, usage={}), 200)
        self.check_problem(client.admit(), 429)
        waiting = Asking(daemon, wait_s=60)
        self.waiting(daemon, 1)
        world.pass_time(11)
        self.assertEqual(self.check(waiting.result(), 201)["waited_s"], 11)

    def test_a_call_that_waits_in_vain_gets_429(self) -> None:
        daemon = self.daemon(config(ONE_AT_A_TIME))
        client = daemon.client()
        self.admitted(client)
        self.check_problem(client.admit(wait_s=1.5), 429)
        self.assertEqual(client.metrics().sum("weir_admissions_total", decision="timed_out"), 1)
        self.assertEqual(client.limit("*/in_flight")["held"], 1)
        self.waiting(daemon, 0)

    def test_a_call_whose_room_comes_after_its_patience_is_refused_at_once(self) -> None:
        daemon = self.daemon(config(limit(1)))
        client = daemon.client()
        self.check(client.settle(self.admitted(client), status=200, usage={}), 200)
        # Room comes at midnight.
        answer = client.admit(wait_s=1.0)
        self.check_problem(answer, 429)
        metrics = client.metrics()
        self.assertEqual(metrics.sum("weir_admissions_total", decision="denied"), 1)
        self.assertEqual(metrics.sum("weir_admissions_total", decision="timed_out"), 0)

    def test_a_client_that_goes_away_leaves_the_line_and_charges_nothing(self) -> None:
        daemon = self.daemon(config(ONE_AT_A_TIME + limit(100)))
        client = daemon.client()
        first = self.admitted(client)
        body = b'{"model":"m","wait_s":60}'
        gone = raw_connection(daemon.tcp)
        gone.sendall(
            b"POST /v1/admissions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
            % len(body)
            + body
        )
        self.waiting(daemon, 1)
        gone.close()
        self.waiting(daemon, 0)
        self.check(client.settle(first, status=200, usage={}), 200)
        self.assertEqual(client.limit("*/in_flight")["held"], 0)
        self.admitted(client)
        self.assertEqual(len(client.calls()), 2)

    def test_ten_thousand_clients_that_wait_and_vanish_leave_nothing_behind(self) -> None:
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # the daemon inherits it
        count = 10_000 if most == resource.RLIM_INFINITY else min(10_000, most - 200)
        daemon = self.daemon(
            config(
                ONE_AT_A_TIME,
                server="max_connections = 20000",
                queue="max_waiting = 20000\nmax_wait_s = 3600",  # none gives up while the last ones come
            )
        )
        client = daemon.client()
        first = self.admitted(client, lease_s=3600)
        crowd = []
        for number in range(count):
            body = b'{"model":"m","consumer":"c%d","wait_s":3600}' % (number % 100)
            connection = raw_connection(daemon.tcp)
            connection.sendall(
                b"POST /v1/admissions HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
                % len(body)
                + body
            )
            crowd.append(connection)
        self.waiting(daemon, count)
        for connection in crowd:
            connection.close()
        self.waiting(daemon, 0)
        self.assertEqual(client.limit("*/in_flight")["waiting"], 0)
        self.check(client.settle(first, status=200, usage={}), 200)
        self.assertEqual(client.limit("*/in_flight")["held"], 0)
        self.admitted(client)
        self.assertEqual(len(client.calls()), 2)

    def test_no_more_wait_than_may(self) -> None:
        daemon = self.daemon(config(ONE_AT_A_TIME, queue="max_waiting = 2"))
        client = daemon.client()
        first = self.admitted(client)
        waiting = [Asking(daemon, wait_s=60) for _ in range(2)]
        self.waiting(daemon, 2)
        answer = client.admit(wait_s=60)
        self.assertIn(answer.status, (429, 503))
        self.check_problem(answer, answer.status)
        self.assertTrue(answer.headers["Retry-After"])
        held = first
        for _ in waiting:
            self.check(client.settle(held, status=200, usage={}), 200)
            held = self.next_in(client)["admission_id"]
        for one in waiting:
            self.check(one.result(), 201)

    def test_calls_of_one_priority_go_in_the_order_in_which_they_came(self) -> None:
        daemon = self.daemon(config(ONE_AT_A_TIME))
        client = daemon.client()
        held = self.admitted(client)
        waiting = []
        for number in range(4):
            waiting.append(Asking(daemon, wait_s=60, model=f"m{number}"))
            self.waiting(daemon, number + 1)
        for number in range(4):
            self.check(client.settle(held, status=200, usage={}), 200)
            answer = self.check(waiting[number].result(), 201)
            self.assertEqual(answer["model"], f"m{number}")
            held = answer["admission_id"]

    def test_consumers_take_turns_and_the_line_is_shown(self) -> None:
        daemon = self.daemon(config(ONE_AT_A_TIME))
        client = daemon.client()
        held = self.admitted(client)
        waiting = []
        for number in range(6):
            consumer = "chat" if number in (4, 5) else "batch"
            waiting.append((consumer, Asking(daemon, wait_s=60, consumer=consumer)))
            self.waiting(daemon, number + 1)
        self.assertEqual(client.limit("*/in_flight")["waiting"], 6)
        order = []
        for _ in range(6):
            self.check(client.settle(held, status=200, usage={}), 200)
            call = self.next_in(client)
            held = call["admission_id"]
            order.append(call["consumer"])
        self.assertEqual(sorted(order[:4]), ["batch", "batch", "chat", "chat"])
        self.assertEqual(order[4:], ["batch", "batch"])
        for _, one in waiting:
            self.check(one.result(), 201)
        self.assertEqual(client.limit("*/in_flight")["waiting"], 0)

    def test_a_command_may_wait_for_less_than_a_second(self) -> None:
        daemon = self.daemon(config(ONE_AT_A_TIME))
        self.admitted(daemon.client(), lease_s=3600)
        done = run_command(
            self.directory, "admit", "--model", "m", "--wait", "0.3", url=daemon.tcp
        )
        self.assertEqual(done.returncode, 5, done.stderr)

    def test_patience_beyond_what_the_daemon_allows_is_told(self) -> None:
        client = self.daemon(config(ONE_AT_A_TIME, queue="max_wait_s = 5")).client()
        self.admitted(client, wait_s=5)
        problem = self.check_problem(client.admit(wait_s=6), 400)
        self.assertEqual(problem["errors"][0]["pointer"], "/wait_s")


if __name__ == "__main__":
    unittest.main()
