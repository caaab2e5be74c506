/** `downhill/checkpoint/node`: checkpoints in files, of which none is ever half there. */
import { basename, dirname } from "node:path";
import {
  decodeCheckpoint,
  encodeCheckpoint,
  type Checkpoint,
  type CheckpointContent,
} from "./checkpoint.ts";
import { fault } from "./files/fault.ts";
import { disk, readWhole, replaceFile, sweep, type FileSystem } from "./files/whole-file.ts";
import type { ReadBudget } from "./safetensors.ts";

export {
  CheckpointDirectory,
  latestValid,
  type DirectoryOptions,
  type LatestCheckpoint,
  type SkippedCheckpoint,
} from "./files/directory.ts";

/**
 * Saves a checkpoint as one file: whoever opens it sees the old one or the new one, whenever the process
 * or the machine stops. It is made of everything as it is when the call is made.
 *
 * @throws {CheckpointError} as {@link encodeCheckpoint}; `DISK_FULL`, `NOT_FOUND`, `NOT_ALLOWED` or
 *   `IO_ERROR`: the old file is still there; `DURABILITY_UNKNOWN`: the new one is there, but a power failure
 *   may undo that.
 */
export async function saveCheckpoint(
  path: string,
  content: CheckpointContent,
  { fs = disk }: { /** @internal */ readonly fs?: FileSystem } = {},
): Promise<void> {
  const bytes = await encodeCheckpoint(content);
  try {
    await sweep(dirname(path), (name, isGone) => isGone && name === basename(path), fs);
  } catch (error) {
    throw fault(path, error, "a folder to save into");
  }
  await replaceFile(path, bytes, fs);
}

/**
 * Reads a checkpoint.
 *
 * @throws {CheckpointError} as {@link decodeCheckpoint}, and `NOT_FOUND`, `NOT_ALLOWED`, `IO_ERROR`.
 */
export async function loadCheckpoint(path: string, budget?: ReadBudget): Promise<Checkpoint> {
  return decodeCheckpoint(await readWhole(path), budget);
}
