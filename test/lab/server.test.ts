/** How the lab is served: to this machine alone, with headers that a page can rely on, and nothing else. */
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { serveLab, type LabServer } from "../../src/cli/lab-server.ts";
import { findMnist, readMnistFile } from "../../src/cli/mnist.ts";
import { mnistFiles, packedName } from "../../src/training/mnist.ts";
import { request, type Asking } from "./helpers.ts";

let base: string;
let folder: string;
let server: LabServer;
let port: number;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), "downhill-lab-"));
  folder = join(base, "lab");
  mkdirSync(join(folder, "assets"), { recursive: true });
  mkdirSync(join(folder, "guide"));
  const files = {
    "index.html": "<h1>Lab</h1>",
    "assets/a.js": "1;",
    "assets/a.css": "a{}",
    "guide/index.html": "<h1>Guide</h1>",
    "icon.svg": "<svg/>",
    "data.wasm": "\0asm",
    "notes.md": "# Notes",
    "strange.xyz": "?",
    "with space.txt": "space",
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  writeFileSync(join(base, "secret.txt"), "secret");
  symlinkSync(join(base, "secret.txt"), join(folder, "link.txt"));
  server = await serveLab({ folder });
  port = Number(new URL(server.url).port);
});
afterAll(async () => {
  await server.close();
  rmSync(base, { recursive: true, force: true });
});

const ask = (path: string, options: Partial<Asking> = {}) =>
  request(path, { to: port, ...options });

describe("digits", () => {
  test("come from where MNIST is installed, if the page has none", async () => {
    const path = `/${packedName(mnistFiles.testLabels)}`;
    expect((await ask(path)).status).toBe(404);
    const mnist = findMnist();
    const other = await serveLab({ folder, mnist });
    const answer = await fetch(new URL(path, other.url));
    expect(answer.headers.get("content-type")).toBe("application/octet-stream");
    const bytes = gunzipSync(await answer.arrayBuffer());
    expect(bytes.equals(readMnistFile(mnist, mnistFiles.testLabels))).toBe(true);
    expect((await fetch(new URL(path, other.url), { method: "HEAD" })).status).toBe(200);
    expect((await fetch(new URL("/data/secret.gz", other.url))).status).toBe(404);
    await other.close();
  });
});

describe("files", () => {
  test.each([
    ["/", "<h1>Lab</h1>", "text/html; charset=utf-8", "no-cache"],
    ["/index.html?x=1", "<h1>Lab</h1>", "text/html; charset=utf-8", "no-cache"],
    ["/guide/", "<h1>Guide</h1>", "text/html; charset=utf-8", "no-cache"],
    ["/assets/a.js", "1;", "text/javascript; charset=utf-8", "max-age=31536000, immutable"],
    ["/assets/a.css", "a{}", "text/css; charset=utf-8", "max-age=31536000, immutable"],
    ["/icon.svg", "<svg/>", "image/svg+xml", "no-cache"],
    ["/data.wasm", "\0asm", "application/wasm", "no-cache"],
    ["/notes.md", "# Notes", "text/markdown; charset=utf-8", "no-cache"],
    ["/strange.xyz", "?", "application/octet-stream", "no-cache"],
    ["/with%20space.txt", "space", "text/plain; charset=utf-8", "no-cache"],
  ])("%s", async (path, body, type, caching) => {
    const answer = await ask(path);
    expect(answer).toMatchObject({ status: 200, body });
    expect(answer.headers["content-type"]).toBe(type);
    expect(answer.headers["cache-control"]).toBe(caching);
    expect(answer.headers["content-length"]).toBe(String(body.length));
  });

  test("HEAD says the same without the content", async () => {
    const answer = await ask("/", { method: "HEAD" });
    expect(answer).toMatchObject({ status: 200, body: "" });
    expect(answer.headers["content-length"]).toBe("12");
  });

  test.each([
    ["/../secret.txt", 404],
    ["/..%2fsecret.txt", 404],
    ["/%2e%2e/secret.txt", 404],
    ["/assets/../../secret.txt", 404],
    ["/..\\secret.txt", 404],
    ["/link.txt", 404], // leads out of the folder
    ["/index.html%00.js", 404],
    ["/assets", 404],
    ["/assets/", 404],
    ["//index.html", 404],
    ["/nothing", 404],
    ["/%zz", 400],
    ["http://example.org/", 400],
    ["*", 400],
  ])("%s: %i", async (path, status) => {
    const answer = await ask(path);
    expect(answer.status).toBe(status);
    expect(answer.body).not.toContain("secret");
  });

  test.each(["POST", "PUT", "DELETE", "OPTIONS", "PATCH"])("%s is refused", async (method) => {
    const answer = await ask("/", { method });
    expect(answer.status).toBe(405);
    expect(answer.headers.allow).toBe("GET, HEAD");
  });
});

describe("who may ask", () => {
  test.each(["127.0.0.1", "localhost", "LOCALHOST", "[::1]"])("%s, with the port", async (name) => {
    expect((await ask("/", { host: `${name}:${port}` })).status).toBe(200);
  });

  test.each([
    "example.org",
    "example.org:PORT",
    "localhost",
    "127.0.0.1",
    "127.0.0.1:1",
    "localhost.example.org:PORT",
    "evil-localhost:PORT",
    "127.0.0.1.example.org:PORT",
    "localhost:PORT.example.org",
    "user@localhost:PORT",
    "0.0.0.0:PORT",
  ])("not %s", async (name) => {
    const answer = await ask("/", { host: name.replace("PORT", String(port)) });
    expect(answer.status).toBe(421);
    expect(answer.body).not.toContain("Lab");
  });

  test("not a request without a host", async () => {
    const socket = connect(port, "127.0.0.1", () => socket.write("GET / HTTP/1.0\r\n\r\n"));
    const [first] = (await once(socket, "data")) as [Buffer];
    expect(String(first)).toMatch(/^HTTP\/1\.1 421 /);
    socket.destroy();
  });

  test("no other machine: it listens on the loopback address alone", async () => {
    const others = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    const addresses = [...others.map(({ address }) => address), "127.0.0.2"];
    for (const address of addresses.filter((a) => a !== "127.0.0.1" && !a.startsWith("fe80"))) {
      const socket = connect(port, address);
      const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
      expect([address, error.code]).toEqual([address, "ECONNREFUSED"]);
    }
  });
});

describe("headers", () => {
  test("of a page", async () => {
    const { headers } = await ask("/");
    expect(headers["content-security-policy"]).toMatchInlineSnapshot(
      `"default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; img-src 'self' blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"`,
    );
    expect(headers).toMatchObject({
      "cross-origin-opener-policy": "same-origin",
      "cross-origin-embedder-policy": "require-corp",
      "cross-origin-resource-policy": "same-origin",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
    });
  });

  test.each(["/nothing", "/%zz"])("of a refusal too: %s", async (path) => {
    const { headers } = await ask(path);
    expect(headers["content-security-policy"]).toContain("default-src 'self'");
    expect(headers["cross-origin-embedder-policy"]).toBe("require-corp");
    expect(headers["x-content-type-options"]).toBe("nosniff");
  });

  test("isolation: false leaves out those that isolate, and no others", async () => {
    const plain = await serveLab({ folder, isolation: false });
    const { headers } = await ask("/", { to: Number(new URL(plain.url).port) });
    await plain.close();
    expect(headers).not.toHaveProperty("cross-origin-opener-policy");
    expect(headers).not.toHaveProperty("cross-origin-embedder-policy");
    expect(headers["content-security-policy"]).toContain("default-src 'self'");
    expect(headers["cross-origin-resource-policy"]).toBe("same-origin");
  });
});

describe("errors", () => {
  test("a page that is not there", async () => {
    const nowhere = join(base, "nowhere");
    await expect(serveLab({ folder: nowhere })).rejects.toMatchObject({
      name: "LabError",
      code: "NOT_BUILT",
      message: `lab: got no page in ${nowhere}, expected index.html there. \`npm run build\` makes it.`,
    });
  });

  test("a port that is taken", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    const { port: taken } = other.address() as AddressInfo;
    await expect(serveLab({ folder, port: taken })).rejects.toMatchObject({
      code: "PORT_TAKEN",
      message:
        `--port: got ${taken}, which another program listens on, expected a free port. ` +
        "Leave --port out, and one is found.",
    });
    other.close();
  });
});
