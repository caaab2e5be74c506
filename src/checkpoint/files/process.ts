/** Which process this is, so that another one can tell whether it is still there. */
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** A process as its number alone does not tell it: numbers are used again. */
export interface ProcessMark {
  readonly host: string;
  /** Different after each start of the machine; empty where there is none. */
  readonly boot: string;
  readonly pid: number;
  /** When the process began, in ticks; empty where that cannot be known. */
  readonly start: string;
}

let boot: string | undefined;

export function bootId(): string {
  return (boot ??= read("/proc/sys/kernel/random/boot_id").replaceAll(/\W/g, "").slice(0, 12));
}

export function ownMark(): ProcessMark {
  const { pid } = process;
  return { host: hostname(), boot: bootId(), pid, start: startOf(pid) };
}

/** Why the process of a mark is no more; `null` if it may be there. */
export function whyGone({ host, boot: at, pid, start }: ProcessMark): string | null {
  if (host !== hostname()) return null;
  if (at !== bootId()) return "the machine has been started again since";
  if (!isAlive(pid)) return "that process is no more";
  return startOf(pid) === start ? null : "another process has its number now";
}

export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The 22nd number of a process's line; its name, in brackets, may hold spaces. */
function startOf(pid: number): string {
  const line = read(`/proc/${pid}/stat`);
  return line.slice(line.lastIndexOf(")") + 2).split(" ")[19] ?? "";
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
