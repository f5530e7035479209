// What happened: denials, upstream's refusals, what was learned, single calls.
import { byId, h, reconcile, setAttribute, setText } from "./dom.js";
import { clock, load, request } from "./client.js";
import { count, duration, localTimes, money, moment, observation, status } from "./format.js";

const KEPT = 300; // calls and denials, of each; the oldest go
const SHOWN = 6; // of denials and refusals
const CALLS_SHOWN = 100;

const newestFirst = (key) => (a, b) => (a[key] < b[key] ? 1 : -1);

/** A list entry {key, head, text, at}: a headline, what it says, and when. */
function entry() {
  const strong = h("strong");
  const time = h("time");
  const words = h("p");
  return {
    element: h("li", {}, h("div", {}, strong, time), words),
    update({ head, text, at }) {
      setText(strong, head);
      setText(words, text);
      setText(time, moment(Date.parse(at), clock.now()));
      setAttribute(time, "datetime", at);
    },
  };
}

/** reconcile(), and a word in the place of nothing. */
function fill(list, nodes, items, keyOf, make, none) {
  const empty = list.querySelector(".empty");
  if (items.length > 0) empty?.remove();
  reconcile(list, nodes, items, keyOf, make);
  if (items.length === 0 && !empty) list.append(h("li", { class: "empty" }, none));
}

const byKey = ({ key }) => key;

export class Denials {
  #seen = [];
  #nodes = new Map();
  #totals = [];

  add(denial) {
    this.#seen.unshift(denial);
    this.#seen.length = Math.min(this.#seen.length, KEPT);
  }

  /** [limit, count] since the daemon was started, from its metrics. */
  totals(totals) {
    this.#totals = totals.sort((a, b) => b[1] - a[1]);
  }

  draw() {
    const words = this.#totals
      .slice(0, 4)
      .map(([limit, n]) => `${count(n)} by ${limit || "the order of those who wait"}`);
    const more = this.#totals.length > 4 ? `, and ${this.#totals.length - 4} more limits` : "";
    setText(
      byId("denial-totals"),
      words.length > 0 ? `Since the daemon's start: ${words.join(", ")}${more}.` : "Since the daemon's start: none.",
    );
    // A crowd is denied again and again for the same reason: said once, with how often.
    const groups = new Map();
    for (const denial of this.#seen) {
      const key = `${denial.project}\n${denial.model}\n${denial.consumer}\n${denial.decision}\n${denial.limits[0] ?? ""}`;
      const group = groups.get(key);
      if (group) ++group.times;
      else groups.set(key, { newest: denial, times: 1 });
    }
    fill(
      byId("denials"),
      this.#nodes,
      [...groups].slice(0, SHOWN).map(([key, { newest, times }]) => {
        const how =
          newest.decision === "timed_out"
            ? "waited in vain"
            : newest.decision === "never_fits"
              ? "never fits"
              : "denied";
        const often = times > 1 ? `, ${count(times)} times` : "";
        return {
          key,
          head: `${newest.consumer}: ${newest.model} ${how}${often}`,
          text: localTimes(newest.detail, clock.now()),
          at: newest.at,
        };
      }),
      byKey,
      entry,
      "No call was denied since this page was opened.",
    );
  }
}

export class Refusals {
  #seen = new Map();
  #nodes = new Map();

  add(call) {
    if (call.status === null || call.status < 400) return;
    this.#seen.set(call.call_id, call);
    if (this.#seen.size <= KEPT) return;
    const oldest = [...this.#seen.values()].sort(newestFirst("settled_at")).pop();
    this.#seen.delete(oldest.call_id);
  }

  draw(learned) {
    const calls = [...this.#seen.values()].sort(newestFirst("settled_at")).slice(0, SHOWN);
    fill(
      byId("refusals"),
      this.#nodes,
      calls.map((call) => {
        // Its own words are kept with what was learned from it.
        const heard = learned.find(
          (seen) =>
            seen.model === call.model &&
            seen.project === call.project &&
            Math.abs(Date.parse(seen.seen_at) - Date.parse(call.settled_at)) < 2000,
        );
        const text = heard ? `${observation(heard)}. “${heard.evidence}”` : `consumer ${call.consumer}`;
        return { key: call.call_id, head: `${call.model}: ${status(call.status)}`, text, at: call.settled_at };
      }),
      byKey,
      entry,
      "The provider has served every call of late.",
    );
  }
}

export class Observations {
  seen = new Map();
  #nodes = new Map();

  replace(list) {
    this.seen = new Map(list.map((seen) => [seen.id, seen]));
  }

  put(seen) {
    if (seen.forgotten) this.seen.delete(seen.id);
    else this.seen.set(seen.id, seen);
  }

  draw() {
    fill(
      byId("observations"),
      this.#nodes,
      [...this.seen.values()].sort(newestFirst("seen_at")),
      (seen) => seen.id,
      (seen) => this.#item(seen),
      "Nothing: no answer has taught anything that still holds.",
    );
  }

  tick() {
    for (const node of this.#nodes.values()) node.tick();
  }

  #item(seen) {
    const what = h("strong");
    const until = h("span");
    const words = h("p");
    const button = h("button", { type: "button", click: () => this.#forget(seen, button) }, "Forget");
    let shown = seen;
    const node = {
      element: h("li", { class: "learned" }, h("div", {}, what, until, button), words),
      update(is) {
        shown = is;
        setText(what, observation(is));
        setText(words, is.evidence ? `“${is.evidence}”` : "");
        setAttribute(button, "aria-label", `Forget that ${observation(is)}`);
        this.tick();
      },
      tick() {
        const now = clock.now();
        const probe =
          shown.probe_at && Date.parse(shown.probe_at) > now
            ? `; asks again in ${duration((Date.parse(shown.probe_at) - now) / 1000)}`
            : "";
        setText(
          until,
          `${shown.model && `for ${shown.model} `}in ${shown.project}, another ${duration((Date.parse(shown.until) - now) / 1000)}${probe}`,
        );
      },
    };
    return node;
  }

  async #forget(seen, button) {
    button.disabled = true;
    const next = button.closest("li").nextElementSibling ?? button.closest("li").previousElementSibling;
    try {
      await request(`/v1/observations/${seen.id}`, { method: "DELETE" });
    } catch (error) {
      if (error.status !== 404) {
        button.disabled = false;
        return setText(byId("forgotten"), `Not forgotten: ${error.message}.`);
      }
    }
    this.seen.delete(seen.id);
    this.draw();
    setText(byId("forgotten"), `Forgotten: ${observation(seen)}.`);
    (next?.querySelector("button") ?? byId("observations-title")).focus();
  }
}

/** The newest calls without a gap, down to the one before which the cursor leads on. */
export class Calls {
  #calls = new Map();
  #nodes = new Map();
  #cursor = null; // null: there are no older calls
  #newest = ""; // of the last load; what only events told may have gaps
  #limit = CALLS_SHOWN;

  constructor(attempt) {
    byId("call-filter").addEventListener("input", () => this.draw());
    byId("older").addEventListener("click", () => attempt(() => this.#older()));
  }

  /** The newest page. Where it does not reach down to the last one, calls are missing between them: the list begins anew. */
  replace(page) {
    const newest = page.calls[0]?.call_id ?? "";
    const oldest = page.calls.at(-1)?.call_id ?? "";
    if (!this.#newest || !page.next_cursor || oldest > this.#newest) {
      for (const id of this.#calls.keys()) if (id < oldest) this.#calls.delete(id);
      this.#cursor = page.next_cursor;
      this.#limit = CALLS_SHOWN;
    }
    this.#newest = newest;
    for (const call of page.calls) this.put(call);
  }

  put(call) {
    // An answer that was under way while the call was settled is older than the event.
    if (call.state === "open" && (this.#calls.get(call.call_id)?.state ?? "open") !== "open") return;
    this.#calls.set(call.call_id, call);
  }

  async #older() {
    const button = byId("older");
    const focused = document.activeElement === button;
    button.disabled = true;
    this.#limit += CALLS_SHOWN; // at once: newer calls do not push out what the page that is asked for continues
    try {
      const cursor = this.#cursor;
      if (!cursor || this.#calls.size >= this.#limit) return;
      const page = await load(`/v1/calls?limit=${CALLS_SHOWN}&cursor=${cursor}`);
      if (this.#cursor !== cursor) return; // the list has begun anew meanwhile
      for (const call of page.calls) this.put(call);
      this.#cursor = page.next_cursor;
    } finally {
      button.disabled = false;
      this.draw();
      if (focused) button.focus();
    }
  }

  draw() {
    const words = byId("call-filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const all = [...this.#calls.values()].sort(newestFirst("call_id"));
    for (const call of all.splice(Math.max(KEPT, this.#limit))) {
      this.#calls.delete(call.call_id);
      this.#cursor = all.at(-1).call_id;
    }
    const matching = all.filter((call) => {
      const text =
        `${call.project} ${call.model} ${call.consumer} ${call.state} ${call.status ?? ""} ${call.call_id}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
    const body = byId("calls");
    for (const none of body.querySelectorAll(".empty")) none.remove();
    reconcile(body, this.#nodes, matching.slice(0, this.#limit), (call) => call.call_id, callRow);
    if (matching.length === 0)
      body.append(
        h(
          "tr",
          { class: "empty" },
          h("td", { colspan: 8 }, all.length === 0 ? "No calls yet." : "No call that is loaded matches."),
        ),
      );
    byId("older").hidden = !this.#cursor && matching.length <= this.#limit;
  }
}

function callRow() {
  const cells = Array.from({ length: 8 }, (_, i) => h("td", { class: i > 3 ? "number" : i === 1 || i === 2 ? "cut" : null }));
  const [at, model, consumer, state, input, output, cost, took] = cells;
  const element = h("tr", {}, ...cells);
  return {
    element,
    update(call) {
      const failed = call.status >= 400;
      setText(at, moment(Date.parse(call.admitted_at), clock.now()));
      for (const [cell, name] of [
        [model, call.model],
        [consumer, call.consumer],
      ]) {
        setText(cell, name);
        setAttribute(cell, "title", name);
      }
      setText(state, failed ? status(call.status) : call.state);
      setAttribute(element, "data-state", failed ? "failed" : call.state);
      const open = call.state === "open";
      const known = !open && call.state !== "cancelled";
      const { input_tokens, output_tokens, thoughts_tokens, tool_use_tokens } = call.usage;
      setText(input, known ? count(input_tokens + tool_use_tokens) : "");
      setText(output, known ? count(output_tokens + thoughts_tokens) : "");
      setText(cost, known ? money(call.cost_usd) : "");
      setText(took, call.latency_s === null ? "" : `${call.latency_s.toFixed(1)}s`);
    },
  };
}
