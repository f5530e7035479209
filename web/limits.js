// The limits: one row each, nearest to its limit first.
import { amount, count, duration, measure, moment, provenance } from "./format.js";
import { byId, h, reconcile, setAttribute, setText } from "./dom.js";
import { clock } from "./client.js";

const AT_FIRST = 15; // rows; a button shows the others
const NEAR = 0.8;
const SETTLE_MS = 2000; // rows change places no more often, and not under the pointer or the focus

const GATE = /\/(cool_down|spend|credits)$/;

export const keyOf = (limit) => `${limit.project}\n${limit.limit}\n${limit.consumer ?? ""}`;

/** How much of it is gone, 0 to 1 and beyond; 2 if the provider said that nothing is left. */
export function nearness(limit) {
  if (limit.exhausted_until) return 2;
  if (limit.amount === 0) return limit.used + limit.held > 0 ? 1 : 0;
  return (limit.used + limit.held) / limit.amount;
}

export function stateOf(limit) {
  const near = nearness(limit);
  return near >= 1 ? "full" : near >= NEAR ? "near" : "room";
}

const isUnused = (limit) => nearness(limit) === 0 && limit.waiting === 0;
/** A rest that is over: listed no more. */
export const isGone = (limit) => GATE.test(limit.limit) && !limit.exhausted_until;

function row() {
  const name = h("span", { class: "name" });
  const what = h("small");
  const used = h("i", { class: "used" });
  const elsewhere = h("i", { class: "elsewhere" });
  const held = h("i", { class: "held" });
  const bar = h("div", { class: "meter", role: "meter", "aria-valuemin": 0 }, used, elsewhere, held);
  const detail = h("small");
  const left = h("strong");
  const of = h("small");
  const resets = h("strong");
  const at = h("small");
  const forecast = h("strong");
  const pace = h("small");
  const source = h("span", { class: "chip" });
  const dated = h("small");
  const element = h(
    "li",
    { class: "limit" },
    h("div", { class: "what" }, name, what),
    h("div", { class: "in-use" }, bar, detail),
    h("div", { class: "left" }, left, " ", of),
    h("div", { class: "resets" }, resets, " ", at),
    h("div", { class: "forecast" }, forecast, " ", pace),
    h("div", { class: "source" }, source, " ", dated),
  );

  const width = (part, value, whole) => {
    const share = whole > 0 ? Math.min(100, (100 * value) / whole) : 0;
    part.style.width = share > 0 ? `max(${share.toFixed(2)}%, 2px)` : "0";
  };

  return {
    element,
    update(is) {
      const gate = GATE.test(is.limit);
      const own = Math.max(0, is.used - is.used_elsewhere);
      setText(name, is.models.join(", ") === "*" ? "all models" : is.models.join(", "));
      setText(
        what,
        [
          gate ? "everything rests" : measure(is),
          is.consumer && `consumer ${is.consumer}`,
          is.project !== "default" && `project ${is.project}`,
          !is.enforced && "only counted",
        ]
          .filter(Boolean)
          .join(" · "),
      );
      setAttribute(element, "data-state", stateOf(is));
      setAttribute(element, "data-limit", is.limit);
      width(used, own, is.amount);
      width(elsewhere, is.used_elsewhere, is.amount);
      width(held, is.held, is.amount);
      const parts = [
        `${amount(own, is.metric)} used`,
        is.held > 0 && `${amount(is.held, is.metric)} held`,
        is.used_elsewhere > 0 && `${amount(is.used_elsewhere, is.metric)} used elsewhere`,
        is.waiting > 0 && `${count(is.waiting)} waiting`,
      ].filter(Boolean);
      setText(detail, gate ? "" : parts.join(" · "));
      bar.hidden = gate;
      setAttribute(bar, "aria-valuemax", is.amount);
      setAttribute(bar, "aria-valuenow", Math.min(is.used + is.held, is.amount));
      setAttribute(bar, "aria-label", `${is.limit} in project ${is.project}`);
      setAttribute(
        bar,
        "aria-valuetext",
        `${parts.join(", ")}; ${amount(is.remaining, is.metric)} left of ${amount(is.amount, is.metric)}`,
      );
      setText(left, is.exhausted_until ? "used up" : amount(is.remaining, is.metric));
      setText(of, gate ? "" : is.exhausted_until ? "says the provider" : `of ${amount(is.amount, is.metric)}`);
      setAttribute(of, "data-of", gate || is.exhausted_until ? null : "");
      const [word, date, sentence] = provenance(is);
      setText(source, word);
      setAttribute(source, "title", sentence);
      setAttribute(source, "data-source", word);
      setText(dated, date);
      const now = clock.now();
      const until = is.exhausted_until ?? is.resets_at;
      setText(resets, until ? `in ${duration((Date.parse(until) - now) / 1000)}` : "–");
      setText(
        at,
        until
          ? moment(Date.parse(until), now)
          : is.metric === "in_flight" || is.held > 0
            ? "as calls end"
            : "nothing to free",
      );
      const [says, urgent] = prediction(is, now);
      setText(forecast, says);
      setAttribute(forecast, "data-urgent", urgent ? "" : null);
      const known = typeof is.pace_per_hour === "number";
      setText(pace, known ? `${amount(is.pace_per_hour, is.metric)} an hour` : "");
    },
  };
}

/** The forecast in words, and whether it is bad news. Unknown stays unknown. */
function prediction(limit, now) {
  switch (limit.forecast) {
    case "runs_out":
      return [`runs out in ${duration((Date.parse(limit.exhausts_at) - now) / 1000)}`, true];
    case "lasts":
      return [limit.resets_at && limit.time_zone ? "lasts to the reset" : "lasts", false];
    case "exhausted":
    case "none":
      return ["", false];
    default:
      return ["unknown", false];
  }
}

export class LimitList {
  limits = new Map();
  #nodes = new Map();
  #unusedNodes = new Map();
  #order = [];
  #orderedAt = -Infinity;
  #orderFor = "";
  #all = false;
  #rows = byId("limit-rows");
  #unused = byId("unused");
  #frame = 0;
  #loaded = false;
  #unfolded = false; // by the search, not by the user

  constructor() {
    byId("search").addEventListener("input", () => this.#search());
    byId("project").addEventListener("change", () => this.draw());
    byId("more-limits").addEventListener("click", () => {
      this.#all = true;
      this.draw();
    });
    this.#unused.addEventListener("toggle", () => this.draw());
    setInterval(() => {
      this.#headline(); // a tab in the background has no frames, but a title
      this.draw();
    }, 1000);
  }

  replace(limits) {
    this.limits = new Map(limits.map((limit) => [keyOf(limit), limit]));
    this.#loaded = true;
    this.#projects();
    this.draw();
  }

  put(limit) {
    if (isGone(limit)) this.limits.delete(keyOf(limit));
    else this.limits.set(keyOf(limit), limit);
    this.draw();
  }

  /** At the next frame, once however much has changed. */
  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  #projects() {
    const select = byId("project");
    const names = [...new Set([...this.limits.values()].map((limit) => limit.project))].sort();
    if (
      names.join("\n") ===
      [...select.options]
        .slice(1)
        .map((option) => option.value)
        .join("\n")
    )
      return;
    const chosen = select.value;
    select.replaceChildren(h("option", { value: "" }, "all"), ...names.map((name) => h("option", {}, name)));
    select.value = names.includes(chosen) ? chosen : "";
    select.parentElement.hidden = names.length < 2;
  }

  /** Opens the fold where it holds all that is found, until something else is searched for. */
  #search() {
    const found = byId("search").value.trim() ? this.#wanted() : [];
    const folded = found.length > 0 && found.every(isUnused);
    if (folded !== this.#unfolded && this.#unused.open !== folded) {
      this.#unused.open = folded;
      this.#unfolded = folded;
    }
    this.draw();
  }

  #inProject() {
    const project = byId("project").value;
    return [...this.limits.values()].filter((limit) => !project || limit.project === project);
  }

  #wanted() {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    return this.#inProject().filter((limit) => {
      const text =
        `${limit.project} ${limit.limit} ${measure(limit)} ${limit.consumer ?? ""} ${limit.source}`.toLowerCase();
      return words.every((word) => text.includes(word));
    });
  }

  /** The order stands still for a moment, and while somebody points at a row or has the focus in one. */
  #sorted(used) {
    const question = `${byId("project").value}\n${byId("search").value}`;
    const busy = this.#rows.matches(":hover") || this.#rows.contains(document.activeElement);
    const position = new Map(this.#order.map((key, index) => [key, index]));
    const fresh = used.some((limit) => !position.has(keyOf(limit)));
    const due = performance.now() - this.#orderedAt > SETTLE_MS && !busy;
    if (fresh || due || question !== this.#orderFor) {
      used.sort((a, b) => nearness(b) - nearness(a) || b.waiting - a.waiting || (a.limit < b.limit ? -1 : 1));
      this.#order = used.map(keyOf);
      this.#orderedAt = performance.now();
      this.#orderFor = question;
    } else {
      used.sort((a, b) => position.get(keyOf(a)) - position.get(keyOf(b)));
    }
    return used;
  }

  #draw() {
    const wanted = this.#wanted();
    const used = this.#sorted(wanted.filter((limit) => !isUnused(limit)));
    const unused = wanted.filter(isUnused).sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
    const first = this.#all ? used : used.slice(0, AT_FIRST);
    reconcile(this.#rows, this.#nodes, first, keyOf, row);
    const more = byId("more-limits");
    more.hidden = first.length === used.length;
    setText(more, `Show ${used.length - first.length} more in use`);
    this.#unused.hidden = unused.length === 0;
    setText(
      this.#unused.firstElementChild,
      `${unused.length} ${unused.length === 1 ? "limit" : "limits"} with nothing used`,
    );
    reconcile(this.#unused.lastElementChild, this.#unusedNodes, this.#unused.open ? unused : [], keyOf, row);
    const none = byId("no-limits");
    none.hidden = wanted.length > 0 || !this.#loaded;
    setText(none, this.limits.size === 0 ? "No limits: everything is admitted and counted." : "No limit matches.");
    document.querySelector(".limit-head").hidden = first.length === 0;
    this.#headline();
  }

  #headline() {
    if (!this.#loaded) return;
    const all = this.#inProject();
    const full = all.filter((limit) => stateOf(limit) === "full" && limit.enforced);
    const near = all.filter((limit) => stateOf(limit) === "near");
    const closest = all.filter((limit) => !isUnused(limit)).sort((a, b) => nearness(b) - nearness(a))[0];
    let text = all.length === 0 ? "" : "Nothing is in use: every limit has all its room.";
    if (full.length > 0) {
      const resets = full
        .map((limit) => limit.exhausted_until ?? limit.resets_at)
        .filter(Boolean)
        .map(Date.parse);
      const soonest =
        resets.length > 0
          ? `; ${full.length === 1 ? "it" : "the first"} has room again in ${duration((Math.min(...resets) - clock.now()) / 1000)}`
          : "";
      const are = full.length === 1 ? "One limit is" : `${full.length} limits are`;
      const more = near.length > 0 ? ` ${near.length} more above ${NEAR * 100} %.` : "";
      text = `${are} used up${soonest}.${more}`;
    } else if (closest) {
      const share = `${Math.round(100 * nearness(closest))} %`;
      text = `No limit is used up. Closest: ${closest.models.join(", ")}, ${share} of ${amount(closest.amount, closest.metric)} ${measure(closest)}.`;
    }
    setText(byId("headline"), text);
    setAttribute(byId("headline"), "data-state", full.length > 0 ? "full" : near.length > 0 ? "near" : "room");
    const title = full.length > 0 ? `(${full.length} used up) Weir` : "Weir";
    if (document.title !== title) document.title = title;
  }
}
