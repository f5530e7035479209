// The status page: loads the state, follows /v1/events, and asks again now and then for what no event tells.
import { clock, listen, load, Unreachable } from "./client.js";
import { Chart } from "./chart.js";
import { byId, setAttribute, setText } from "./dom.js";
import { count, money, moment } from "./format.js";
import { isGone, LimitList } from "./limits.js";
import { health } from "./health.js";
import { Calls, Denials, Observations, Refusals } from "./lists.js";

const POLL_MS = 5000; // while there is no stream
const REFRESH_MS = 30_000; // while there is one: forecasts, and whatever was missed
const SLOW_MS = 10_000; // usage, health
const DRAW_MS = 400; // lists are drawn no more often

const limits = new LimitList();
const denials = new Denials();
const refusals = new Refusals();
const observations = new Observations();
const calls = new Calls(attempt);
const chart = new Chart(attempt);

let streaming = false;
let reachedAt = 0; // when the daemon last answered, by its clock
let problem = "";
let callsMissed = false;

async function loadLimits() {
  const sent = performance.now();
  const quota = await load("/v1/quota");
  clock.set(quota.as_of, sent, performance.now());
  limits.replace(quota.limits.filter((limit) => !isGone(limit)));
}

async function loadCalls() {
  const [recent, refused] = await Promise.all([load("/v1/calls?limit=100"), load("/v1/calls?status=429&limit=20")]);
  calls.replace(recent);
  for (const call of [...recent.calls, ...refused.calls]) refusals.add(call);
}

/** Runs what only the daemon's own token opens; with a consumer's, that section is not there. */
async function ifAllowed(title, work) {
  const section = byId(title).closest("section");
  try {
    await work();
    section.hidden = false;
  } catch (error) {
    if (error.status !== 403) throw error;
    section.hidden = true;
  }
}

const loadObservations = () =>
  ifAllowed("observations-title", async () => observations.replace((await load("/v1/observations")).observations));
const loadHealth = () => ifAllowed("health-title", () => health(denials));

async function loadToday() {
  const midnight = new Date(clock.now()).setHours(0, 0, 0, 0);
  const { rows } = await load(`/v1/usage?bucket=none&by=project&since=${new Date(midnight).toISOString()}`);
  const sum = (key) => rows.reduce((total, row) => total + row[key], 0);
  setText(
    byId("brief"),
    `Today ${count(sum("calls"))} calls, ${count(sum("total_tokens"))} tokens, ${money(sum("cost_usd"))}, ${count(sum("denied"))} denied`,
  );
}

/** Runs what asks the daemon; says so if it does not answer. */
async function attempt(...works) {
  const results = await Promise.allSettled(works.map((work) => work()));
  const failed = results.filter((result) => result.status === "rejected").map((result) => result.reason);
  const away = failed.find((error) => error instanceof Unreachable);
  if (!away) reachedAt = clock.now();
  problem = away ? "away" : (failed[0]?.message ?? "");
  showConnection();
  drawLists();
}

function showConnection() {
  const element = byId("connection");
  if (problem === "away") {
    setText(
      element,
      reachedAt
        ? `The daemon does not answer; this is of ${moment(reachedAt, clock.now())}`
        : "The daemon does not answer",
    );
    setAttribute(element, "data-state", "lost");
  } else if (problem) {
    setText(element, problem);
    setAttribute(element, "data-state", "lost");
  } else {
    setText(element, streaming ? "Live" : "Asking every 5 s");
    setAttribute(element, "data-state", streaming ? "live" : "wait");
  }
}

let drawing = 0;
function drawLists() {
  drawing ||= setTimeout(() => {
    drawing = 0;
    denials.draw();
    observations.draw();
    refusals.draw([...observations.seen.values()]);
    calls.draw();
  }, DRAW_MS);
}

const loadAll = () =>
  attempt(
    loadLimits,
    loadObservations,
    loadCalls,
    loadToday,
    () => chart.refresh(),
    loadHealth,
  );

function onEvent(type, data) {
  switch (type) {
    case "limit":
      return limits.put(data);
    case "denial":
      denials.add(data);
      break;
    case "settlement":
      refusals.add(data);
      calls.put(data);
      break;
    case "admission":
      calls.put(data);
      break;
    case "observation":
      observations.put(data);
      break;
    case "omitted":
      callsMissed = true;
      break;
    case "reset":
      loadAll();
      break;
  }
  drawLists();
}

function onState(state, detail) {
  streaming = state === "live";
  if (streaming && (detail || problem)) loadAll();
  else if (!streaming && !detail?.status) attempt(loadLimits); // ended, broken off or silent: is the daemon there?
  showConnection();
}

await loadAll();
listen(onEvent, onState);

/** Not while the last time is still under way: a daemon that hangs would be asked more and more. */
function every(ms, work) {
  let running = false;
  setInterval(async () => {
    if (running) return;
    running = true;
    try {
      await work();
    } finally {
      running = false;
    }
  }, ms);
}

every(POLL_MS, () => (!streaming || problem === "away") && attempt(loadLimits, loadObservations, loadCalls));
every(REFRESH_MS, () => streaming && attempt(loadLimits));
every(SLOW_MS, () => {
  if (document.hidden || problem === "away") return;
  const missed = callsMissed;
  callsMissed = false;
  return attempt(
    loadToday,
    () => chart.refresh(),
    loadHealth,
    ...(missed ? [loadCalls] : []),
  );
});
setInterval(() => observations.tick(), 1000);
