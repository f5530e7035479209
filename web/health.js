// How the daemon and its ledger are, from its metrics.
import { byId, h, setText } from "./dom.js";
import { clock, load } from "./client.js";
import { count, duration } from "./format.js";

const SAMPLE = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;

/** Prometheus' text, as {name: [[labels, value], …]}. */
function readMetrics(text) {
  const metrics = {};
  for (const line of text.split("\n")) {
    const match = SAMPLE.exec(line);
    if (!match) continue;
    const labels = Object.fromEntries(
      [...(match[2] ?? "").matchAll(LABEL)].map(([, name, value]) => [name, value.replace(/\\(.)/g, "$1")]),
    );
    (metrics[match[1]] ??= []).push([labels, Number(match[3])]);
  }
  return metrics;
}

/** What the daemon tells of itself; gives the denials by limit to `denials`. */
export async function health(denials) {
  const metrics = readMetrics(await load("/metrics", "text"));
  const value = (name) => metrics[name]?.reduce((sum, [, value]) => sum + value, 0) ?? 0;

  const denied = new Map();
  for (const [labels, n] of metrics.weir_admissions_total ?? [])
    if (n > 0 && (labels.decision === "denied" || labels.decision === "timed_out"))
      denied.set(labels.limit, (denied.get(labels.limit) ?? 0) + n);
  denials.totals([...denied]);

  const commits = value("weir_ledger_commit_seconds_count");
  const mean = commits > 0 ? (1000 * value("weir_ledger_commit_seconds_sum")) / commits : 0;
  const backlog = value("weir_ledger_backlog");
  const failures = value("weir_ledger_failures_total");
  const up = clock.now() / 1000 - value("process_start_time_seconds");
  const over = value("weir_over_admissions_total");
  const facts = [
    [
      "Ledger",
      backlog > 1000 ? "behind" : failures > 0 ? "writes, after failures" : "writes",
      failures > 0 ? "near" : "room",
    ],
    ["Commits", commits > 0 ? `${count(commits)}, ${mean.toFixed(mean < 10 ? 1 : 0)} ms on average` : "none yet"],
    ["Failed commits", count(failures), failures > 0 ? "near" : null],
    ["Not yet written", `${count(backlog)} records`],
    ["Waiting calls", count(value("weir_queue_waiting"))],
    ["Refused beyond our count", count(over), over > 0 ? "near" : null],
    ["Memory", `${(value("process_resident_memory_bytes") / 1e6).toFixed(1)} MB`],
    ["Up for", duration(up)],
  ];
  byId("health").replaceChildren(
    ...facts.map(([name, text, state]) => h("div", { "data-state": state }, h("dt", {}, name), h("dd", {}, text))),
  );
  const build = metrics.weir_build_info?.[0]?.[0];
  if (build) setText(byId("version"), `weir ${build.version} (${build.revision.slice(0, 7)})`);
}
