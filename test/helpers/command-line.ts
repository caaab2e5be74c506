/**
 * Runs the bundled command line: as a program, or in this process, which is quicker as it has MNIST's and
 * jax-js's code already.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { vi } from "vitest";

export interface Ended {
  readonly status: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ApartOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** Options of Node itself. */
  readonly node?: readonly string[];
}

/** A process of its own, with all that comes with one. */
export function runApart(
  bundle: string,
  args: readonly string[],
  options: ApartOptions = {},
): Ended {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...(options.node ?? []), join(bundle, "main.js"), ...args],
    { cwd: options.cwd, encoding: "utf8", env: { ...process.env, ...options.env } },
  );
  return { status, stdout, stderr };
}

let runs = 0;

/** Loads the program once more, and takes back what it has set in this process. */
export async function runHere(bundle: string, args: readonly string[]): Promise<Ended> {
  const { argv, exitCode } = process;
  const dropListeners = [listenersOf(process, "SIGINT"), listenersOf(process.stdout, "error")];
  const said = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      said[name] += String(text);
      return true;
    }),
  );
  const main = join(bundle, "main.js");
  Object.assign(process, { argv: [process.execPath, main, ...args], exitCode: undefined });
  try {
    runs += 1;
    await import(/* @vite-ignore */ `${pathToFileURL(main).href}?run=${runs}`);
    return { status: process.exitCode ?? 0, ...said };
  } finally {
    Object.assign(process, { argv, exitCode });
    for (const spy of spies) spy.mockRestore();
    for (const drop of dropListeners) drop();
  }
}

/** Takes note of the listeners that there are; what it returns drops all others. */
function listenersOf(emitter: NodeJS.EventEmitter, event: string): () => void {
  const known = emitter.listeners(event);
  return () => {
    for (const listener of emitter.listeners(event)) {
      if (!known.includes(listener)) emitter.off(event, listener as () => void);
    }
  };
}
