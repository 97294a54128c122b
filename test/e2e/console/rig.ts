import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import axe from "axe-core";
import { chromium, type Browser, type BrowserContext, type ConsoleMessage, type Page } from "playwright-core";
import { TokenFile } from "../../../src/app/console/tokens.ts";
import type { Role } from "../../../src/server/console/access.ts";
import { lock } from "../../support/clusterLock.ts";
import { Rig, root, until } from "../rig.ts";

const candidates = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/** Where the browser is; undefined where there is none. */
export const browserPath = [process.env["AETHERV_TEST_CHROMIUM"] ?? "", ...candidates].find(
  (path) => path !== "" && existsSync(path),
);

/** Why tests in a browser are skipped, for their names. */
export const whyNoBrowser = browserPath === undefined ? " (skipped: no chromium on this machine)" : "";

const switches = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const openBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: browserPath ?? "chromium", args: switches });

const newest = async (path: string): Promise<number> => {
  const { mtimeMs } = await stat(path);
  const entries = await readdir(path, { withFileTypes: true, recursive: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile());
  const times = await Promise.all(
    files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).mtimeMs),
  );
  return Math.max(mtimeMs, ...times);
};

const sources = [
  "console/src",
  "console/public",
  "console/index.html",
  "console/vite.config.ts",
  "src/api",
  "src/engine",
];

/** Builds the page where it is older than its sources. What another test's page may still load stays. */
export const buildPage = async (): Promise<void> => {
  await mkdir(join(root, ".cache"), { recursive: true });
  const unlock = await lock(join(root, ".cache/console-build.lock"));
  try {
    const changed = Math.max(...(await Promise.all(sources.map((path) => newest(join(root, path))))));
    const built = await stat(join(root, "dist/console/index.html")).catch(() => undefined);
    if (built && built.mtimeMs > changed) return;
    const vite = join(root, "node_modules/vite/bin/vite.js");
    const child = spawn(process.execPath, [vite, "build", "console", "--emptyOutDir=false"], { cwd: root });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (said += String(part)));
    const code = await new Promise((resolve) => child.once("exit", resolve));
    if (code !== 0) throw new Error(`the page was not built:\n${said}`);
  } finally {
    await unlock();
  }
};

/** Refusals that a page expects; the browser notes each answer of 400 and above. */
const expected = /Failed to load resource: the server responded with a status of (401|403|404|409|412|422)/;

/** A page, and whatever went wrong in it: uncaught errors, messages of the console, what the policy refused. */
export interface Watched {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly faults: string[];
}

export interface View {
  readonly theme?: "light" | "dark";
  readonly width?: number;
  readonly height?: number;
}

/** A page of the console at this address, logged in with the token (left out: not logged in). */
export const openPage = async (browser: Browser, url: string, token?: string, view: View = {}): Promise<Watched> => {
  const { theme = "light", width = 1400, height = 1000 } = view;
  const context = await browser.newContext({
    colorScheme: theme,
    viewport: { width, height },
    reducedMotion: "reduce",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const faults: string[] = [];
  page.on("pageerror", (error) => faults.push(error.stack ?? error.message));
  page.on("console", (message: ConsoleMessage) => {
    const text = `${message.text()} (${message.location().url})`;
    if (["error", "warning"].includes(message.type()) && !expected.test(text)) faults.push(text);
  });
  if (token !== undefined) {
    const answer = await context.request.post(new URL("/v1/login", url).href, { data: { token } });
    if (!answer.ok()) throw new Error(`the login failed: ${answer.status()} ${await answer.text()}`);
  }
  return { page, context, faults };
};

/** What axe finds of serious and critical impact, each with the places. */
export const violations = async (page: Page): Promise<readonly string[]> => {
  // Through the debugger, which the page's policy does not hold back.
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: {
        run(): Promise<{
          violations: readonly {
            id: string;
            impact?: string;
            help: string;
            nodes: readonly { html: string; failureSummary?: string }[];
          }[];
        }>;
      };
    };
    const { violations } = await axe.run();
    return violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(
        ({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((n) => `  ${n.html}\n  ${n.failureSummary}`).join("\n")}`,
      );
  });
};

/** `aetherv run` over simulated hosts with the console, and a browser. */
export class ConsoleRig {
  readonly rig: Rig;
  readonly browser: Browser;
  #url = "";
  #watched: Watched[] = [];

  private constructor(rig: Rig, browser: Browser) {
    this.rig = rig;
    this.browser = browser;
  }

  static async start(options: Parameters<typeof Rig.make>[0] = {}, ...more: readonly string[]): Promise<ConsoleRig> {
    await buildPage();
    const made = new ConsoleRig(await Rig.make(options), await openBrowser());
    await made.up(...more);
    return made;
  }

  /** Starts the control plane (again), on a port of its own choice. */
  async up(...more: readonly string[]): Promise<void> {
    await this.rig.start("--console-address", "127.0.0.1:0", ...more);
    await until("the console listens", async () => {
      const text = await readFile(join(this.rig.data, "aetherv.log"), "utf8");
      const line = text.split("\n").findLast((one) => one.includes("the console listens")) ?? "";
      this.#url = (JSON.parse(line) as { url: string }).url;
      return this.#url !== "";
    });
  }

  /** With a slash at its end. */
  get url(): string {
    return this.#url;
  }

  address(path: string): string {
    return new URL(path, this.#url).href;
  }

  /** A token of this role, made as `aetherv token create` does. */
  async token(role: Role): Promise<string> {
    if (role === "admin") return (await readFile(join(this.rig.data, "console-token"), "utf8")).trim();
    const file = new TokenFile(join(this.rig.data, "console-tokens.json"));
    return file.create({ name: `${role}-${process.hrtime.bigint()}`, role, createdAt: new Date().toISOString() });
  }

  /** A page of somebody with this role. */
  async page(role: Role = "admin", view: View = {}): Promise<Watched> {
    const watched = await openPage(this.browser, this.#url, await this.token(role), view);
    this.#watched.push(watched);
    return watched;
  }

  /** What went wrong in any page so far. */
  get faults(): readonly string[] {
    return this.#watched.flatMap(({ faults }) => faults);
  }

  async dispose(): Promise<void> {
    await this.browser.close();
    await this.rig.dispose();
  }
}
