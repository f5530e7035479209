"""A full disk: the spool keeps admitting, or nothing is admitted; nothing is lost or doubled."""

from __future__ import annotations

import os
import pathlib
import subprocess
import unittest

from weirtest import Client, Daemon, TestCase, config, eventually, limit


class FullDisk(TestCase):
    LIMITS = limit(10**6) + limit(10**9, "input_tokens")

    def some(self, client: Client, count: int) -> dict[str, str]:
        """Admits, and settles every other one: admission id to state."""
        done = {}
        for number in range(count):
            admission_id = self.admitted(client, input_tokens=10, lease_s=3600)
            done[admission_id] = "open"
            if number % 2:
                self.check(client.settle(admission_id, status=200, usage={"input_tokens": 4}), 200)
                done[admission_id] = "settled"
        return done

    def recovered(self, client: Client) -> None:
        eventually(
            "the ledger has caught up", lambda: client.metrics().sum("weir_ledger_backlog") == 0
        )

    def check_all(self, client: Client, done: dict[str, str]) -> None:
        calls = client.calls()
        self.assertEqual(len(calls), len(done))
        self.assertEqual({call["admission_id"]: call["state"] for call in calls}, done)
        settled = sum(state == "settled" for state in done.values())
        state = client.limit("*/requests/day")
        self.assertEqual((state["used"], state["held"]), (settled, len(done) - settled))
        tokens = client.limit("*/input_tokens/day")
        self.assertEqual(
            (tokens["used"], tokens["held"]), (settled * 4, (len(done) - settled) * 10)
        )
        rows = client.get("/v1/usage?by=project").json["rows"]
        self.assertEqual(sum(row["input_tokens"] for row in rows), settled * 4)

    def test_the_spool_keeps_admitting_and_is_written_when_space_is_back(self) -> None:
        world = self.world()
        daemon = self.daemon(config(self.LIMITS), world=world)
        client = daemon.client()
        done = self.some(client, 20)
        for _ in range(2):
            world.fill_disk()
            done |= self.some(client, 40)
            metrics = client.metrics()
            self.assertGreater(metrics.sum("weir_ledger_failures_total"), 0)
            self.assertGreater(metrics.sum("weir_ledger_backlog"), 0)
            world.fill_disk(False)
            self.recovered(client)
            done |= self.some(client, 20)
            self.check_all(client, done)
        self.assertRegex(daemon.stderr().lower(), r"disk|full|space")
        daemon.kill()  # all of it is durable now
        daemon.start()
        self.check_all(daemon.client(), done)

    def test_a_full_spool_refuses_admissions_and_still_takes_settlements(self) -> None:
        world = self.world()
        client = self.daemon(config(self.LIMITS, ledger="spool_calls = 20"), world=world).client()
        open_calls = [self.admitted(client, input_tokens=10, lease_s=3600) for _ in range(5)]
        world.fill_disk()
        done = dict.fromkeys(open_calls, "open")
        refused = None
        for _ in range(200):
            answer = client.admit(input_tokens=10, lease_s=3600)
            if answer.status == 201:
                done[answer.json["admission_id"]] = "open"
            else:
                refused = answer
                break
        assert refused is not None
        self.check_problem(refused, 503)
        self.assertTrue(refused.headers["Retry-After"])
        held = client.limit("*/requests/day")["held"]
        self.assertEqual(held, len(done), "a refused admission charges nothing")
        world.fill_disk(False)
        self.recovered(client)
        eventually("admissions go on", lambda: self.another(client, done))
        self.check_all(client, done)

    def another(self, client: Client, done: dict[str, str]) -> bool:
        answer = client.admit(input_tokens=10, lease_s=3600)
        if answer.status == 201:
            done[answer.json["admission_id"]] = "open"
        return answer.status == 201

    def test_deny_refuses_until_space_is_back_and_charges_nothing(self) -> None:
        world = self.world()
        client = self.daemon(
            config(self.LIMITS, ledger='on_failure = "deny"'), world=world
        ).client()
        done = self.some(client, 10)
        world.fill_disk()
        for _ in range(10):
            answer = client.admit(input_tokens=10)
            self.check_problem(answer, 503)
            self.assertTrue(answer.headers["Retry-After"])
        self.assertEqual(client.limit("*/requests/day")["held"], 5)
        world.fill_disk(False)
        eventually("admissions go on", lambda: self.another(client, done))
        self.recovered(client)
        self.check_all(client, done)

    def test_a_retry_with_the_key_of_a_refused_admission_is_decided_anew(self) -> None:
        world = self.world()
        client = self.daemon(config(self.LIMITS, ledger='on_failure = "deny"'), world=world).client()
        key = {"Idempotency-Key": "again"}
        world.fill_disk()
        answers = [client.post("/v1/admissions", {"model": "m"}, key).status for _ in range(3)]
        self.assertEqual(answers, [503, 503, 503])
        world.fill_disk(False)
        eventually("it is admitted", lambda: client.post("/v1/admissions", {"model": "m"}, key).status == 201)
        self.recovered(client)
        self.assertEqual(client.limit("*/requests/day")["held"], 1)

    def test_a_call_whose_record_was_refused_is_charged_once_when_it_is_told_again(self) -> None:
        world = self.world()
        client = self.daemon(config(self.LIMITS, ledger='on_failure = "deny"'), world=world).client()
        call = {"model": "m", "status": 200, "usage": {"input_tokens": 4, "output_tokens": 1}}
        world.fill_disk()
        # The first of them is charged before anybody knows that the disk is full.
        self.assertEqual([client.post("/v1/calls", call).status for _ in range(3)], [503, 503, 503])
        eventually("the charge is taken back", lambda: client.limit("*/requests/day")["used"] == 0)
        world.fill_disk(False)
        eventually("it is recorded", lambda: client.post("/v1/calls", call).status == 201)
        self.recovered(client)
        self.assertEqual(client.limit("*/requests/day")["used"], 1)
        self.assertEqual(client.limit("*/input_tokens/day")["used"], 4)

    def test_what_a_full_disk_refused_can_be_asked_again(self) -> None:
        world = self.world()
        client = self.daemon(
            config(self.LIMITS, ledger='on_failure = "deny"'), world=world
        ).client()
        settled, cancelled = (self.admitted(client, input_tokens=10) for _ in range(2))
        world.fill_disk()
        for _ in range(3):
            answer = client.settle(settled, status=200, usage={"input_tokens": 4})
            self.check_problem(answer, 503)
        self.check_problem(client.delete(f"/v1/admissions/{cancelled}"), 503)
        world.fill_disk(False)
        self.recovered(client)
        answer = self.check(client.settle(settled, status=200, usage={"input_tokens": 4}), 200)
        self.assertEqual(answer["charged"]["input_tokens"], 4)
        self.check_problem(client.settle(settled, status=200, usage={"input_tokens": 5}), 409)
        for _ in range(2):
            self.assertEqual(client.delete(f"/v1/admissions/{cancelled}").status, 204)
        self.check_problem(client.settle(cancelled, status=200), 410)
        states = {call["admission_id"]: call["state"] for call in client.calls()}
        self.assertEqual(states, {settled: "settled", cancelled: "cancelled"})
        tokens = client.limit("*/input_tokens/day")
        self.assertEqual((tokens["used"], tokens["held"]), (4, 0))

    def test_a_call_that_cannot_be_recorded_is_charged_once_it_can(self) -> None:
        world = self.world()
        client = self.daemon(
            config(self.LIMITS, ledger='on_failure = "deny"'), world=world
        ).client()
        world.fill_disk()
        self.check_problem(client.admit(), 503)  # finds the disk full
        call = {"model": "m", "status": 200, "usage": {"input_tokens": 4}}
        for _ in range(3):
            self.check_problem(client.post("/v1/calls", call), 503)
        world.fill_disk(False)
        eventually("it is recorded", lambda: client.post("/v1/calls", call).status == 201)
        state = client.limit("*/requests/day")
        self.assertEqual((state["used"], state["held"]), (1, 0))
        self.assertEqual(len(client.calls()), 1)

    def test_a_stop_while_the_disk_is_full_is_bounded_and_says_what_is_lost(self) -> None:
        world = self.world()
        daemon = self.daemon(config(self.LIMITS), world=world)
        client = daemon.client()
        done = self.some(client, 10)
        world.fill_disk()
        self.some(client, 10)
        daemon.stop()  # by the harness's deadline
        self.assertRegex(daemon.stderr().lower(), r"lost|not written|could not")
        world.fill_disk(False)
        daemon.start()
        self.assertLessEqual(set(done), {call["admission_id"] for call in daemon.client().calls()})

    def test_on_a_real_file_system_that_is_full(self) -> None:
        mount = self.directory / "small"
        mount.mkdir()
        result = (
            subprocess.run(
                ["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(mount)],
                capture_output=True,
                text=True,
                check=False,
            )
            if os.geteuid() == 0
            else None
        )
        if result is None or result.returncode != 0:
            why = result.stderr.strip() if result else "not root"
            print(
                f"skipped: cannot mount a small file system ({why}); "
                "a full disk is tested by the preloaded one all the same"
            )
            self.skipTest(why)
        self.addCleanup(subprocess.run, ["umount", "-l", str(mount)], check=False)
        daemon = self.make(config(self.LIMITS).replace("DIR/weir.db", f"{mount}/weir.db"))
        daemon.start()
        client = daemon.client()
        done = self.some(client, 10)
        filler = self.fill(mount)
        for _ in range(40):
            done |= self.some(client, 50)
            if client.metrics().sum("weir_ledger_failures_total") > 0:
                break
        self.assertGreater(client.metrics().sum("weir_ledger_failures_total"), 0)
        done |= self.some(client, 100)
        filler.unlink()
        self.recovered(client)
        self.check_all(client, done)
        self.end_on(daemon, done)

    def fill(self, mount: pathlib.Path) -> pathlib.Path:
        filler = mount / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return filler

    def end_on(self, daemon: Daemon, done: dict[str, str]) -> None:
        daemon.restart()
        self.check_all(daemon.client(), done)
        self.assertEqual(daemon.stop(), 0)


if __name__ == "__main__":
    unittest.main()
