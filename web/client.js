// Talking to the daemon: requests with the token if it wants one, its clock, and the stream of events.
import { byId, setText } from "./dom.js";

const TOKEN = "weir-token"; // in sessionStorage: for this tab, until it is closed
const QUIET_MS = 40_000; // the stream says something every 15 s: longer than this, and it is dead
const TIMEOUT_MS = 10_000; // an answer, but for the stream, is there by then
const RETRY_MS = [1000, 2000, 5000];

export class Unreachable extends Error {}

let asking = null;

/** Asks for the token; one dialog, however many requests need it. */
function askForToken(why) {
  asking ??= new Promise((resolve) => {
    const dialog = byId("token-dialog");
    const input = byId("token");
    if (why) setText(byId("token-why"), why);
    const done = () => {
      const token = input.value.trim();
      if (!token) return dialog.showModal(); // Escape leads nowhere: there is nothing to see without it
      if (!/^[!-~]+$/.test(token)) {
        setText(byId("token-why"), "A token has no blanks and only ASCII characters. Paste it again.");
        return dialog.showModal();
      }
      sessionStorage.setItem(TOKEN, token);
      input.value = "";
      dialog.removeEventListener("close", done);
      asking = null;
      resolve();
    };
    dialog.addEventListener("close", done);
    dialog.showModal();
  });
  return asking;
}

/**
 * fetch(), with the token and, unless there is a `signal`, within TIMEOUT_MS. Waits for the user when the token is missing or
 * wrong. Throws Unreachable, or Error with a `status` for a problem.
 */
export async function request(path, { method = "GET", headers = {}, signal } = {}) {
  for (;;) {
    const token = sessionStorage.getItem(TOKEN);
    const authorization = token ? { Authorization: `Bearer ${token}` } : {};
    let answer;
    try {
      answer = await fetch(path, {
        method,
        headers: { ...headers, ...authorization },
        signal: signal ?? AbortSignal.timeout(TIMEOUT_MS),
        cache: "no-store",
      });
    } catch {
      throw new Unreachable("the daemon does not answer");
    }
    if (answer.status === 401) {
      if (sessionStorage.getItem(TOKEN) === token) sessionStorage.removeItem(TOKEN);
      if (!sessionStorage.getItem(TOKEN))
        await askForToken(token && "That was not the daemon's token. Try again; it is kept for this tab only.");
      continue;
    }
    if (answer.ok) return answer;
    const problem = await answer.json().catch(() => ({}));
    throw Object.assign(new Error(problem.detail ?? `${path}: ${answer.status}`), { status: answer.status });
  }
}

/** The whole body, "json" or "text". */
export async function load(path, as = "json") {
  const answer = await request(path);
  try {
    return await answer[as]();
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    throw new Unreachable("the daemon has not ended its answer");
  }
}

/** The daemon's clock, as its answers tell it; the page's own may be wrong, and may be set meanwhile. */
export const clock = {
  offset: Date.now() - performance.now(),
  known: false,
  now() {
    return performance.now() + this.offset;
  },
  /** `asOf` was true at some moment between the two. */
  set(asOf, sent, received) {
    this.offset = Date.parse(asOf) - (sent + received) / 2;
    this.known = true;
  },
};

/** Calls `onEvent(type, data)` for each event, `onState("live" | "lost", error)` when that changes. Never ends. */
export async function listen(onEvent, onState) {
  let lastId = "";
  let failures = 0;
  for (;;) {
    const abort = new AbortController();
    let watchdog = 0;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => abort.abort(), QUIET_MS);
    };
    try {
      alive();
      const answer = await request("/v1/events", {
        headers: lastId ? { "Last-Event-ID": lastId } : {},
        signal: abort.signal,
      });
      // Without an id of its own, what happened since the page was loaded is unknown: the state is loaded again.
      onState("live", !lastId);
      failures = 0;
      for await (const event of events(answer.body, alive)) {
        if (event.id) lastId = event.id;
        if (event.data) onEvent(event.event, JSON.parse(event.data));
      }
      onState("lost", null);
    } catch (error) {
      onState("lost", error);
    }
    clearTimeout(watchdog);
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(failures++, RETRY_MS.length - 1)]));
  }
}

/** Server-sent events out of a body. EventSource would do this, but cannot send a token. */
async function* events(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    alive();
    text += value;
    const blocks = text.split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      const event = {};
      for (const line of block.split("\n")) {
        const colon = line.indexOf(": ");
        if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 2);
      }
      yield event;
    }
  }
}
