"""A ledger that cannot be used is refused with a message, and left as it is."""

from __future__ import annotations

import contextlib
import os
import pathlib
import sqlite3
import unittest

from weirtest import Daemon, TestCase, config, limit


class LedgerFile(TestCase):
    def used(self) -> Daemon:
        """A daemon that has written some calls and stopped."""
        daemon = self.daemon(config(limit(1000)))
        client = daemon.client()
        for _ in range(50):
            self.check(
                client.settle(self.admitted(client), status=200, usage={"input_tokens": 5}), 200
            )
        self.assertEqual(daemon.stop(), 0)
        return daemon

    def path(self, daemon: Daemon) -> pathlib.Path:
        return daemon.directory / "weir.db"

    def refused(self, daemon: Daemon, *words: str) -> None:
        before = self.path(daemon).read_bytes() if self.path(daemon).is_file() else b""
        daemon.launch()
        self.assertEqual(daemon.wait(), 1, daemon.stderr())
        self.assertIn("weir.db", daemon.stderr())
        for word in words:
            self.assertIn(word, daemon.stderr().lower())
        self.assertNotIn("listening on", daemon.stderr())
        if before:
            self.assertEqual(self.path(daemon).read_bytes(), before, "it is left as it is")

    def test_a_ledger_of_a_newer_version_is_refused(self) -> None:
        daemon = self.used()
        with contextlib.closing(sqlite3.connect(self.path(daemon))) as database:
            version = database.execute("PRAGMA user_version").fetchone()[0]
            self.assertGreater(version, 0, "the schema's version is SQLite's user_version")
            database.execute(f"PRAGMA user_version = {version + 1}")
            database.commit()
        self.refused(daemon, "newer", str(version + 1))

    def test_a_file_that_is_no_database_is_refused(self) -> None:
        daemon = self.make(config(limit(5)))
        self.path(daemon).write_text("this is a diary, not a database\n" * 100)
        self.refused(daemon, "not a")

    def test_another_programs_database_is_refused(self) -> None:
        daemon = self.make(config(limit(5)))
        with contextlib.closing(sqlite3.connect(self.path(daemon))) as database:
            database.execute("CREATE TABLE recipes (name TEXT)")
        self.refused(daemon)

    def test_a_damaged_ledger_is_refused_with_what_to_do(self) -> None:
        daemon = self.used()
        data = bytearray(self.path(daemon).read_bytes())
        page = int.from_bytes(data[16:18], "big")
        for start in range(page, len(data), page):  # every page but the first
            data[start : start + 16] = os.urandom(16)
        self.path(daemon).write_bytes(data)
        self.refused(daemon, "damaged")

    def test_a_ledger_cut_short_is_refused(self) -> None:
        daemon = self.used()
        data = self.path(daemon).read_bytes()
        self.path(daemon).write_bytes(data[: len(data) // 2])
        self.refused(daemon)

    def test_a_second_daemon_on_the_same_ledger_is_refused_and_the_first_goes_on(self) -> None:
        first = self.daemon(config(limit(1000)))
        second = self.make(
            config(limit(1000)).replace(
                'path = "DIR/weir.db"', f'path = "{first.directory}/weir.db"'
            )
        )
        second.launch()
        self.assertEqual(second.wait(), 1, second.stderr())
        self.assertIn("weir.db", second.stderr())
        self.assertNotIn("listening on", second.stderr())
        self.admitted(first.client())
        first.kill()
        second.start()  # the first is gone, so is its claim
        self.assertEqual(second.client().limit("*/requests/day")["held"], 1)

    def test_a_directory_that_is_not_there_is_made_and_one_that_cannot_be_is_told(self) -> None:
        daemon = self.daemon(config(limit(5)).replace("DIR/weir.db", "DIR/deep/down/weir.db"))
        self.assertTrue((daemon.directory / "deep/down/weir.db").exists())
        other = self.make(config(limit(5)).replace("DIR/weir.db", "/proc/nowhere/weir.db"))
        other.launch()
        self.assertEqual(other.wait(), 1)
        self.assertIn("/proc/nowhere", other.stderr())

    def test_the_ledger_is_private(self) -> None:
        daemon = self.daemon(config(limit(5)))
        self.admitted(daemon.client())
        self.assertEqual(self.path(daemon).stat().st_mode & 0o007, 0, "others cannot read it")

    def test_any_sqlite_program_can_read_it_meanwhile(self) -> None:
        daemon = self.daemon(config(limit(1000)))
        client = daemon.client()
        ids = [self.admitted(client) for _ in range(20)]
        with contextlib.closing(
            sqlite3.connect(f"file:{self.path(daemon)}?mode=ro", uri=True)
        ) as database:
            self.assertEqual(database.execute("PRAGMA integrity_check").fetchone()[0], "ok")
            self.assertEqual(
                database.execute("SELECT count(*) FROM admissions").fetchone()[0], len(ids)
            )
        self.admitted(client)


if __name__ == "__main__":
    unittest.main()
