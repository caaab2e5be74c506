/**
 * One run per folder: two that save into one would delete each other's checkpoints.
 *
 * The lock is a file that says whose it is. It is made under another name and linked into place, so that
 * nobody ever sees half of it; one whose process is no more is taken over.
 */
import { dirname, join } from "node:path";
import { CheckpointError, Prose } from "../../errors.ts";
import { parseJson } from "../json.ts";
import { fault, isNotFound } from "./fault.ts";
import { ownMark, whyGone, type ProcessMark } from "./process.ts";
import { readWhole, temporaryName, writeNew, type FileSystem } from "./whole-file.ts";

const NAME = "downhill.lock";
/** Others may take it at the same time, but not for ever. */
const MOST_TRIES = 20;

export interface Lock {
  /** What was there before, if it was a stale one. */
  readonly stale: string | null;
  release(): Promise<void>;
}

/** @throws {CheckpointError} `LOCKED` while another run has the folder. */
export async function lockFolder(folder: string, fs: FileSystem): Promise<Lock> {
  const path = join(folder, NAME);
  const own = join(folder, temporaryName(NAME));
  const text = JSON.stringify({ ...ownMark(), key: own });
  let stale: string | null = null;
  try {
    await writeNew(own, new TextEncoder().encode(text), fs);
    for (let tries = 0; !(await tryLink(own, path, fs)); tries++) {
      if (tries === MOST_TRIES) refuse(path, "something that comes and goes");
      stale = (await clear(path, fs)) ?? stale;
    }
  } catch (error) {
    throw fault(folder, error, "a folder that can be locked");
  } finally {
    await fs.unlink(own).catch(() => {});
  }
  const release = async (): Promise<void> => {
    try {
      if ((await read(path, fs)) === text) await fs.unlink(path);
    } catch (error) {
      throw fault(path, error, "a lock that can be removed");
    }
  };
  return { stale, release };
}

async function tryLink(from: string, to: string, fs: FileSystem): Promise<boolean> {
  try {
    await fs.link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Removes a lock whose process is no more. @returns why, or `null` if there is none any more. */
async function clear(path: string, fs: FileSystem): Promise<string | null> {
  const text = await read(path, fs);
  if (text === null) return null;
  const mark = markOf(text);
  const reason = mark ? whyGone(mark) : "it cannot be read";
  if (reason === null) refuse(path, `a lock of ${describe(mark!)}`);
  const aside = join(dirname(path), temporaryName(NAME));
  // Another run may have taken it over in between: then what was moved aside is not what was read.
  await fs.rename(path, aside).catch(ignoreMissing);
  const moved = await read(aside, fs);
  if (moved !== null && moved !== text) await tryLink(aside, path, fs);
  await fs.unlink(aside).catch(ignoreMissing);
  return `a lock of ${mark ? describe(mark) : "nobody"}: ${reason}`;
}

function ignoreMissing(error: unknown): void {
  if (!isNotFound(error)) throw error;
}

async function read(path: string, fs: FileSystem): Promise<string | null> {
  try {
    return new TextDecoder().decode(await readWhole(path, fs));
  } catch (error) {
    if (isNotFound((error as CheckpointError).cause)) return null;
    throw error;
  }
}

function markOf(text: string): ProcessMark | null {
  try {
    const mark = parseJson(text, "lock") as unknown as ProcessMark | null;
    return typeof mark?.pid === "number" ? mark : null;
  } catch {
    return null;
  }
}

function describe({ pid, host }: ProcessMark): string {
  return `process ${pid} on ${host}`;
}

function refuse(path: string, got: string): never {
  throw new CheckpointError("LOCKED", {
    subject: path,
    got: new Prose(got),
    expected: "no other run that saves here",
    advice: "Take another folder; if that run is surely no more, delete this file.",
  });
}
