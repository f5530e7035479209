// What was used over time: stacked columns, an SVG of our own. The figures are in a table as well, and under the arrow keys.
import { byId, h, svg } from "./dom.js";
import { clock, load } from "./client.js";
import { amount, day, hour } from "./format.js";

const HOUR = 3_600_000;
const SPANS = { "24h": [24, HOUR, "hour"], "7d": [7, 24 * HOUR, "day"], "30d": [30, 24 * HOUR, "day"] };
const SERIES = 5; // the largest; the others together are one more
const H = 200,
  LEFT = 58,
  RIGHT = 14,
  BOTTOM = 24,
  TOP = 8;
const NARROWEST = 280;

/** A round number, at least `value`. */
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= value * 0.9999);
}

export class Chart {
  #figure = byId("chart");
  #caption = h("figcaption");
  #picture = svg("svg", { tabindex: "0", role: "img", class: "columns" });
  #tip = h("div", { class: "tip", role: "status" });
  #legend = h("ul", { class: "series" });
  #table = h("table");
  #scroll = h("div", { class: "scroll", tabindex: "0", role: "region" }, this.#table);
  #figures = h("details", { class: "figures" }, h("summary", {}, "The same as a table"), this.#scroll);
  #columns = [];
  #selected = null; // the start of the column that is read out
  #tell = () => {};
  #asked = 0;
  #question = ""; // that of what is shown
  #drawn = "";
  #redraw = () => {};
  #width = 0;

  constructor(attempt) {
    for (const id of ["measure", "by", "span"])
      byId(id).addEventListener("change", () => attempt(() => this.refresh()));
    this.#listen();
    // Drawn in the pixels that there are, so that its text is as large as any other.
    new ResizeObserver(([{ contentRect }]) => {
      if (contentRect.width === this.#width) return;
      this.#width = contentRect.width;
      this.#redraw();
    }).observe(this.#figure);
  }

  async refresh() {
    const asked = ++this.#asked;
    const [columns, step, bucket] = SPANS[byId("span").value];
    const now = clock.now();
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const midnight = new Date(now);
    midnight.setHours(0, 0, 0, 0);
    const starts = [];
    for (let i = columns - 1; i >= 0; --i) {
      // Days by the calendar: two of a year have 23 or 25 hours.
      if (bucket === "day") starts.push(new Date(midnight).setDate(midnight.getDate() - i));
      else starts.push(Math.floor(now / step) * step - i * step);
    }
    const query = new URLSearchParams({
      since: new Date(starts[0]).toISOString(),
      by: byId("by").value,
      bucket,
      tz: zone,
    });
    const question = ["measure", "by", "span"].map((id) => byId(id).value).join();
    let rows;
    try {
      ({ rows } = await load(`/v1/usage?${query}`));
    } catch (error) {
      if (asked === this.#asked && question !== this.#question) this.#fail(error);
      throw error;
    }
    if (asked !== this.#asked) return; // another question has been asked meanwhile
    this.#question = question;
    const drawn = JSON.stringify([rows, starts, byId("measure").value, byId("by").value]);
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#redraw = () => this.#draw(starts, rows, bucket);
    this.#redraw();
  }

  #draw(starts, rows, bucket) {
    const measure = byId("measure").value;
    const by = byId("by").value;
    const metric = measure === "cost_usd" ? measure : "";
    const sums = new Map();
    for (const row of rows) sums.set(row[by], (sums.get(row[by]) ?? 0) + row[measure]);
    const names = [...sums]
      .filter(([, sum]) => sum > 0)
      .sort((a, b) => b[1] - a[1])
      .map(([name]) => name);
    const shown = names.slice(0, SERIES);
    const series = names.length > SERIES ? [...shown, "others"] : shown;
    const columns = starts.map((start, i) => {
      const end = starts[i + 1] ?? Infinity;
      const values = series.map(() => 0);
      for (const row of rows) {
        const at = Date.parse(row.bucket_start);
        if (at < start || at >= end || !row[measure]) continue;
        const index = shown.indexOf(row[by]);
        values[index < 0 ? series.length - 1 : index] += row[measure];
      }
      return { start, values, sum: values.reduce((a, b) => a + b, 0) };
    });
    const total = columns.reduce((sum, column) => sum + column.sum, 0);
    const label = (ms) => (bucket === "hour" ? hour(ms) : day(ms));
    const what = byId("measure").selectedOptions[0].textContent.trim();

    if (total === 0)
      return this.#say(measure === "denied" ? "Nothing was denied in this time." : "Nothing was used in this time.");
    this.#caption.replaceChildren(
      h("strong", {}, amount(total, metric)),
      ` ${what} in ${byId("span").selectedOptions[0].textContent}`,
    );
    this.#legend.replaceChildren(
      ...series.map((name, i) => {
        const sum = columns.reduce((all, column) => all + column.values[i], 0);
        return h(
          "li",
          {},
          svg("svg", { class: "key", viewBox: "0 0 14 14", "aria-hidden": "true" }, ...box(i, 0, 0, 14, 14)),
          `${name} `,
          h("b", {}, amount(sum, metric)),
        );
      }),
    );
    // What has the focus stays in the page: only the insides are made anew.
    if (!this.#picture.isConnected)
      this.#figure.replaceChildren(
        this.#caption,
        h("div", { class: "plot" }, this.#picture, this.#tip),
        this.#legend,
        this.#figures,
      );
    this.#drawPicture(columns, metric, label, what);
    this.#tell = (column) => {
      const lines = series.map((name, s) => [name, column.values[s]]).filter(([, value]) => value > 0);
      this.#tip.replaceChildren(
        h("b", {}, `${label(column.start)}: ${amount(column.sum, metric)}`),
        ...lines.map(([name, value]) => h("span", {}, `${name} ${amount(value, metric)}`)),
      );
    };
    this.#columns = columns;
    this.#select(columns.findIndex((column) => column.start === this.#selected));
    this.#drawTable(columns, series, metric, label, what);
  }

  /** Figures of another question than the one that is chosen are not left there. */
  #fail(error) {
    this.#question = this.#drawn = "";
    this.#redraw = () => {};
    this.#say(`Not loaded: ${error.message}.`);
  }

  #say(text) {
    this.#selected = null;
    this.#figure.replaceChildren(h("p", { class: "empty" }, text));
  }

  /** Reads a column out; -1: none. */
  #select(index) {
    this.#picture.querySelector(".column[data-on]")?.removeAttribute("data-on");
    this.#selected = this.#columns[index]?.start ?? null;
    if (this.#selected === null) return this.#tip.replaceChildren();
    this.#picture.querySelector(`.column[data-index="${index}"]`).setAttribute("data-on", "");
    this.#tell(this.#columns[index]);
  }

  #listen() {
    const picture = this.#picture;
    const at = () => this.#columns.findIndex((column) => column.start === this.#selected);
    const last = () => this.#columns.length - 1;
    picture.addEventListener("pointermove", (event) => {
      const box = picture.getBoundingClientRect();
      const x = event.clientX - box.left - LEFT;
      const pitch = (box.width - LEFT - RIGHT) / this.#columns.length;
      const index = x < 0 ? -1 : Math.min(last(), Math.floor(x / pitch));
      if (index !== at()) this.#select(index);
    });
    picture.addEventListener("pointerleave", () => document.activeElement !== picture && this.#select(-1));
    picture.addEventListener("focus", () => at() < 0 && this.#select(last()));
    picture.addEventListener("blur", () => this.#select(-1));
    picture.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: at() - 1, ArrowRight: at() + 1, Home: 0, End: last() }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      this.#select(Math.max(0, Math.min(last(), to)));
    });
  }

  #drawPicture(columns, metric, label, what) {
    const W = Math.max(NARROWEST, this.#figure.clientWidth);
    const most = roundUp(Math.max(...columns.map((column) => column.sum)));
    const y = (value) => TOP + (H - TOP - BOTTOM) * (1 - value / most);
    const pitch = (W - LEFT - RIGHT) / columns.length;
    const picture = this.#picture;
    picture.replaceChildren();
    picture.setAttribute("viewBox", `0 0 ${W} ${H}`);
    picture.setAttribute("width", W);
    picture.setAttribute("height", H);
    picture.setAttribute("aria-label", `${what} by time, ${columns.length} columns: arrow keys read them out`);
    for (const part of [0, 0.5, 1]) {
      picture.append(
        svg("line", { class: "grid", x1: LEFT, x2: W - RIGHT, y1: y(part * most), y2: y(part * most) }),
        svg(
          "text",
          { class: "axis", x: LEFT - 8, y: y(part * most) + 4, "text-anchor": "end" },
          amount(part * most, metric),
        ),
      );
    }
    const every = Math.ceil(columns.length / Math.max(2, Math.floor((W - LEFT) / 80)));
    columns.forEach((column, i) => {
      const x = LEFT + i * pitch;
      const group = svg("g", { class: "column", "data-index": i });
      group.append(svg("rect", { class: "hit", x, y: TOP, width: pitch, height: H - TOP - BOTTOM }));
      let from = 0;
      column.values.forEach((value, s) => {
        if (value <= 0) return;
        const height = Math.max(1, y(from) - y(from + value));
        group.append(...box(s, x + pitch * 0.12, y(from) - height, pitch * 0.76, height));
        from += value;
      });
      picture.append(group);
      if ((columns.length - 1 - i) % every === 0)
        picture.append(
          svg("text", { class: "axis", x: x + pitch / 2, y: H - 6, "text-anchor": "middle" }, label(column.start)),
        );
    });
  }

  #drawTable(columns, series, metric, label, what) {
    const body = columns
      .filter((column) => column.sum > 0)
      .reverse()
      .map((column) =>
        h(
          "tr",
          {},
          h("th", { scope: "row" }, label(column.start)),
          ...column.values.map((value) => h("td", { class: "number" }, amount(value, metric))),
        ),
      );
    this.#scroll.setAttribute("aria-label", `${what}, a table`);
    this.#table.replaceChildren(
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "From"),
          ...series.map((name) => h("th", { scope: "col", class: "number cut", title: name }, name)),
        ),
      ),
      h("tbody", {}, ...body),
    );
  }
}

/** A block of the nth series: told apart by colour, and every second one by stripes. */
function box(series, x, y, width, height) {
  const area = { x: x.toFixed(1), y: y.toFixed(1), width: width.toFixed(1), height: height.toFixed(1) };
  const plain = svg("rect", { ...area, class: `series-${series}` });
  return series % 2 === 0 ? [plain] : [plain, svg("rect", { ...area, fill: "url(#stripes)" })];
}
