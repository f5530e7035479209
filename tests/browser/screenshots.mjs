// Pictures of the status page under real traffic, for the README: node screenshots.mjs FOLDER
import { join } from "node:path";
import { Daemon, eventually, launch, live, open } from "./page_world.mjs";

const LIVE_S = 75; // how long the crowd calls before the pictures: longer than a minute's window
const CONFIG = `
[[projects]]
name = "default"
provider = "gemini"
tier = "free"
[[projects]]
name = "prod"
provider = "gemini"
tier = "tier1"
[[projects.limits]]
models = ["gemini-2.5-pro"]
metric = "requests"
window = "day"
amount = 26
[[projects.limits]]
models = ["gemini-2.5-flash"]
metric = "requests"
window = "60s"
amount = 120
[[projects.limits]]
models = ["*"]
metric = "cost_usd"
window = "day"
amount = 9
`;
const MODELS = ["gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-pro"];
const CONSUMERS = ["chat", "search", "nightly-batch"];
const REFUSAL = {
  upstream: {
    status: 429,
    body: {
      error: {
        code: 429,
        status: "RESOURCE_EXHAUSTED",
        message: "You exceeded your current quota, please check your plan and billing details.",
        details: [
          {
            "@type": "type.googleapis.com/google.rpc.QuotaFailure",
            violations: [{ quotaId: "GenerateRequestsPerDayPerProjectPerModel-FreeTier", quotaValue: "20" }],
          },
        ],
      },
    },
  },
};

let state = 7;
const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647; // the same crowd each time
const pick = (list) => list[Math.floor(random() * random() * list.length)];
const usage = (scale = 1) => ({
  input_tokens: Math.round((400 + random() * 9000) * scale),
  output_tokens: Math.round(40 + random() * 900),
});

/** What the last three days used: more by day than by night. */
async function history(weir) {
  const now = Date.now();
  for (let hour = 72; hour > 0; --hour) {
    const busy =
      0.35 + 0.65 * Math.max(0, Math.sin(((new Date(now - hour * 3_600_000).getUTCHours() - 13) / 24) * 2 * Math.PI));
    for (let i = 0; i < 14 * busy + random() * 6; ++i) {
      const at = new Date(now - hour * 3_600_000 + random() * 3_500_000).toISOString();
      const call = {
        project: "prod",
        model: pick(MODELS),
        consumer: pick(CONSUMERS),
        at,
        status: 200,
        usage: usage(9),
        latency_s: 0.4 + random() * 3,
      };
      await weir.ask("/v1/calls", { method: "POST", body: call });
    }
  }
}

/** A crowd that calls for as long as it is told, and settles what it was let. */
async function crowd(weir, seconds) {
  const end = Date.now() + seconds * 1000;
  const open = [];
  let refused = false;
  while (Date.now() < end) {
    const project = random() < 0.25 ? "default" : "prod";
    const answer = await weir.ask("/v1/admissions", {
      method: "POST",
      body: {
        project,
        model: pick(MODELS),
        consumer: pick(CONSUMERS),
        input_tokens: Math.round(400 + random() * 9000),
      },
    });
    if (answer.status === 201) open.push(await answer.json());
    if (open.length > 6) {
      const call = open.shift();
      const refuse = !refused && call.project === "default" && call.model === "gemini-2.5-flash";
      refused ||= refuse;
      await weir.settle(
        call.admission_id,
        refuse ? REFUSAL : { status: 200, usage: usage(), latency_s: 0.4 + random() * 3 },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

const folder = process.argv[2];
const weir = await new Daemon(CONFIG).start();
const browser = await launch();
try {
  await history(weir);
  await weir.stop();
  await weir.start(); // what past days used is read at the start
  const pages = [];
  for (const colorScheme of ["light", "dark"])
    pages.push([
      colorScheme,
      await live(await open(browser, weir, { colorScheme, viewport: { width: 1200, height: 760 } })),
    ]);
  await crowd(weir, LIVE_S);
  for (const [colorScheme, page] of pages) {
    await eventually("it is drawn", () => page.locator("#chart svg.columns").count());
    await page.screenshot({ path: join(folder, `page-${colorScheme}.png`) });
    if (colorScheme === "light") {
      await page.locator("#usage").scrollIntoViewIfNeeded();
      const top = await page.evaluate(() => document.getElementById("usage").getBoundingClientRect().top + scrollY);
      await page.evaluate((y) => scrollTo(0, y), top);
      await page.screenshot({ path: join(folder, "page-usage.png") });
    }
  }
} finally {
  await browser.close();
  await weir.end();
}
