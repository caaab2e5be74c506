/** Checkpoints in a real browser: kept over reloads, downloaded, and gone on with in Node. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { readFileSync } from "node:fs";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { CheckpointStore } from "../../src/checkpoint/browser.ts";
import { decodeCheckpoint } from "../../src/checkpoint/index.ts";
import { bits } from "../helpers/bits.ts";
import { bundle } from "../helpers/bundle.ts";
import { batches, createRun } from "../helpers/checkpoint-run.ts";
import { findChromium, launchChromium } from "../helpers/chromium.ts";

interface Tools {
  open(kind?: "files" | "database"): Promise<CheckpointStore>;
  saveAt(store: CheckpointStore, batch: number): Promise<string>;
  stepOf(store: CheckpointStore): Promise<number | null>;
  download(): Promise<void>;
}
type Global = typeof globalThis & { tools: Tools };

const script = `
  import { downloadCheckpoint, openCheckpointStore } from "downhill/checkpoint/browser";
  import { batches, createRun } from "./helpers/checkpoint-run.ts";
  const contentAt = (batch) => {
    const { average: _, ...run } = createRun();
    batches(run, 0, batch);
    return { ...run, step: batch };
  };
  globalThis.tools = {
    open: (kind) => openCheckpointStore("my run/1", kind),
    saveAt: (store, batch) => store.save(contentAt(batch)).then(() => "saved", ({ code }) => code),
    stepOf: async (store) => (await store.load())?.step ?? null,
    download: () => downloadCheckpoint("run.safetensors", contentAt(5)),
  };`;

const required = process.env["DOWNHILL_REQUIRE_ALL"] === "1";
describe.skipIf(findChromium() === null && !required)("Chromium", () => {
  let server: Server;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    const code = await bundle(script);
    server = createServer(({ url = "" }, response) => {
      const isScript = url === "/script.js";
      response.writeHead(200, { "Content-Type": isScript ? "text/javascript" : "text/html" });
      response.end(isScript ? code : `<script type="module" src="/script.js"></script>`);
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    browser = await launchChromium();
    page = await browser.newPage();
    await page.goto(origin());
    await ready();
  });
  afterAll(async () => {
    await browser?.close();
    server.close();
  });

  const origin = () => `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ready = () => page.waitForFunction(() => "tools" in globalThis);
  const save = (kind: "files" | "database", batch: number) =>
    page.evaluate(
      async ([which, at]) => {
        const { tools } = globalThis as Global;
        return tools.saveAt(await tools.open(which), at);
      },
      [kind, batch] as const,
    );
  const load = (kind: "files" | "database") =>
    page.evaluate(async (which) => {
      const { tools } = globalThis as Global;
      return tools.stepOf(await tools.open(which));
    }, kind);

  test("files are what is taken by itself", async () => {
    expect(await page.evaluate(async () => (await (globalThis as Global).tools.open()).kind)).toBe(
      "files",
    );
  });

  test.each(["files", "database"] as const)(
    "%s: kept over reloads, replaced, removed",
    async (kind) => {
      expect(await load(kind)).toBeNull();
      for (const batch of [3, 5]) {
        expect(await save(kind, batch)).toBe("saved");
        await page.reload();
        await ready();
        expect(await load(kind)).toBe(batch);
      }
      await page.evaluate(
        async (which) => (await (globalThis as Global).tools.open(which)).remove(),
        kind,
      );
      expect(await load(kind)).toBeNull();
    },
  );

  test("files: a full disk leaves the old one", async () => {
    expect(await save("files", 3)).toBe("saved");
    const session = await page.context().newCDPSession(page);
    await session.send("Storage.overrideQuotaForOrigin", { origin: origin(), quotaSize: 1000 });
    expect(await save("files", 5)).toBe("DISK_FULL");
    await session.send("Storage.overrideQuotaForOrigin", { origin: origin() });
    expect(await load("files")).toBe(3);
  });

  test("database: a transaction that is undone leaves the old one", async () => {
    expect(await save("database", 3)).toBe("saved");
    await page.evaluate(() => {
      const { prototype } = IDBObjectStore;
      const put = Reflect.get(prototype, "put") as IDBObjectStore["put"];
      prototype.put = function (...args) {
        const request = put.apply(this, args);
        request.addEventListener("success", () => this.transaction.abort());
        return request;
      };
    });
    expect(await save("database", 5)).toBe("IO_ERROR");
    expect(await load("database")).toBe(3);
  });

  test("a download is gone on with in Node, to the bit", async () => {
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.evaluate(() => (globalThis as Global).tools.download()),
    ]);
    expect(download.suggestedFilename()).toBe("run.safetensors");
    const checkpoint = await decodeCheckpoint(readFileSync(await download.path()));
    const resumed = createRun();
    checkpoint.restore(resumed);
    Object.assign(resumed.random, checkpoint.random);
    const whole = createRun();
    batches(whole, 0, 12);
    batches(resumed, checkpoint.step!, 12);
    expect(resumed.parameters.map((p) => bits(p.data))).toEqual(
      whole.parameters.map((p) => bits(p.data)),
    );
  });
});
