/**
 * Files that are there whole or not at all, whatever happens and whenever.
 *
 * A new file is written under another name, brought to the disk, read again, and only then renamed over
 * the old one, which is a single step to everybody who looks. Then the folder is brought to the disk.
 */
import { randomBytes } from "node:crypto";
import * as promises from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { CheckpointError, Prose } from "../../errors.ts";
import { fault } from "./fault.ts";
import { bootId, isAlive } from "./process.ts";

/** The part of `node:fs/promises` that is used; tests put failures into it. */
export type FileSystem = Pick<
  typeof promises,
  "open" | "rename" | "unlink" | "link" | "readdir" | "mkdir"
>;

export const disk: FileSystem = promises;

/** Larger pieces than 2 GiB Node does not take, and smaller ones cost nothing. */
const PIECE = 2 ** 26;
const WHOLE = "a file that is written whole";

/**
 * Replaces a file, or makes it.
 *
 * @throws {CheckpointError} `DISK_FULL`, `NOT_FOUND`, `NOT_ALLOWED` or `IO_ERROR`: what was there is still
 *   there; `DURABILITY_UNKNOWN`: the new file is there, but a power failure may bring the old one back.
 */
export async function replaceFile(path: string, bytes: Uint8Array, fs = disk): Promise<void> {
  const temporary = join(dirname(path), temporaryName(basename(path)));
  try {
    await writeNew(temporary, bytes, fs);
    await compare(temporary, bytes, fs);
    await fs.rename(temporary, path);
  } catch (error) {
    await fs.unlink(temporary).catch(() => {}); // it may be gone, or the whole disk
    throw fault(path, error, WHOLE);
  }
  try {
    await syncFolder(dirname(path), fs);
  } catch (error) {
    const advice = "The file is in place, but may be lost if the power fails now: save again.";
    throw fault(path, error, "a folder brought to the disk", "DURABILITY_UNKNOWN", advice);
  }
}

/** Writes a file that is not there yet, up to the disk. */
export async function writeNew(path: string, bytes: Uint8Array, fs: FileSystem): Promise<void> {
  const file = await fs.open(path, "wx");
  try {
    for (let at = 0; at < bytes.length;) {
      const length = Math.min(PIECE, bytes.length - at);
      const { bytesWritten } = await file.write(bytes, at, length);
      if (bytesWritten === 0) refuse(path, "a write of no bytes", WHOLE);
      at += bytesWritten;
    }
    await file.sync();
  } catch (error) {
    await file.close().catch(() => {}); // the first error counts
    throw error;
  }
  await file.close();
}

/** Whether the file holds what was written. */
async function compare(path: string, bytes: Uint8Array, fs: FileSystem): Promise<void> {
  const piece = new Uint8Array(Math.min(2 ** 22, bytes.length));
  await reading(path, fs, async (file, size) => {
    let at = 0;
    while (at < size) {
      const { bytesRead } = await file.read(piece, 0, piece.length, at);
      if (bytesRead === 0) break;
      const written = bytes.subarray(at, at + bytesRead);
      if (Buffer.compare(piece.subarray(0, bytesRead), written) !== 0) break;
      at += bytesRead;
    }
    if (at !== bytes.length) refuse(path, "other bytes than were written", "the same");
  });
}

/**
 * All bytes of a file.
 *
 * @throws {CheckpointError} `NOT_FOUND`, `NOT_ALLOWED`, `IO_ERROR`, or `TOO_LARGE` for the memory.
 */
export async function readWhole(path: string, fs = disk): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return await reading(path, fs, async (file, size) => {
      const bytes = allocate(path, size);
      let at = 0;
      while (at < size) {
        const { bytesRead } = await file.read(bytes, at, Math.min(PIECE, size - at), at);
        if (bytesRead === 0) break;
        at += bytesRead;
      }
      return bytes.subarray(0, at);
    });
  } catch (error) {
    throw fault(path, error, "a file that can be read");
  }
}

/** A file opened for reading, and its size. */
export async function reading<T>(
  path: string,
  fs: FileSystem,
  read: (file: promises.FileHandle, size: number) => Promise<T>,
): Promise<T> {
  const file = await fs.open(path, "r");
  try {
    const stat = await file.stat();
    if (!stat.isFile()) refuse(path, "something else", "a file");
    return await read(file, stat.size);
  } finally {
    await file.close();
  }
}

function allocate(path: string, size: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(size);
  } catch {
    return refuse(path, `${size} bytes`, "as many as there is memory for", "TOO_LARGE");
  }
}

/** Makes a folder and those above it, up to the disk. */
export async function makeFolder(path: string, fs: FileSystem): Promise<void> {
  const first = await fs.mkdir(path, { recursive: true });
  if (first === undefined) return;
  const top = dirname(resolve(first));
  let at = resolve(path);
  do await syncFolder((at = dirname(at)), fs);
  while (at !== top);
}

async function syncFolder(path: string, fs: FileSystem): Promise<void> {
  if (process.platform === "win32") return; // there folders cannot be opened
  const folder = await fs.open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** A name that nobody else takes, and that tells whose it is. */
export function temporaryName(name: string): string {
  return `.${name}.tmp-${bootId()}-${process.pid}-${randomBytes(6).toString("hex")}`;
}

const TEMPORARY = /^\.(.+)\.tmp-(\w*)-(\d+)-[0-9a-f]{12}$/;

/**
 * Removes what was left half written.
 *
 * @param isStale whether to, by the name that the file was to get, and by whether the process that wrote it
 *   is known to be no more.
 */
export async function sweep(
  folder: string,
  isStale: (name: string, isGone: boolean) => boolean,
  fs = disk,
): Promise<void> {
  for (const file of await fs.readdir(folder)) {
    const [, name, boot, pid] = TEMPORARY.exec(file) ?? [];
    if (name === undefined) continue;
    const isGone = boot === bootId() && !isAlive(Number(pid));
    if (isStale(name, isGone)) await fs.unlink(join(folder, file)).catch(() => {});
  }
}

function refuse(subject: string, got: string, expected: string, code = "IO_ERROR"): never {
  throw new CheckpointError(code, { subject, got: new Prose(got), expected });
}
