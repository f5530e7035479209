// What the status page shows, and to whom: the real daemon, the real browser.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { Daemon, eventually, faults, hourGoesOn, launch, limits, live, open, POLICY, row, seconds } from "./page_world.mjs";

const TEN = limits(["m", "requests", "day", 10], ["m", "input_tokens", "60s", 50_000]);
const PER_DAY = "m/requests/day";
const QUOTA_429 = {
  upstream: {
    status: 429,
    body: {
      error: {
        code: 429,
        status: "RESOURCE_EXHAUSTED",
        message: "You exceeded your current quota <b>today</b>",
        details: [
          {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            violations: [{ quotaId: "GenerateRequestsPerDayPerProjectPerModel-FreeTier", quotaValue: "10" }],
          },
        ],
      },
    },
  },
};

let browser;
const ends = [];
before(async () => (browser = await launch()));
after(() => browser.close());
beforeEach(hourGoesOn);
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  for (const end of ends.splice(0)) await end();
});

async function daemon(config = TEN, options = {}) {
  const started = await new Daemon(config, options).start();
  ends.push(() => started.end());
  return started;
}

/** Nothing to complain of, nobody else asked. */
function clean(page, from) {
  assert.deepEqual(page.complaints, []);
  assert.deepEqual([...page.hosts], [new URL(from.url).host]);
}

describe("the status page", () => {
  it("changes its values when calls happen, without being loaded again", async () => {
    const weir = await daemon();
    const page = await live(await open(browser, weir));
    await page.evaluate(() => (globalThis.sameDocument = true));
    const call = await weir.admit({ input_tokens: 700, consumer: "chat" });
    const limit = row(page, PER_DAY);
    await eventually("the call is held", async () =>
      /0 used · 1 held/.test(await limit.locator(".in-use").textContent()),
    );
    assert.match(await limit.locator(".left").textContent(), /^9 of 10$/);
    await eventually("the call is listed as open", async () =>
      /m\s*chat\s*open/.test(await page.locator("#calls tr").first().innerText()),
    );
    await weir.settle(call);
    await eventually("the call is used", async () => (await limit.locator(".in-use small").textContent()) === "1 used");
    assert.equal(await limit.locator("[role=meter]").getAttribute("aria-valuenow"), "1");
    await eventually("its tokens are listed", async () =>
      /settled\s*1,000\s*500/.test(await page.locator("#calls tr").first().innerText()),
    );
    assert.equal(await page.evaluate(() => globalThis.sameDocument), true);
    clean(page, weir);
  });

  it("counts down by the daemon's clock, whatever the page's own says", async () => {
    const weir = await daemon();
    const page = await live(
      await open(browser, weir, {
        script: () => {
          const real = Date.now;
          Date.now = () => real() + 5_400_000;
        },
      }),
    );
    await weir.settle(await weir.admit()); // now: it counts for a minute only
    const left = async (name) => {
      const { as_of, limits } = await weir.json("/v1/quota");
      return (Date.parse(limits.find(({ limit }) => limit === name).resets_at) - Date.parse(as_of)) / 1000;
    };
    // Between the daemon's word before and its word after; whole seconds, and of hours whole minutes, rounded up.
    const agrees = (name, step) => async () => {
      const most = await left(name);
      const shown = seconds(await row(page, name).locator(".resets strong").textContent());
      const least = await left(name);
      return shown <= most + step && shown >= least - step;
    };
    await eventually("the minute's countdown is right", agrees("m/input_tokens/60s", 1));
    const minute = row(page, "m/input_tokens/60s").locator(".resets strong");
    const short = seconds(await minute.textContent());
    await eventually("it goes down", async () => seconds(await minute.textContent()) < short);
    await eventually("the day's countdown is right", agrees(PER_DAY, 60));
    clean(page, weir);
  });

  it("puts the limit that is nearest first, says so in a sentence, and says what it does not know", async () => {
    const weir = await daemon(
      limits(["a", "requests", "day", 100], ["b", "requests", "day", 2], ["c", "requests", "day", 5]),
    );
    for (const model of ["a", "b", "b", "c", "c", "c", "c"]) await weir.settle(await weir.admit({ model }));
    const page = await live(await open(browser, weir));
    await eventually("they are in order", async () => {
      const names = await page.locator("#limit-rows > li").evaluateAll((rows) => rows.map((one) => one.dataset.limit));
      return names.join() === "b/requests/day,c/requests/day,a/requests/day";
    });
    assert.match(
      await page.textContent("#headline"),
      /^One limit is used up; it has room again in .*\. 1 more above 80 %\.$/,
    );
    const states = await page.locator("#limit-rows > li").evaluateAll((rows) => rows.map((one) => one.dataset.state));
    assert.deepEqual(states, ["full", "near", "room"]);
    assert.equal((await weir.limit("a/requests/day")).forecast, "unknown"); // it has not been watched for long enough
    assert.equal(await row(page, "a/requests/day").locator(".forecast strong").textContent(), "unknown");
    assert.equal(await row(page, "b/requests/day").locator(".forecast strong").textContent(), "");
    assert.match(await row(page, "a/requests/day").locator(".source").textContent(), /configured/);
    clean(page, weir);
  });

  it("says in words why a call was denied, and what the provider refused", async () => {
    const weir = await daemon();
    const page = await live(await open(browser, weir));
    await weir.settle(await weir.admit({ consumer: "<i>batch</i>" }), QUOTA_429);
    await eventually("the refusal is told", async () =>
      /m: 429 quota or rate exceeded/.test(await page.textContent("#refusals")),
    );
    await eventually("in the provider's words, as text", async () =>
      /You exceeded your current quota <b>today<\/b>/.test(await page.textContent("#refusals")),
    );
    assert.equal(
      (await weir.ask("/v1/admissions", { method: "POST", body: { model: "m", consumer: "<i>batch</i>" } })).status,
      429,
    );
    await eventually("the denial is told", async () =>
      /<i>batch<\/i>: m denied/.test(await page.textContent("#denials")),
    );
    assert.match(await page.textContent("#denials"), /has answered that m\/requests\/day is used up/);
    // What is marked to be copied stays: the entry is changed, not made anew.
    await page.locator("#denials p, #refusals p").evaluateAll((all) => all.forEach((one) => (one.mark = "kept")));
    await weir.ask("/v1/admissions", { method: "POST", body: { model: "m", consumer: "<i>batch</i>" } });
    await eventually("it is told as the second", async () => /2 times/.test(await page.textContent("#denials")));
    const marks = await page.locator("#denials p, #refusals p").evaluateAll((all) => all.map(({ mark }) => mark));
    assert.deepEqual(marks, ["kept", "kept"]);
    assert.equal(await page.locator("#denials i, #refusals b").count(), 0);
    await eventually("the limit is full", async () => (await row(page, PER_DAY).getAttribute("data-state")) === "full");
    assert.match(await row(page, PER_DAY).locator(".in-use").textContent(), /9 used elsewhere/);
    clean(page, weir);
  });

  it("forgets an observation by the keyboard, and the limit has room again", async () => {
    const weir = await daemon();
    await weir.settle(await weir.admit(), QUOTA_429);
    const page = await live(await open(browser, weir));
    const button = page.getByRole("button", { name: "Forget that m/requests/day is used up" });
    await button.focus();
    await page.keyboard.press("Enter");
    await eventually(
      "it says so",
      async () => (await page.textContent("#forgotten")) === "Forgotten: m/requests/day is used up.",
    );
    await eventually(
      "the limit has room",
      async () => (await row(page, PER_DAY).getAttribute("data-state")) === "room",
    );
    await eventually("nothing is left to forget", async () => (await button.count()) === 0);
    const left = (await weir.json("/v1/observations")).observations;
    assert.deepEqual(
      left.filter(({ kind }) => kind === "exhausted"),
      [],
    );
    clean(page, weir);
  });

  it("can be used by the keyboard alone", async () => {
    const weir = await daemon();
    await weir.settle(await weir.admit({ model: "m", consumer: "chat" }));
    const page = await live(await open(browser, weir));
    await eventually("the chart is drawn", () => page.locator("#chart svg.columns").count());
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
    const reached = new Set();
    for (let i = 0; i < 40; ++i) {
      await page.keyboard.press("Tab");
      reached.add(
        await page.evaluate(
          () =>
            document.activeElement.id || document.activeElement.getAttribute("class") || document.activeElement.tagName,
        ),
      );
    }
    for (const id of ["search", "measure", "by", "span", "columns", "call-filter", "scroll"])
      assert.ok(reached.has(id), `${id} is not among ${[...reached]}`);
    await page.focus("svg.columns");
    await eventually("the newest hour is read out", async () => /m 1,500/.test(await page.textContent(".tip")));
    await page.keyboard.press("Home");
    await eventually("the oldest hour is empty", async () => /: 0$/.test(await page.textContent(".tip")));
    await page.focus("#call-filter");
    await page.keyboard.type("nobody");
    await eventually("the filter filters", async () =>
      /No call that is loaded matches/.test(await page.textContent("#calls")),
    );
    await page.focus("#measure");
    await page.keyboard.press("ArrowDown");
    await eventually(
      "the chart shows the cost",
      async () =>
        (await page.inputValue("#measure")) === "cost_usd" &&
        (await page.locator("#chart .empty, #chart figcaption").count()) > 0,
    );
    clean(page, weir);
  });

  for (const colorScheme of ["light", "dark"]) {
    for (const width of [360, 1440]) {
      it(`fits ${width} px in ${colorScheme}, and axe-core finds nothing serious`, async () => {
        const weir = await daemon(
          limits(
            ["a-model-with-quite-a-long-name-" + "x".repeat(60), "requests", "day", 3],
            ["m", "requests", "day", 10],
            ["n", "requests", "day", 20],
          ),
        );
        for (let i = 0; i < 3; ++i)
          await weir.settle(await weir.admit({ model: "a-model-with-quite-a-long-name-" + "x".repeat(60) }));
        for (let i = 0; i < 8; ++i) await weir.settle(await weir.admit({ consumer: `c${i % 3}` }));
        await weir.admit();
        await weir.settle(await weir.admit({ model: "n" }), QUOTA_429);
        await weir.ask("/v1/admissions", { method: "POST", body: { model: "n" } });
        const page = await live(
          await open(browser, weir, { viewport: { width, height: 800 }, colorScheme, reducedMotion: "reduce" }),
        );
        await eventually(
          "all of it is drawn",
          async () =>
            (await page.locator("#chart svg.columns").count()) &&
            (await page.locator("#health dd").count()) &&
            (await page.locator("#observations button").count()),
        );
        await page.locator(".figures summary").click();
        const { scroll, inner } = await page.evaluate(() => ({
          scroll: document.documentElement.scrollWidth,
          inner: innerWidth,
        }));
        assert.ok(scroll <= inner, `${scroll} px wide in ${inner}`);
        assert.deepEqual(await faults(page), []);
        clean(page, weir);
      });
    }
  }

  it("has a policy that holds, and is not sent twice", async () => {
    const weir = await daemon();
    const page = await live(await open(browser, weir));
    assert.equal(page.answer.headers()["content-security-policy"], POLICY);
    clean(page, weir);
    const violated = await page.evaluate(
      () =>
        new Promise((resolve) => {
          document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective), {
            once: true,
          });
          const script = document.createElement("script");
          script.textContent = "globalThis.injected = true";
          document.body.append(script);
        }),
    );
    assert.match(violated, /^script-src/);
    assert.equal(await page.evaluate(() => globalThis.injected), undefined);
    const again = await weir.ask("/", { headers: { "If-None-Match": page.answer.headers().etag } });
    assert.equal(again.status, 304);
    assert.equal((await weir.ask("/", { headers: { "If-None-Match": '"other"' } })).status, 200);
  });

  it("asks for the daemon's token, keeps it for the tab, and shows nothing without", async () => {
    const weir = await daemon(TEN, { token: "s3cret-token-of-the-daemon" });
    await weir.settle(await weir.admit());
    const page = await open(browser, weir);
    await eventually("the dialog opens", () => page.locator("#token-dialog[open]").count());
    assert.equal(await page.locator("li.limit").count(), 0);
    assert.deepEqual(await faults(page), []);
    await page.keyboard.type("wrong");
    await page.keyboard.press("Enter");
    await eventually("it says that this was wrong", async () =>
      /not the daemon's token/.test(await page.textContent("#token-why")),
    );
    await page.locator("#token").fill("s3cret-token-of-the-daemon");
    await page.keyboard.press("Enter");
    await live(page);
    await eventually("the limits are there", () => row(page, PER_DAY).count());
    assert.equal(await page.evaluate(() => localStorage.length + document.cookie.length), 0);
    await page.reload();
    await live(page);
    assert.equal(await page.locator("#token-dialog[open]").count(), 0);
    assert.deepEqual(
      page.complaints.filter((text) => !/status of 401/.test(text)),
      [],
    );
  });

  it("shows a consumer's part to who comes with that consumer's token, without complaint", async () => {
    const consumers = '\n[[consumers]]\nname = "chat"\ntoken_file = "chat"\n[[consumers]]\nname = "batch"\nmax_share = 0.5\n';
    const weir = await daemon(TEN + consumers, { token: "the-daemons-own", files: { chat: "the-token-of-chat" } });
    for (const consumer of ["chat", "batch"]) await weir.settle(await weir.admit({ consumer }));
    const page = await open(browser, weir);
    await eventually("the dialog opens", () => page.locator("#token-dialog[open]").count());
    await page.locator("#token").fill("the-token-of-chat");
    await page.keyboard.press("Enter");
    await live(page);
    await eventually("its call is listed", async () => /chat/.test(await page.textContent("main")));
    await eventually("the limits are there", () => row(page, PER_DAY).count());
    assert.doesNotMatch(await page.textContent("main"), /batch/);
    assert.deepEqual(
      page.complaints.filter((complaint) => !/status of 40[13]/.test(complaint)),
      [],
    );
    assert.deepEqual(await faults(page), []);
  });

  it("works with 500 limits", async () => {
    const weir = await daemon(
      limits(...Array.from({ length: 500 }, (_, i) => [`model-${String(i).padStart(3, "0")}`, "requests", "day", 10])),
    );
    for (let i = 0; i < 30; ++i)
      await weir.settle(await weir.admit({ model: `model-${String(i * 7).padStart(3, "0")}` }));
    const page = await live(await open(browser, weir));
    await eventually(
      "what is in use is listed, and no more than that",
      async () => (await page.locator("#limit-rows > li").count()) === 15,
    );
    assert.equal(await page.textContent("#more-limits"), "Show 15 more in use");
    assert.equal(await page.textContent("#unused summary"), "470 limits with nothing used");
    assert.equal(await page.locator("#unused li").count(), 0);
    await page.locator("#search").fill("model-499");
    await eventually(
      "the search finds one that is not in use",
      async () => (await page.textContent("#unused summary")) === "1 limit with nothing used",
    );
    await eventually("and shows it", async () => (await page.locator("#unused li:visible").count()) === 1);
    assert.match(await page.textContent("#headline"), /Closest: model-\d+, 10 %/); // it is of all limits
    await page.locator("#search").fill("");
    await page.locator("#unused summary").click();
    await eventually("all can be seen", async () => (await page.locator("#unused li").count()) === 470);
    await weir.admit({ model: "model-498" });
    await eventually(
      "one moves up",
      async () => (await page.textContent("#unused summary")) === "469 limits with nothing used",
    );
    clean(page, weir);
  });

  it("leads to every call, also to those that newer ones have pushed out", async () => {
    const weir = await daemon(limits(["m", "requests", "day", 10_000]));
    const crowd = async (n) => {
      for (let i = 0; i < n; ++i) await weir.settle(await weir.admit());
    };
    await crowd(210);
    const page = await live(await open(browser, weir));
    await crowd(310);
    const calls = page.locator("#calls tr");
    const older = page.locator("#older");
    await eventually("the newest are listed", async () => (await calls.count()) >= 100);
    // Also after events that were left out, when the list begins anew.
    await eventually("all are there", async () => {
      if ((await older.isVisible()) && (await older.isEnabled())) await older.dblclick({ force: true, timeout: 2000 });
      return (await calls.count()) === 520;
    });
    clean(page, weir);
  });

  it("keeps the chart's focus, column and table while its figures change, and shows none when they are not to be had", async () => {
    const weir = await daemon();
    await weir.settle(await weir.admit());
    const page = await live(await open(browser, weir));
    await eventually("the chart is drawn", () => page.locator("#chart svg.columns").count());
    await page.locator(".figures summary").click();
    await page.focus("svg.columns");
    await eventually("a column is read out", async () => /m 1,500/.test(await page.textContent(".tip")));
    await weir.settle(await weir.admit());
    await eventually("the new figures as well", async () => /m 3,000/.test(await page.textContent(".tip")));
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("class")), "columns");
    assert.equal(await page.locator(".figures[open]").count(), 1);
    clean(page, weir);
    await page.route("**/v1/usage?*", (route) => route.abort());
    await page.selectOption("#span", "7d");
    await eventually("no figures of other days", async () => /^Not loaded: /.test(await page.textContent("#chart")));
    await page.unroute("**/v1/usage?*");
    await eventually("then those", async () => /tokens in 7 days/.test(await page.textContent("#chart")));
    assert.deepEqual(
      page.complaints.filter((text) => !/ERR_FAILED/.test(text)),
      [],
    );
  });

  it("lists a long name shortened, and the other columns beside it", async () => {
    const model = "x".repeat(120);
    const weir = await daemon(limits([model, "requests", "day", 10]));
    await weir.settle(await weir.admit({ model }));
    const page = await live(await open(browser, weir));
    const cell = page.locator("#calls td").nth(1);
    await eventually("the call is listed", async () => (await cell.getAttribute("title")) === model);
    const { right, edge } = await page.locator("#calls td").last().evaluate((last) => ({
      right: last.getBoundingClientRect().right,
      edge: innerWidth,
    }));
    assert.ok(right <= edge, `the last column ends at ${right} px of ${edge}`);
    clean(page, weir);
  });

  it("says of a limit full of open calls that these free it, and in the title that it is used up, without frames", async () => {
    const weir = await daemon(limits(["m", "requests", "60s", 1]));
    const page = await live(await open(browser, weir));
    await weir.admit();
    await eventually(
      "its calls free it",
      async () => (await row(page, "m/requests/60s").locator(".resets small").textContent()) === "as calls end",
    );
    await eventually("the title says so", async () => (await page.title()) === "(1 used up) Weir");
    clean(page, weir);
    const hidden = await open(browser, weir, { script: () => (globalThis.requestAnimationFrame = () => 1) });
    await eventually("so does that of a tab without frames", async () => (await hidden.title()) === "(1 used up) Weir");
  });

  it("says that the daemon hangs, asks it no more and more, and goes on", async () => {
    const weir = await daemon();
    const page = await live(await open(browser, weir));
    const under_way = new Set();
    let most = 0;
    page.on("request", (request) => (most = Math.max(most, under_way.add(request).size)));
    for (const end of ["requestfinished", "requestfailed"]) page.on(end, (request) => under_way.delete(request));
    weir.process.kill("SIGSTOP");
    try {
      await eventually("it says so", async () => /does not answer/.test(await page.textContent("#connection")));
    } finally {
      weir.process.kill("SIGCONT");
    }
    await live(page);
    assert.ok(most <= 8, `${most} requests at once`);
    assert.deepEqual(page.complaints, []);
  });

  it("says that the daemon is away, and goes on when it is back", async () => {
    const weir = await daemon(TEN, { port: Number(process.env.WEIR_KEPT_PORT) });
    await weir.settle(await weir.admit());
    const page = await live(await open(browser, weir));
    await weir.stop();
    await eventually("it says so", async () =>
      /does not answer; this is of \d\d:\d\d:\d\d/.test(await page.textContent("#connection")),
    );
    assert.equal(await row(page, PER_DAY).locator(".left strong").textContent(), "9");
    await weir.start();
    await live(page);
    await weir.settle(await weir.admit());
    await eventually(
      "it follows",
      async () => (await row(page, PER_DAY).locator(".left strong").textContent()) === "8",
    );
    assert.deepEqual(
      page.complaints.filter(
        (text) => !/ERR_CONNECTION_|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE/.test(text),
      ),
      [],
    );
  });
});
