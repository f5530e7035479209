"""A ledger that others lock, remove, damage or write-protect under the running daemon: it answers all the while, recovers without a
restart, and loses nothing acknowledged."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sqlite3
import time
import unittest

from bystander import Bystander
from weirtest import SCALE, Daemon, TestCase, config, eventually, limit


class LedgerFaults(TestCase):
    def running(self, ledger: str = "") -> Daemon:
        return self.daemon(config(limit(10**9), ledger=ledger))

    def path(self, daemon: Daemon) -> pathlib.Path:
        return daemon.directory / "weir.db"

    def failing(self, daemon: Daemon, *words: str) -> None:
        """Waits until the daemon has noticed, and said so."""
        client = daemon.client()
        eventually(
            "the ledger's failing is counted", lambda: client.metrics().sum("weir_ledger_failures_total") > 0
        )
        for word in words:
            self.assertIn(word, daemon.stderr())

    def written(self, daemon: Daemon) -> None:
        client = daemon.client()
        eventually("nothing is held back", lambda: client.metrics().sum("weir_ledger_backlog") == 0)

    def test_another_program_holds_a_lock_for_half_a_minute(self) -> None:
        daemon = self.running("spool_calls = 1000000")
        with Bystander(self, daemon) as others:
            others.goes_on()
            with contextlib.closing(sqlite3.connect(self.path(daemon), timeout=30)) as database:
                database.execute("BEGIN IMMEDIATE")
                end = time.monotonic() + 30 * SCALE
                self.failing(daemon, "another program holds a lock")
                while time.monotonic() < end:
                    others.goes_on()
                database.execute("ROLLBACK")
            others.goes_on()
            self.written(daemon)
        others.check_all()

    def test_removed(self) -> None:
        daemon = self.running()
        with Bystander(self, daemon) as others:
            others.goes_on(50)
            for name in ("weir.db", "weir.db-wal", "weir.db-shm"):
                (daemon.directory / name).unlink()
            eventually("it is written again", self.path(daemon).exists)
            others.goes_on(50)
            self.written(daemon)
        self.assertIn("was deleted", daemon.stderr())
        self.assertIn("nothing is lost", daemon.stderr())
        self.assertEqual(self.path(daemon).stat().st_mode & 0o077, 0)
        others.check_all()

    def test_removed_with_its_directory(self) -> None:
        daemon = self.make(config(limit(10**9)).replace("DIR/weir.db", "DIR/deep/weir.db"))
        daemon.start()
        with Bystander(self, daemon) as others:
            others.goes_on(50)
            aside = daemon.directory / "aside"
            (daemon.directory / "deep").rename(aside)
            for file in aside.iterdir():
                file.unlink()
            self.failing(daemon, "cannot be written again")
            others.goes_on(50)
            aside.rename(daemon.directory / "deep")
            self.written(daemon)
        others.check_all()

    def test_write_protected(self) -> None:
        daemon = self.running()
        with Bystander(self, daemon) as others:
            others.goes_on()
            for name in ("weir.db", "weir.db-wal", "weir.db-shm"):
                (daemon.directory / name).chmod(0o400)
            daemon.directory.chmod(0o500)
            others.goes_on(50)
            daemon.directory.chmod(0o700)
            for name in ("weir.db", "weir.db-wal", "weir.db-shm"):
                (daemon.directory / name).chmod(0o600)
        others.check_all()

    def test_damaged_pages(self) -> None:
        daemon = self.running()
        path = self.path(daemon)
        with Bystander(self, daemon) as others:
            others.goes_on(200)
            # All but the first page, in the log too: nothing that is read from the disk makes sense any more.
            for name in (path, path.with_name("weir.db-wal")):
                size = name.stat().st_size
                with open(name, "r+b", buffering=0) as file:
                    for start in range(4096, size, 4096):
                        file.seek(start)
                        file.write(os.urandom(min(2048, size - start)))
            others.goes_on(200)
            client = daemon.client()
            report = client.get("/v1/usage?by=model")
            self.assertIn(report.status, (200, 503), report)
            if report.status == 503:
                self.assertIn("damaged", report.text)
            # What an operator does next: takes the damaged ledger away, for sqlite3's .recover.
            for name in ("weir.db", "weir.db-wal", "weir.db-shm"):
                with contextlib.suppress(FileNotFoundError):
                    (daemon.directory / name).rename(daemon.directory / ("damaged-" + name))
            eventually("there is a ledger again", path.exists)
            before = len(others.acknowledged)
            others.goes_on(50)
            self.written(daemon)
        after = list(others.acknowledged)[before + 1 :]
        known = {call["admission_id"] for call in daemon.client().calls()}
        self.assertEqual([name for name in after if name not in known], [])
        daemon.restart()


if __name__ == "__main__":
    unittest.main()
