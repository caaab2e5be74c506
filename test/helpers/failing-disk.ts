/** A file system that fails at one of its operations, or writes less than it is asked to. */
import * as promises from "node:fs/promises";
import type { FileSystem } from "../../src/checkpoint/files/whole-file.ts";

export interface Failing {
  readonly fs: FileSystem;
  /** What was done so far, one after another. */
  readonly log: readonly string[];
}

/** What happens at an operation: nothing unusual, or an error. */
export type Fate = (operation: string, index: number) => Error | null;

export function osError(code: string): Error {
  return Object.assign(new Error(`${code}: by order of the test`), { code });
}

/** @param most bytes of a single write or read. */
export function failingDisk(fate: Fate, most = Infinity): Failing {
  const log: string[] = [];
  const wrap = <T extends object>(target: T, names: readonly string[], prefix: string): T =>
    new Proxy(target, {
      get(_, name) {
        const method: unknown = Reflect.get(target, name, target);
        if (typeof method !== "function" || !names.includes(String(name))) return method;
        return async (...args: unknown[]): Promise<unknown> => {
          const operation = `${prefix}${String(name)}`;
          const error = fate(operation, log.length);
          log.push(operation);
          if (error) {
            if (operation === "file.close") await Reflect.apply(method, target, args); // no leak
            throw error;
          }
          if (name === "write" || name === "read") args[2] = Math.min(args[2] as number, most);
          const result: unknown = await Reflect.apply(method, target, args);
          return name === "open" ? wrap(result as object, FILE, "file.") : result;
        };
      },
    });
  return { fs: wrap(promises as FileSystem, FOLDER, ""), log };
}

const FOLDER = ["open", "rename", "unlink", "link", "readdir", "mkdir"];
const FILE = ["write", "read", "sync", "close", "stat"];
