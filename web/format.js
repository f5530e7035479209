// Numbers, durations and the provider's facts, as people read them. Pure functions.

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 2 });

/** 1,234 up to five digits, then 12.3K. */
export function count(value) {
  return Math.abs(value) < 10_000 ? grouped.format(value) : compact.format(value);
}

export function money(usd) {
  if (usd === 0) return "$0";
  if (usd < 0.01) return "$" + usd.toFixed(4);
  return usd < 1000 ? "$" + usd.toFixed(2) : "$" + compact.format(usd);
}

export function amount(value, metric) {
  return metric === "cost_usd" ? money(value) : count(value);
}

/** 42s, 1m 05s, 3h 12m, 2d 4h. Rounded up: nothing is said to be there before it is. */
export function duration(seconds) {
  const s = Math.max(0, Math.ceil(seconds));
  const two = (n) => String(n).padStart(2, "0");
  if (s < 60) return `${s}s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
  if (s < 86_400) return `${Math.floor(s / 3600)}h ${two(Math.floor((s % 3600) / 60))}m`;
  return `${Math.floor(s / 86_400)}d ${Math.floor((s % 86_400) / 3600)}h`;
}

const clock = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});
const hourMinute = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const dayClock = new Intl.DateTimeFormat(undefined, {
  day: "numeric",
  month: "short",
  hour: "2-digit",
  minute: "2-digit",
  hourCycle: "h23",
});
const dayOnly = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export const day = (ms) => dayOnly.format(ms);
export const hour = (ms) => hourMinute.format(ms);

/** The time of day if it is within half a day of `now`, else with the date. */
export function moment(ms, now) {
  return Math.abs(ms - now) < 43_200_000 ? clock.format(ms) : dayClock.format(ms);
}

/** The daemon writes UTC into its sentences; a page is read by the clock on the wall. */
export function localTimes(text, now) {
  return text.replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, (utc) => moment(Date.parse(utc), now));
}

const METRICS = {
  requests: "requests",
  input_tokens: "input tokens",
  output_tokens: "output tokens",
  total_tokens: "tokens",
  images: "images",
  cost_usd: "US dollars",
  in_flight: "calls in flight",
};

/** "requests per day", "input tokens per 60s", "calls in flight". */
export function measure(limit) {
  const metric = METRICS[limit.metric] ?? limit.metric;
  if (limit.metric === "in_flight") return metric;
  return `${metric} per ${limit.window === "60s" ? "minute" : limit.window}`;
}

/** Where a limit's amount comes from: in a word, its date, and in a sentence. */
export function provenance(limit) {
  if (limit.source === "observed") return ["observed", "", "learned from an answer of the provider"];
  if (limit.source === "config") return ["configured", "", "written in the configuration"];
  const date = limit.published ?? "";
  if (limit.assumed) return ["assumed", date, "no table lists this model: the strictest limits of its tier were taken"];
  return ["published", date, `published by the provider, in the catalog's table of ${date || "an unknown date"}`];
}

const OBSERVED = {
  exhausted: "is used up",
  reopened: "began anew before its time",
  off: "is not available to this project",
  amount: "really allows",
  explored: "let through more than is published:",
  model_name: "is upstream's name of the model",
  cool_down: "rests: a refusal named no limit",
  spend: "rests: money was spent too fast",
  credits: "rests: the credits are used up",
};

/** "gemini-2.5-flash/requests/day is used up". */
export function observation(seen) {
  const says = OBSERVED[seen.kind] ?? seen.kind;
  const number =
    (seen.kind === "amount" || seen.kind === "explored") && seen.amount !== null ? ` ${count(seen.amount)}` : "";
  return `${seen.limit || seen.model} ${says}${number}`;
}

const STATUSES = {
  400: "bad request",
  401: "key not accepted",
  402: "no credit left",
  403: "not allowed for this key",
  404: "no such model or path",
  413: "request too large",
  429: "quota or rate exceeded",
  499: "the caller left before the answer",
  500: "error at the provider",
  502: "the provider could not be reached",
  503: "overloaded",
  504: "no answer in time",
};

export function status(code) {
  return `${code} ${STATUSES[code] ?? (code >= 500 ? "error at the provider" : "refused")}`;
}
