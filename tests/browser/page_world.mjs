// The daemon and the browser, as the stories of the page need them.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const DEADLINE_MS = 60_000;
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** The first true value of `condition`, asked again and again. */
export async function eventually(what, condition) {
  const end = Date.now() + DEADLINE_MS;
  let last;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`did not happen within ${DEADLINE_MS / 1000} s: ${what} (last: ${last})`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Charts have an hour to a column, and a day ends with an hour: waits if one is about to end. */
export async function hourGoesOn() {
  const left = 3_600_000 - (Date.now() % 3_600_000);
  if (left < 60_000) await new Promise((resolve) => setTimeout(resolve, left + 1000));
}

/** `weir serve` in a directory of its own; `port`: one that is kept for it, so that it can be started again on it. */
export class Daemon {
  constructor(config, { token = "", files = {}, port = 0 } = {}) {
    this.directory = mkdtempSync(join(tmpdir(), "weir-page-"));
    this.token = token;
    this.config = config;
    this.port = port;
    for (const [name, text] of Object.entries(token ? { token, ...files } : files))
      writeFileSync(join(this.directory, name), text, { mode: 0o600 });
  }

  async start() {
    const file = join(this.directory, "weir.toml");
    const token = this.token ? `token_file = "${this.directory}/token"` : "";
    writeFileSync(
      file,
      `[server]\nlisten = ["127.0.0.1:${this.port}"]\n${token}\n[ledger]\npath = "${this.directory}/weir.db"\n${this.config}`,
    );
    const env = { PATH: process.env.PATH, HOME: this.directory, LANG: process.env.LANG ?? "C.UTF-8" };
    for (const name of ["ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"])
      if (process.env[name]) env[name] = process.env[name];
    this.log = "";
    this.process = spawn(process.env.WEIR_BIN, ["serve", "--config", file], { env, stdio: ["ignore", "pipe", "pipe"] });
    for (const pipe of [this.process.stdout, this.process.stderr]) pipe.on("data", (bytes) => (this.log += bytes));
    this.ended = new Promise((resolve) => this.process.on("exit", resolve));
    this.port = await eventually(`the daemon listens; its log: ${this.log}`, () =>
      Number(/listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(this.log)?.[1]),
    );
    return this;
  }

  async stop() {
    this.process.kill("SIGTERM");
    assert.equal(await this.ended, 0, this.log);
  }

  async end() {
    if (this.process.exitCode === null) await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async ask(path, { method = "GET", body, headers = {} } = {}) {
    const authorization = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    return fetch(this.url + path, {
      method,
      body: body && JSON.stringify(body),
      headers: { ...headers, ...authorization },
    });
  }

  async json(path) {
    return (await this.ask(path)).json();
  }

  /** Admits a call; its id. */
  async admit(fields = {}) {
    const answer = await this.ask("/v1/admissions", { method: "POST", body: { model: "m", ...fields } });
    assert.equal(answer.status, 201, await answer.clone().text());
    return (await answer.json()).admission_id;
  }

  async settle(id, settlement = { status: 200, usage: { input_tokens: 1000, output_tokens: 500 } }) {
    const answer = await this.ask(`/v1/admissions/${id}/settlement`, { method: "POST", body: settlement });
    assert.equal(answer.status, 200, await answer.clone().text());
  }

  async limit(name) {
    return (await this.json("/v1/quota")).limits.find((limit) => limit.limit === name);
  }
}

export function limits(...list) {
  return (
    `[[projects]]\nname = "default"\nuse_catalog = false\n` +
    list
      .map(
        ([models, metric, window, amount]) =>
          `[[projects.limits]]\nmodels = ["${models}"]\nmetric = "${metric}"\nwindow = "${window}"\namount = ${amount}\n`,
      )
      .join("")
  );
}

export function launch() {
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

/** Opens the page; keeps what it complains of and whom it talks to. */
export async function open(browser, daemon, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  if (options.script) await context.addInitScript(options.script);
  const page = await context.newPage();
  page.complaints = [];
  page.hosts = new Set();
  page.on(
    "console",
    (message) => ["error", "warning"].includes(message.type()) && page.complaints.push(message.text()),
  );
  page.on("pageerror", (error) => page.complaints.push(error.message));
  page.on("request", (request) => !request.url().startsWith("data:") && page.hosts.add(new URL(request.url()).host));
  page.answer = await page.goto(daemon.url + "/");
  return page;
}

/** Waits until the stream is there. */
export async function live(page) {
  await eventually("the page is live", async () => (await page.textContent("#connection")) === "Live");
  return page;
}

export const row = (page, name) => page.locator(`li.limit[data-limit="${name}"]`);

/** What axe-core finds serious or worse. */
export async function faults(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(
      ({ id, nodes }) =>
        `${id}: ${nodes
          .slice(0, 3)
          .map((node) => `${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`)
          .join(" | ")}`,
    );
}

/** The seconds that a countdown shows: "in 1m 05s". */
export function seconds(text) {
  const units = { s: 1, m: 60, h: 3600, d: 86_400 };
  return [...text.matchAll(/(\d+)([smhd])/g)].reduce((sum, [, n, unit]) => sum + Number(n) * units[unit], 0);
}
