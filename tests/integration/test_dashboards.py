"""dashboards/: every query returns data from a real Prometheus that scrapes a real daemon, and the files keep the rules
of Grafana's dashboard-linter."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys
import time
import unittest
from typing import Any

from demotest import Demo
from weirtest import DEADLINE_S, TestCase, eventually

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ROOT / "dashboards" / "prometheus"
sys.path.insert(0, str(ROOT / "dashboards"))
import panels as grafana  # pylint: disable=wrong-import-position

SCRAPE_INTERVAL_S = 1
PROMETHEUS_OWN = {"up"}


def queries(dashboard: dict[str, Any]) -> list[tuple[str, str]]:
    """(panel's title, query) of each target."""
    return [(panel["title"], target["expr"]) for panel in grafana.panels(dashboard) for target in panel["targets"]]


def metric_names(query: str) -> set[str]:
    return set(re.findall(r"\b((?:weir|process)_\w+|up)\b(?=\{)", query))


class Prometheus:
    """Debian's, scraping one daemon, in a directory of its own."""

    def __init__(self, directory: pathlib.Path, target: str) -> None:
        text = (RULES / "prometheus.yaml").read_text()
        text = text.replace("scrape_interval: 15s", f"scrape_interval: {SCRAPE_INTERVAL_S}s")
        text = text.replace("127.0.0.1:8411", target.removeprefix("http://"))
        text = text.replace("- weir.rules.yaml", f"- {RULES / 'weir.rules.yaml'}")
        (directory / "prometheus.yaml").write_text(f"global: {{evaluation_interval: 1s}}\n{text}")
        log_path = directory / "prometheus.log"
        with open(log_path, "wb") as log:
            self.process = subprocess.Popen(
                [
                    *("prometheus", f"--config.file={directory / 'prometheus.yaml'}"),
                    *(f"--storage.tsdb.path={directory / 'tsdb'}", "--web.listen-address=127.0.0.1:0"),
                ],
                stdout=log,
                stderr=log,
            )

        def listens() -> re.Match[str] | None:
            return re.search(r'msg="Listening on" address=(127\.0\.0\.1:\d+)\n', log_path.read_text())

        self.url = f"http://{eventually('Prometheus listens', listens)[1]}"

    def ready(self) -> bool:
        try:
            return bool(grafana.ask(self.url, "query", query='up{job="weir"} == 1')["result"])
        except OSError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE_S)


class Data(TestCase):
    def test_every_query_of_every_panel_returns_data(self) -> None:
        if not shutil.which("prometheus"):
            self.skipTest("prometheus is not installed (Debian: prometheus)")
        demo = Demo(self.directory)
        self.addCleanup(demo.kill)
        prometheus = Prometheus(self.directory, demo.url)
        self.addCleanup(prometheus.kill)
        begin = time.time()
        eventually("Prometheus scrapes the daemon", prometheus.ready)

        # What is not there yet comes when a call has waited, was refused, or was forgotten.
        missing = {
            f"{path.name}: {title}: {query}": grafana.expression(query, SCRAPE_INTERVAL_S, SCRAPE_INTERVAL_S)
            for path in grafana.DASHBOARDS
            for title, query in queries(grafana.load(path))
        }
        self.assertGreater(len(missing), 30)

        def all_found() -> bool:
            for name, query in list(missing.items()):
                if grafana.series(prometheus.url, query, begin, time.time(), SCRAPE_INTERVAL_S):
                    del missing[name]
            return not missing

        try:
            eventually("every query has returned data", all_found, 4 * DEADLINE_S)
        except AssertionError as error:
            self.fail("\n".join([str(error), *missing]))

        exposed = set(re.findall(r"^# TYPE (\S+)", demo.client().get("/metrics").text, re.M))
        for path in grafana.DASHBOARDS:
            dashboard = grafana.load(path)
            for _, query in queries(dashboard):
                for name in metric_names(query) - PROMETHEUS_OWN:
                    self.assertIn(re.sub(r"_bucket$", "", name), exposed, query)
            for variable in dashboard["templating"]["list"][1:]:
                self.check_variable(prometheus, variable, begin)

        for record in re.findall(r"record: (\S+)", (RULES / "weir.rules.yaml").read_text()):
            query = f'{{__name__="{record}"}}'
            eventually(f"{record} is recorded", lambda q=query: grafana.ask(prometheus.url, "query", query=q)["result"])

    def check_variable(self, prometheus: Prometheus, variable: dict[str, Any], begin: float) -> None:
        """label_values(selector, label) has values."""
        selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()
        matched = grafana.expression(selector, SCRAPE_INTERVAL_S)
        found = grafana.ask(prometheus.url, "series", **{"match[]": matched, "start": begin, "end": time.time()})
        self.assertTrue({one[label] for one in found}, variable["name"])


class Rules(unittest.TestCase):
    def promtool(self, *arguments: str) -> None:
        if not shutil.which("promtool"):
            self.skipTest("promtool is not installed (Debian: prometheus)")
        result = subprocess.run(
            ["promtool", *arguments], cwd=RULES, capture_output=True, text=True, timeout=DEADLINE_S, check=False
        )
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_they_are_valid_and_do_what_they_say(self) -> None:
        self.promtool("check", "rules", "--lint-fatal", "weir.rules.yaml")
        self.promtool("test", "rules", "weir.rules.test.yaml")

    def test_every_alert_waits_a_while_and_names_its_runbook(self) -> None:
        text = (RULES / "weir.rules.yaml").read_text()
        manual = (ROOT / "docs" / "dashboards.md").read_text()
        tested = (RULES / "weir.rules.test.yaml").read_text()
        alerts = re.split(r"- alert: ", text)[1:]
        self.assertGreater(len(alerts), 5)
        for alert in alerts:
            name = alert.split()[0]
            self.assertIn(f"docs/dashboards.md#{name.lower()}:", alert)
            self.assertIn(f"### {name}\n", manual)
            self.assertRegex(alert, r"\n        for: \d+m\n")
            self.assertIn("summary:", alert)
            self.assertIn(f"alertname: {name}\n", tested)


class Lint(unittest.TestCase):
    """Rules of grafana/dashboard-linter by their names there, and ours."""

    def each_panel(self) -> list[tuple[str, dict[str, Any]]]:
        return [(path.name, panel) for path in grafana.DASHBOARDS for panel in grafana.panels(grafana.load(path))]

    def test_uneditable_dashboard_schema_and_uid(self) -> None:
        uids = set()
        for path in grafana.DASHBOARDS:
            dashboard = grafana.load(path)
            self.assertIs(dashboard["editable"], False)
            self.assertEqual(dashboard["schemaVersion"], 39)
            self.assertEqual(dashboard["uid"], path.stem)
            self.assertNotIn("__inputs", dashboard, "breaks provisioning by file")
            self.assertNotIn("id", dashboard)
            uids.add(dashboard["uid"])
            ids = [panel["id"] for panel in dashboard["panels"]]
            self.assertEqual(len(ids), len(set(ids)), "panel-ids are unique")
        self.assertEqual(len(uids), 2)

    def test_template_datasource_job_instance_label_promql_and_on_time_change_reload(self) -> None:
        for path in grafana.DASHBOARDS:
            source, *others = grafana.load(path)["templating"]["list"]
            self.assertEqual(
                (source["name"], source["type"], source["query"]), ("datasource", "datasource", "prometheus")
            )
            self.assertEqual(source["label"], "Data source")
            self.assertEqual([variable["name"] for variable in others][:2], ["job", "instance"])
            for variable in others:
                self.assertEqual(variable["label"], variable["name"].capitalize())
                self.assertEqual(variable["datasource"]["uid"], "$datasource")
                self.assertEqual(variable["refresh"], 2, "on a change of the time range")
                self.assertTrue(variable["multi"] and variable["includeAll"])
                self.assertEqual(variable["allValue"], ".+")
                self.assertRegex(variable["query"]["query"], r"^label_values\(weir_\w+(\{[^}]*\})?, \w+\)$")

    def test_panel_title_description_datasource_units_and_targets(self) -> None:
        for name, panel in self.each_panel():
            with self.subTest(dashboard=name, panel=panel["title"]):
                self.assertTrue(panel["title"])
                self.assertTrue(panel["description"])
                self.assertEqual(panel["datasource"], {"type": "prometheus", "uid": "$datasource"})
                self.assertTrue(panel["fieldConfig"]["defaults"]["unit"])
                self.assertTrue(panel["targets"])
                refs = [target["refId"] for target in panel["targets"]]
                self.assertEqual(len(refs), len(set(refs)))
                for target in panel["targets"]:
                    self.assertEqual(target["datasource"], panel["datasource"])

    def test_panels_do_not_overlap(self) -> None:
        for path in grafana.DASHBOARDS:
            taken: set[tuple[int, int]] = set()
            for panel in grafana.load(path)["panels"]:
                at = panel["gridPos"]
                self.assertLessEqual(at["x"] + at["w"], 24)
                cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
                self.assertFalse(cells & taken, panel["title"])
                taken |= cells

    def test_target_job_instance_rate_interval_and_counter_aggregation(self) -> None:
        for name, panel in self.each_panel():
            for target in panel["targets"]:
                query = target["expr"]
                with self.subTest(dashboard=name, panel=panel["title"], query=query):
                    selectors = re.findall(r"\b(?:weir|process)_\w+\{([^}]*)\}|\bup\{([^}]*)\}", query)
                    self.assertTrue(selectors)
                    for selector in map("".join, selectors):
                        self.assertIn('job=~"$job"', selector)
                        self.assertIn('instance=~"$instance"', selector)
                    for window in re.findall(r"\brate\([^\[]*\[([^\]]*)\]", query):
                        self.assertEqual(window, "$__rate_interval")
                    counters = re.findall(r"\w+_(?:total|bucket|sum|count)\{", query)
                    self.assertEqual(len(counters), len(re.findall(r"\b(?:rate|increase)\(", query)))


if __name__ == "__main__":
    unittest.main()
