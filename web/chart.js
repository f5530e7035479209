// What was used over time: stacked columns, an SVG of our own. The figures are in a table as well, and under the arrow keys.
import { byId, h, setText, svg } from "./dom.js";
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
  #asked = 0;
  #drawn = "";
  #redraw = () => {};
  #width = 0;

  constructor() {
    for (const id of ["measure", "by", "span"]) byId(id).addEventListener("change", () => this.refresh());
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
    const { rows } = await load(`/v1/usage?${query}`);
    if (asked !== this.#asked) return; // another question has been asked meanwhile
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

    if (total === 0) {
      this.#figure.replaceChildren(
        h(
          "p",
          { class: "empty" },
          measure === "denied" ? "Nothing was denied in this time." : "Nothing was used in this time.",
        ),
      );
      return;
    }
    const caption = h(
      "figcaption",
      {},
      h("strong", {}, amount(total, metric)),
      ` ${what} in ${byId("span").selectedOptions[0].textContent}`,
    );
    const legend = h(
      "ul",
      { class: "series" },
      ...series.map((name, i) => {
        const sum = name === "others" ? total - shown.reduce((a, n) => a + sums.get(n), 0) : sums.get(name);
        return h(
          "li",
          {},
          svg("svg", { class: "key", viewBox: "0 0 14 14", "aria-hidden": "true" }, ...box(i, 0, 0, 14, 14)),
          `${name} `,
          h("b", {}, amount(sum, metric)),
        );
      }),
    );
    this.#figure.replaceChildren(
      caption,
      this.#picture(columns, series, metric, label, what),
      legend,
      this.#table(columns, series, metric, label, what),
    );
  }

  #picture(columns, series, metric, label, what) {
    const W = Math.max(NARROWEST, this.#figure.clientWidth);
    const most = roundUp(Math.max(...columns.map((column) => column.sum)));
    const y = (value) => TOP + (H - TOP - BOTTOM) * (1 - value / most);
    const pitch = (W - LEFT - RIGHT) / columns.length;
    const picture = svg("svg", {
      viewBox: `0 0 ${W} ${H}`,
      width: W,
      height: H,
      tabindex: "0",
      role: "img",
      class: "columns",
      "aria-label": `${what} by time, ${columns.length} columns: arrow keys read them out`,
    });
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

    const tip = h("div", { class: "tip", role: "status" });
    let at = -1;
    const show = (index) => {
      at = index;
      picture.querySelector(".column[data-on]")?.removeAttribute("data-on");
      if (index < 0) return tip.replaceChildren();
      const column = columns[index];
      picture.querySelector(`.column[data-index="${index}"]`).setAttribute("data-on", "");
      const lines = series.map((name, s) => [name, column.values[s]]).filter(([, value]) => value > 0);
      tip.replaceChildren(
        h("b", {}, `${label(column.start)}: ${amount(column.sum, metric)}`),
        ...lines.map(([name, value]) => h("span", {}, `${name} ${amount(value, metric)}`)),
      );
    };
    const indexAt = (event) => {
      const x = event.clientX - picture.getBoundingClientRect().left - LEFT;
      return x < 0 ? -1 : Math.min(columns.length - 1, Math.floor(x / pitch));
    };
    picture.addEventListener("pointermove", (event) => indexAt(event) !== at && show(indexAt(event)));
    picture.addEventListener("pointerleave", () => document.activeElement !== picture && show(-1));
    picture.addEventListener("focus", () => at < 0 && show(columns.length - 1));
    picture.addEventListener("blur", () => show(-1));
    picture.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: columns.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      show(Math.max(0, Math.min(columns.length - 1, to)));
    });
    return h("div", { class: "plot" }, picture, tip);
  }

  #table(columns, series, metric, label, what) {
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
    return h(
      "details",
      { class: "figures" },
      h("summary", {}, "The same as a table"),
      h(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": `${what}, a table` },
        h(
          "table",
          {},
          h(
            "thead",
            {},
            h(
              "tr",
              {},
              h("th", { scope: "col" }, "From"),
              ...series.map((name) => h("th", { scope: "col", class: "number" }, name)),
            ),
          ),
          h("tbody", {}, ...body),
        ),
      ),
    );
  }
}

/** A block of the nth series: told apart by colour, and every second one by stripes. */
function box(series, x, y, width, height) {
  const area = { x: x.toFixed(1), y: y.toFixed(1), width: width.toFixed(1), height: height.toFixed(1) };
  const plain = svg("rect", { ...area, class: `series-${series}` });
  return series % 2 === 0 ? [plain] : [plain, svg("rect", { ...area, fill: "url(#stripes)" })];
}
