/** `downhill lab` as a program: what it prints, how it ends, and whom it hands its address to. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleCli } from "../../scripts/bundle-cli.mjs";
import { opener } from "../../src/cli/lab-browser.ts";
import { request } from "./helpers.ts";

test.each([
  ["linux", ["xdg-open", ["http://127.0.0.1:1/"]]],
  ["darwin", ["open", ["http://127.0.0.1:1/"]]],
  ["win32", ["rundll32", ["url.dll,FileProtocolHandler", "http://127.0.0.1:1/"]]],
] as const)("--open on %s", (platform, expected) => {
  expect(opener(platform, "http://127.0.0.1:1/")).toEqual(expected);
});

describe("the command", () => {
  let base: string;
  let installed: string;
  let bin: string;

  beforeAll(async () => {
    base = mkdtempSync(join(tmpdir(), "downhill-lab-"));
    installed = join(base, "installed");
    bin = join(base, "bin");
    mkdirSync(join(installed, "dist"), { recursive: true });
    writeFileSync(
      join(installed, "package.json"),
      '{ "name": "downhill", "version": "1.0.0", "type": "module" }',
    );
    await bundleCli(join(installed, "dist", "cli"));
    mkdirSync(join(installed, "dist", "lab"));
    writeFileSync(join(installed, "dist", "lab", "index.html"), "<h1>Lab</h1>");
  });

  afterAll(() => rmSync(base, { recursive: true, force: true }));

  function start(...args: string[]) {
    const child = spawn(process.execPath, [join(installed, "dist/cli/main.js"), "lab", ...args], {
      env: { ...process.env, PATH: bin },
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (part: Buffer) => (out += String(part)));
    child.stderr.on("data", (part: Buffer) => (err += String(part)));
    const ended = once(child, "close").then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as string | null,
      out,
      err,
    }));
    return {
      child,
      ended,
      errors: () => err,
      first: once(child.stdout, "data").then(() => out.trim()),
    };
  }

  test.each(["SIGINT", "SIGTERM"] as const)(
    "prints where it is, and %s ends it with nothing left, in the middle of a request too",
    async (signal) => {
      const { child, ended, first } = start();
      const url = new URL(await first);
      expect(url.hostname).toBe("127.0.0.1");
      const to = Number(url.port);
      expect((await request("/", { to })).body).toBe("<h1>Lab</h1>");
      const idle = connect(to, "127.0.0.1");
      idle.on("error", () => {});
      await once(idle, "connect");
      idle.write("GET / HTT");
      child.kill(signal);
      expect(await ended).toEqual({
        code: 0,
        signal: null,
        out: `${url.href}\n`,
        err: "Ctrl-C ends it.\n",
      });
      await expect(request("/", { to })).rejects.toMatchObject({ code: "ECONNREFUSED" });
    },
  );

  test("--port, and the same port once more", async () => {
    const one = start();
    const url = new URL(await one.first);
    const two = await start("--port", url.port).ended;
    expect(two).toMatchObject({ code: 1, out: "" });
    expect(two.err).toBe(
      `downhill: --port: got ${url.port}, which another program listens on, expected a free port. ` +
        "Leave --port out, and one is found.\n",
    );
    one.child.kill("SIGINT");
    await one.ended;
    const three = start("--port", url.port, "--no-isolation");
    expect(await three.first).toBe(url.href);
    const { headers } = await request("/", { to: Number(url.port) });
    expect(headers).not.toHaveProperty("cross-origin-opener-policy");
    three.child.kill("SIGINT");
    expect(await three.ended).toMatchObject({ code: 0 });
  });

  test.each(["-1", "65536", "1.5", "x", ""])("--port %j is no port", async (value) => {
    const { code, err } = await start(`--port=${value}`).ended;
    expect(code).toBe(2);
    expect(err).toContain("--port");
  });

  test("--open hands the address to the browser, and says so where there is none", async () => {
    const none = start("--open");
    await none.first;
    await expect.poll(none.errors).toContain("no program here that opens a browser");
    none.child.kill("SIGINT");
    expect(await none.ended).toMatchObject({ code: 0 });

    mkdirSync(bin);
    const seen = join(base, "seen");
    const script = `#!/bin/sh\nprintf '%s,' "$#" "$@" > ${seen}\n`;
    for (const name of ["xdg-open", "open"])
      writeFileSync(join(bin, name), script, { mode: 0o755 });
    const some = start("--open");
    const url = await some.first;
    await expect.poll(() => existsSync(seen) && readFileSync(seen, "utf8")).toBe(`1,${url},`);
    some.child.kill("SIGINT");
    expect(await some.ended).toMatchObject({ code: 0, err: "Ctrl-C ends it.\n" });
  });

  test("without a page", async () => {
    rmSync(join(installed, "dist", "lab"), { recursive: true });
    const { code, out, err } = await start().ended;
    expect({ code, out }).toEqual({ code: 1, out: "" });
    expect(err).toContain("got no page in");
    expect(err).not.toContain("at "); // no stack
  });
});
