// Serves the page of the lab to this machine alone.
//
// It listens on 127.0.0.1 only, and answers only requests that name this machine as their host: a
// page from elsewhere whose name is suddenly made to point here (DNS rebinding) gets nothing. A path is
// looked up among the files that are there, so none leads out of the folder.

import { createReadStream } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, relative, sep } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

import { mnistFiles, packedName } from "../training/mnist.ts";
import { CodedError } from "./errors.ts";
import { isolationHeaders, safetyHeaders } from "./lab-policy.ts";

export type LabErrorCode = "NOT_BUILT" | "PORT_TAKEN" | "PORT_REFUSED";

/** The page cannot be served. */
export class LabError extends CodedError<LabErrorCode> {
  override readonly name = "LabError";
}

export interface LabServerOptions {
  /** The folder with the page's files. */
  readonly folder: string;
  /** 0 (default) takes one that is free. */
  readonly port?: number;
  /** Whether the page may have shared memory and so threads (default true). */
  readonly isolation?: boolean;
  /** A folder with the four files of MNIST, for a page that was built without them. */
  readonly mnist?: string | undefined;
}

/** A page that is being served. */
export interface LabServer {
  readonly url: string;
  /** Ends it, also what is under way. */
  close(): Promise<void>;
}

const types: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".md": "text/markdown; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
  ".woff2": "font/woff2",
};
const anyType = "application/octet-stream";

/**
 * Begins to serve.
 *
 * @throws {LabError} `NOT_BUILT` if there is no page, `PORT_TAKEN` and `PORT_REFUSED` for the port.
 */
export async function serveLab(options: LabServerOptions): Promise<LabServer> {
  const { folder, port = 0, isolation = true, mnist } = options;
  if (!(await listFiles(folder)).has("index.html")) {
    throw new LabError(
      "NOT_BUILT",
      `lab: got no page in ${folder}, expected index.html there. \`npm run build\` makes it.`,
    );
  }
  const common = { ...safetyHeaders, ...(isolation && isolationHeaders) };
  const server = createServer((request, response) => {
    answer(request, response, { folder, mnist }, common).catch(() => response.destroy());
  });
  await listen(server, port);
  const { port: chosen } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${chosen}/`,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
}

async function listen(server: Server, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "EADDRINUSE") {
      throw new LabError(
        "PORT_TAKEN",
        `--port: got ${port}, which another program listens on, expected a free port. ` +
          "Leave --port out, and one is found.",
      );
    }
    throw new LabError(
      "PORT_REFUSED",
      `--port: got ${port}, expected one that this user may listen on (${error.message}).`,
    );
  });
}

/** The files below a folder: their paths by their names there, with `/` between. None if it is not there. */
async function listFiles(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile());
  return new Map(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [relative(folder, path).split(sep).join("/"), path];
    }),
  );
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  { folder, mnist }: Pick<LabServerOptions, "folder" | "mnist">,
  common: OutgoingHttpHeaders,
): Promise<void> {
  const refuse = (status: number, text: string, headers: OutgoingHttpHeaders = {}): void => {
    response.writeHead(status, { ...common, ...headers, "Content-Type": types[".txt"] });
    response.end(request.method === "HEAD" ? undefined : `${text}\n`);
  };
  const { method = "", headers, socket } = request;
  if (!isThisMachine(headers.host, socket.localPort)) {
    return refuse(421, "This serves the machine that it runs on, by the name of 127.0.0.1.");
  }
  if (method !== "GET" && method !== "HEAD") {
    return refuse(405, "There are only pages to get here.", { Allow: "GET, HEAD" });
  }
  const name = nameOf(request.url ?? "");
  if (name === null) return refuse(400, "That is no path.");
  const path = (await listFiles(folder)).get(name);
  if (path === undefined) {
    const digits = Object.values(mnistFiles).find((file) => packedName(file) === name);
    if (!digits || mnist === undefined) return refuse(404, "There is no such file.");
    response.writeHead(200, { ...common, "Content-Type": anyType, "Cache-Control": "no-cache" });
    if (method === "HEAD") return void response.end();
    const file = createReadStream(join(mnist, digits.name));
    return pipeline(file, createGzip({ level: 1 }), response);
  }
  const { size } = await stat(path);
  response.writeHead(200, {
    ...common,
    "Content-Type": types[extname(path)] ?? anyType,
    "Content-Length": size,
    // What is in assets/ has its hash in its name.
    "Cache-Control": name.startsWith("assets/") ? "max-age=31536000, immutable" : "no-cache",
  });
  if (method === "HEAD") response.end();
  else await pipeline(createReadStream(path), response);
}

/** Whether a Host header names this machine and this port. */
function isThisMachine(host: string | undefined, port: number | undefined): boolean {
  const [, name, at = "80"] =
    /^(localhost|127\.0\.0\.1|\[::1\])(?::(\d+))?$/i.exec(host ?? "") ?? [];
  return name !== undefined && Number(at) === port;
}

/** The name of the file that is asked for, or `null` if the request does not ask by a path. */
function nameOf(target: string): string | null {
  if (!target.startsWith("/")) return null;
  try {
    const path = decodeURIComponent(target.slice(1).split("?", 1)[0]!);
    return path === "" || path.endsWith("/") ? `${path}index.html` : path;
  } catch {
    return null;
  }
}
