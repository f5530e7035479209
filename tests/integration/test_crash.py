"""kill -9 in the middle of load: what was acknowledged is there, once, and counts."""

from __future__ import annotations

import dataclasses
import http.client
import random
import threading
import time
import unittest
from typing import Any

from weirtest import SCALE, Client, Daemon, TestCase, World, config, eventually, limit, scaled

ESTIMATE, ACTUAL = 1000, 700


@dataclasses.dataclass
class Call:
    """What a caller knows of its call."""

    key: str
    admission_id: str | None = None  # None: the answer never came
    settling: bool = False
    settled: dict[str, Any] | None = None  # the acknowledged answer


class Crash(TestCase):
    def settlement(self, call: Call) -> dict[str, Any]:
        return {
            "status": 200,
            "usage": {"input_tokens": ACTUAL, "output_tokens": int(call.key.split("-")[1]) % 100},
        }

    def admit(self, client: Client, call: Call) -> None:
        answer = client.admit(
            input_tokens=ESTIMATE, lease_s=3600, headers={"Idempotency-Key": call.key}
        )
        admission_id = self.check(answer, 201)["admission_id"]
        if call.admission_id is not None:
            self.assertEqual(
                admission_id, call.admission_id, "a key gives the same admission for ever"
            )
        call.admission_id = admission_id

    def settle(self, client: Client, call: Call) -> None:
        assert call.admission_id is not None
        call.settling = True
        answer = self.check(client.settle(call.admission_id, self.settlement(call)), 200)
        if call.settled is not None:
            self.assertEqual(answer, call.settled)
        call.settled = answer

    def load(self, daemon: Daemon, first: int, calls: list[Call], stop: threading.Event) -> None:
        """Admits, and settles most, until the daemon is gone."""
        client = daemon.client(timeout=20)
        number = first
        while not stop.is_set():
            call = Call(f"key-{number}")
            number += 1
            calls.append(call)
            try:
                self.admit(client, call)
                if random.random() < 0.7:
                    self.settle(client, call)
            except (OSError, http.client.HTTPException):
                return

    def check_ledger(self, client: Client, calls: list[Call], *, exact: bool) -> None:
        """`exact`: no call is in doubt any more."""
        recorded: dict[str, dict[str, Any]] = {}
        for record in client.calls():
            self.assertNotIn(record["admission_id"], recorded, "a call stands in the ledger twice")
            recorded[record["admission_id"]] = record
        acknowledged = [call for call in calls if call.admission_id is not None]
        for call in acknowledged:
            self.assertIn(
                call.admission_id,
                recorded,
                f"the admission of {call.key} was acknowledged and is lost",
            )
            record = recorded[str(call.admission_id)]
            if call.settled is not None:
                self.assertEqual(
                    record["state"],
                    "settled",
                    f"the settlement of {call.key} was acknowledged and is lost",
                )
                self.assertEqual(record["usage"], call.settled["usage"])
            elif not call.settling:
                self.assertEqual(record["state"], "open", record)
        requests = client.limit("*/requests/day")
        counted = requests["used"] + requests["held"]
        self.assertEqual(counted, len(recorded), "the book counts what the ledger holds")
        self.assertGreaterEqual(counted, len(acknowledged))
        self.assertLessEqual(len(recorded), len(calls))
        settled = sum(1 for record in recorded.values() if record["state"] == "settled")
        self.assertEqual(requests["used"], settled)
        for name in ("*/input_tokens/day", "*/input_tokens/1h"):
            tokens = client.limit(name)
            self.assertEqual(
                (tokens["used"], tokens["held"]),
                (settled * ACTUAL, (len(recorded) - settled) * ESTIMATE),
                name,
            )
        if exact:
            self.assertEqual({call.admission_id for call in calls}, set(recorded))

    def rounds(self, ledger: str, count: int) -> None:
        daemon = self.make(
            config(
                limit(10**9) + limit(10**12, "input_tokens") + limit(10**12, "input_tokens", "1h"),
                ledger=ledger,
            )
        )
        daemon.start()
        calls: list[Call] = []
        for number in range(count):
            stop = threading.Event()
            lists: list[list[Call]] = [[] for _ in range(4)]
            workers = [
                threading.Thread(
                    target=self.load,
                    daemon=True,
                    args=(daemon, number * 10**6 + index * 10**5, own, stop),
                )
                for index, own in enumerate(lists)
            ]
            for worker in workers:
                worker.start()
            time.sleep(random.uniform(0.05, 0.3))
            daemon.kill()
            stop.set()
            for worker in workers:
                worker.join()
            calls += [call for own in lists for call in own]
            daemon.start()
            client = daemon.client()
            self.check_ledger(client, calls, exact=False)
            for call in calls:  # every caller in doubt asks again
                if call.admission_id is None:
                    self.admit(client, call)
                if call.settling and call.settled is None:
                    self.settle(client, call)
            for call in random.sample(calls, min(20, len(calls))):  # and some who were not
                self.admit(client, call)
                if call.settled:
                    self.settle(client, call)
            self.check_ledger(client, calls, exact=True)
        self.assertGreater(len(calls), count)
        print(f"{count} kills, {len(calls)} calls, {sum(1 for c in calls if c.settled)} settled")

    def test_kill_9_loses_no_acknowledged_record_and_doubles_none(self) -> None:
        self.rounds("", scaled(25, 4))

    def test_kill_9_with_an_fsync_before_every_answer(self) -> None:
        self.rounds('durability = "power"', scaled(5, 2))

    def test_kill_9_at_every_operation_on_the_ledger(self) -> None:
        """A short life, from the making of the file to its closing, killed in its 1st, 2nd, 3rd, … change of a file."""
        operation, lives = 1, 0
        while True:
            world = World(self.directory)
            daemon = self.make(config(limit(100) + limit(10**6, "input_tokens")), world=world)
            world.kill_at(operation)
            acknowledged: dict[str, str] = {}
            killed = not self.short_life(daemon, acknowledged)
            world.kill_at(0)
            with self.subTest(operation=operation):
                self.check_acknowledged(daemon, acknowledged)
            lives += 1
            if not killed:
                break
            operation += 1 if SCALE == 1 else random.randint(1, int(2 / SCALE))
        self.assertGreater(lives, 3)
        print(f"{lives} lives; the last one made fewer than {operation} changes")

    def short_life(self, daemon: Daemon, acknowledged: dict[str, str]) -> bool:
        """False if it was killed."""
        try:
            daemon.launch()
            eventually("the daemon is ready, or gone", lambda: daemon.is_ready() or not daemon.is_running())
            if not daemon.is_running():
                raise ConnectionError("killed while it started")
            client = daemon.client(timeout=20)
            for number in range(3):
                admission_id = self.admitted(client, input_tokens=ESTIMATE, lease_s=3600)
                acknowledged[admission_id] = "open"
                if number == 0:
                    self.check(client.settle(admission_id, status=200, usage={"input_tokens": ACTUAL}), 200)
                    acknowledged[admission_id] = "settled"
                if number == 1:
                    self.check(client.delete(f"/v1/admissions/{admission_id}"), 204)
                    acknowledged[admission_id] = "cancelled"
            return daemon.stop() == 0
        except (OSError, http.client.HTTPException):
            daemon.wait()
            return False

    def check_acknowledged(self, daemon: Daemon, acknowledged: dict[str, str]) -> None:
        daemon.start()
        client = daemon.client()
        calls = client.calls()
        states = {call["admission_id"]: call["state"] for call in calls}
        self.assertEqual(len(states), len(calls), "no call is there twice")
        # The one that was under way may have been written before its answer was lost.
        for admission_id, state in acknowledged.items():
            self.assertIn(states.get(admission_id), {state} if state != "open" else {"open", "settled", "cancelled"})
        self.assertLessEqual(len(states), len(acknowledged) + 1)
        requests, tokens = client.limit("*/requests/day"), client.limit("*/input_tokens/day")
        count = {state: sum(s == state for s in states.values()) for state in ("open", "settled")}
        self.assertEqual((requests["used"], requests["held"]), (count["settled"], count["open"]))
        self.assertEqual((tokens["used"], tokens["held"]), (count["settled"] * ACTUAL, count["open"] * ESTIMATE))
        self.assertEqual(daemon.stop(), 0)

    def test_a_crash_right_after_the_first_answer_keeps_it(self) -> None:
        daemon = self.make(config(limit(100)))
        ids = []
        for _ in range(scaled(10, 3)):
            daemon.start()
            ids.append(self.admitted(daemon.client(), lease_s=3600))
            daemon.kill()
        daemon.start()
        self.assertEqual([call["admission_id"] for call in daemon.client().calls()], ids[::-1])
        self.assertEqual(daemon.client().limit("*/requests/day")["held"], len(ids))

    def test_an_open_call_expires_after_a_crash_when_its_lease_ends_and_keeps_its_charge(
        self,
    ) -> None:
        daemon = self.daemon(config(limit(100)))
        admission_id = self.admitted(daemon.client(), lease_s=1)
        daemon.kill()
        time.sleep(1.2)
        daemon.start()
        client = daemon.client()
        eventually("the lease has ended", lambda: client.calls()[0]["state"] == "expired")
        self.assertEqual(client.calls()[0]["admission_id"], admission_id)
        limit_state = client.limit("*/requests/day")
        self.assertEqual((limit_state["used"], limit_state["held"]), (1, 0))

    def test_a_cancelled_call_stays_cancelled(self) -> None:
        daemon = self.daemon(config(limit(100)))
        client = daemon.client()
        admission_id = self.admitted(client)
        self.check(client.delete(f"/v1/admissions/{admission_id}"), 204)
        daemon.kill()
        daemon.start()
        client = daemon.client()
        self.assertEqual(client.calls()[0]["state"], "cancelled")
        state = client.limit("*/requests/day")
        self.assertEqual((state["used"], state["held"]), (0, 0))


if __name__ == "__main__":
    unittest.main()
