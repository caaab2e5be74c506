/**
 * The lab in a real browser, as `downhill lab` serves it, for the tests of its rooms. Every visit watches what the
 * page complains of, and whom it asks for what.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { pagePolicy } from "../../src/cli/lab-policy.ts";
import { serveLab, type LabServer } from "../../src/cli/lab-server.ts";
import { findChromium, launchChromium } from "../helpers/chromium.ts";

export const labFolder: string = fileURLToPath(new URL("../../dist/lab", import.meta.url));

export interface Visit {
  readonly page: Page;
  /** What the console, the policy and the network say that they should not. */
  readonly complaints: string[];
  /** Paths of what was loaded. */
  readonly loaded: Set<string>;
}

export interface VisitOptions extends BrowserContextOptions {
  /** Another server than the one of the tests, e.g. without isolation. */
  readonly at?: LabServer;
  /** A content security policy of the host, in the place of the server's own. */
  readonly policy?: string;
}

/** A policy under which no WebAssembly is compiled. */
export const noWasm: string = pagePolicy.replace(" 'wasm-unsafe-eval'", "");

export interface Lab {
  /**
   * A page of its own at an address, once it is ready. Movement is reduced, if it does not ask for it.
   * Its context is closed after the test.
   */
  visit(hash: string, options?: VisitOptions): Promise<Visit>;
}

/** Whether tests of rooms cannot run here: there is no Chromium, and it need not be there. */
export const skipped: boolean =
  findChromium() === null && process.env["DOWNHILL_REQUIRE_ALL"] !== "1";

/** Serves the page and starts a browser for the tests of a `describe`, and ends both after them. */
export function useLab(launch: () => Promise<Browser> = launchChromium): Lab {
  let server: LabServer;
  let browser: Browser;

  beforeAll(async () => {
    if (!existsSync(join(labFolder, "index.html"))) throw new Error("npm run build makes the page");
    server = await serveLab({ folder: labFolder });
    browser = await launch();
  });
  afterEach(async () => {
    const leave = async (context: BrowserContext): Promise<void> => {
      // Some file may be on its way still.
      await context.unrouteAll({ behavior: "ignoreErrors" });
      await context.close();
    };
    await Promise.all(browser.contexts().map(leave));
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });

  return {
    async visit(hash, { at = server, policy, ...options } = {}) {
      const context = await browser.newContext({ reducedMotion: "reduce", ...options });
      if (policy !== undefined) await sendPolicy(context, policy);
      const page = await context.newPage();
      const complaints: string[] = [];
      const loaded = new Set<string>();
      page.on("pageerror", (error) => complaints.push(String(error)));
      page.on("console", (message) => complaints.push(message.text()));
      page.on("requestfailed", (request) => complaints.push(`failed: ${request.url()}`));
      context.on("request", (request) => {
        const url = new URL(request.url());
        if (url.protocol === "blob:") return;
        if (url.origin !== new URL(at.url).origin) complaints.push(`foreign: ${url.href}`);
        loaded.add(url.pathname);
      });
      await page.goto(`${at.url}${hash}`);
      await page.waitForSelector("[data-ready=true]");
      return { page, complaints, loaded };
    },
  };
}

async function sendPolicy(context: BrowserContext, policy: string): Promise<void> {
  await context.route("**/*", async (route) => {
    const response = await route.fetch();
    const headers = { ...response.headers(), "content-security-policy": policy };
    await route.fulfill({ response, headers });
  });
}

/** Bytes of files of the page, each gzipped, as hosts send them. */
export function gzipped(paths: Iterable<string>): number {
  return [...paths]
    .map((path) => readFileSync(join(labFolder, path === "/" ? "index.html" : path)))
    .reduce((sum, file) => sum + gzipSync(file).length, 0);
}

/** Says something about the page in the summary of the gate, and in the output. */
export function tell(line: string): void {
  process.stdout.write(`${line}\n`);
  const summary = process.env["DOWNHILL_SUMMARY"];
  if (summary !== undefined) appendFileSync(summary, `${line}\n`);
}

const axe = readFileSync(
  new URL("../../node_modules/axe-core/axe.min.js", import.meta.url),
  "utf8",
);

/**
 * That everyone can use the page, at the width of a desk and of a phone: axe finds nothing serious, and nothing
 * is wider than the screen. The visit needs `bypassCSP`. Everything that can be opened is opened.
 */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  await page.evaluate(axe);
  for (const width of [1280, 360]) {
    await page.setViewportSize({ width, height: 800 });
    const found = await page.evaluate(async () => {
      const { axe: checker } = globalThis as unknown as { axe: typeof import("axe-core") };
      const { violations, passes } = await checker.run();
      if (passes.length < 20) throw new Error("axe has looked at nothing");
      return violations.map(({ id, impact, nodes }) => [id, impact, nodes[0]!.html] as const);
    });
    expect(found.filter(([, impact]) => impact === "serious" || impact === "critical")).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
  }
}
