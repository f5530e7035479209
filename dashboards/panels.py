"""Reads the dashboards and asks Prometheus as Grafana does. Standard library only."""

from __future__ import annotations

import json
import math
import pathlib
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
DASHBOARDS = sorted(HERE.glob("weir-*.json"))


def load(path: pathlib.Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def panels(dashboard: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that show something: no rows."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def expression(query: str, scrape_interval_s: float, step_s: float = 0) -> str:
    """The query as Grafana sends it with "All" chosen in each variable."""
    interval = max(step_s, scrape_interval_s)
    query = query.replace("$__rate_interval", f"{math.ceil(max(4 * scrape_interval_s, interval + scrape_interval_s))}s")
    query = re.sub(r"\$(job|instance|project)\b", ".+", query)
    if "$" in query:
        raise ValueError(f"a variable that is not known: {query}")
    return query


def ask(prometheus: str, path: str, **parameters: Any) -> Any:
    """The data of an answer of Prometheus' API; throws with its message if it refuses the query."""
    request = urllib.request.Request(f"{prometheus}/api/v1/{path}", urllib.parse.urlencode(parameters).encode())
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)["data"]
    except urllib.error.HTTPError as error:
        if error.code == 503:  # it is starting
            raise
        raise ValueError(f"{parameters}: {error.read().decode()}") from None


def series(prometheus: str, query: str, begin: float, end: float, step_s: float) -> list[tuple[dict[str, str], Any]]:
    """Labels and [(time, value)] of each series, without NaN and infinities."""
    data = ask(prometheus, "query_range", query=query, start=begin, end=end, step=step_s)
    made = []
    for one in data["result"]:
        points = [(at, float(value)) for at, value in one["values"]]
        points = [point for point in points if math.isfinite(point[1])]
        if points:
            made.append((one["metric"], points))
    return made


def legend(target: dict[str, Any], labels: dict[str, str]) -> str:
    return re.sub(r"\{\{\s*(\w+)\s*\}\}", lambda name: labels.get(name[1], ""), target["legendFormat"])
