/**
 * `downhill/checkpoint/browser`: checkpoints that stay in a browser, or are downloaded.
 *
 * They go into a file of the origin's private file system, which is replaced as a whole when it is closed,
 * or, where that is missing, into IndexedDB, whose transactions take place or do not. So here too there is
 * the old checkpoint or the new one.
 */
import { CheckpointError, Prose } from "../errors.ts";
import {
  decodeCheckpoint,
  encodeCheckpoint,
  type Checkpoint,
  type CheckpointContent,
} from "./checkpoint.ts";

/** Where bytes are kept by name. */
interface Shelf {
  get(name: string): Promise<Uint8Array | null>;
  put(name: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  remove(name: string): Promise<void>;
}

/** Where a browser keeps a checkpoint: in a file of the origin's private file system, or in IndexedDB. */
export type StoreKind = "files" | "database";

/** One checkpoint that survives reloads of the page; made by {@link openCheckpointStore}. */
export class CheckpointStore {
  readonly name: string;
  /** `"files"` of the origin's private file system, or the `"database"` IndexedDB, for small ones. */
  readonly kind: StoreKind;
  private readonly shelf: Shelf;

  /** @internal */
  constructor(name: string, kind: StoreKind, shelf: Shelf) {
    this.name = name;
    this.kind = kind;
    this.shelf = shelf;
  }

  /**
   * Replaces the checkpoint by one of everything as it is when the call is made.
   *
   * @throws {CheckpointError} as {@link encodeCheckpoint}; `DISK_FULL` or `IO_ERROR`: the old one is still
   *   there.
   */
  async save(content: CheckpointContent): Promise<void> {
    const bytes = await encodeCheckpoint(content);
    await this.guard(this.shelf.put(this.name, bytes));
  }

  /** The checkpoint; `null` if there is none. @throws {CheckpointError} as {@link decodeCheckpoint}. */
  async load(): Promise<Checkpoint | null> {
    const bytes = await this.guard(this.shelf.get(this.name));
    return bytes && decodeCheckpoint(bytes);
  }

  async remove(): Promise<void> {
    await this.guard(this.shelf.remove(this.name));
  }

  private async guard<T>(work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (error) {
      throw fault(this.name, error);
    }
  }
}

/**
 * Opens the store of a name, in a page or in a worker.
 *
 * @param kind by default files where the browser has them.
 * @throws {CheckpointError} `NOT_ALLOWED` where the browser keeps nothing, as in some private windows.
 *
 * @example
 * const store = await openCheckpointStore("run");
 * (await store.load())?.restore({ parameters, optimizer });
 */
export async function openCheckpointStore(
  name: string,
  kind?: StoreKind,
): Promise<CheckpointStore> {
  const problems: unknown[] = [];
  for (const each of kind ? [kind] : (["files", "database"] as const)) {
    try {
      return new CheckpointStore(
        name,
        each,
        await (each === "files" ? openFiles() : openDatabase()),
      );
    } catch (error) {
      problems.push(error);
    }
  }
  throw fault(name, problems[0], "NOT_ALLOWED");
}

/** Lets the user save a checkpoint as a file; only in a page. */
export async function downloadCheckpoint(
  fileName: string,
  content: CheckpointContent,
): Promise<void> {
  const bytes = await encodeCheckpoint(content);
  const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  const link = Object.assign(document.createElement("a"), { href: url, download: fileName });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000); // browsers begin to read it later
}

async function openFiles(): Promise<Shelf> {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle("downhill", { create: true });
  if (!("createWritable" in FileSystemFileHandle.prototype)) throw new Error("no createWritable");
  const fileName = (name: string) => `${encodeURIComponent(name)}.safetensors`;
  const orNull = (error: unknown): null => {
    if ((error as DOMException).name === "NotFoundError") return null;
    throw error;
  };
  return {
    async get(name) {
      const handle = await folder.getFileHandle(fileName(name)).catch(orNull);
      return handle && new Uint8Array(await (await handle.getFile()).arrayBuffer());
    },
    async put(name, bytes) {
      const handle = await folder.getFileHandle(fileName(name), { create: true });
      const writable = await handle.createWritable();
      try {
        await writable.write(bytes);
      } catch (error) {
        await writable.abort().catch(() => {}); // the first error counts
        throw error;
      }
      await writable.close();
    },
    async remove(name) {
      await folder.removeEntry(fileName(name)).catch(orNull);
    },
  };
}

const TABLE = "checkpoints";

async function openDatabase(): Promise<Shelf> {
  const opening = indexedDB.open("downhill", 1);
  opening.addEventListener("upgradeneeded", () => opening.result.createObjectStore(TABLE));
  const database = await resultOf(opening);
  const table = (mode: "readonly" | "readwrite") =>
    database.transaction(TABLE, mode, { durability: "strict" }).objectStore(TABLE);
  return {
    get: async (name) => ((await resultOf(table("readonly").get(name))) as Uint8Array) ?? null,
    put: (name, bytes) => changed(table("readwrite").put(bytes, name)),
    remove: (name) => changed(table("readwrite").delete(name)),
  };
}

function resultOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error as DOMException));
  });
}

/** Until the transaction is complete: a request that succeeds may still be undone. */
function changed({ transaction }: IDBRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    const undone = () => transaction!.error ?? new DOMException("it was undone", "AbortError");
    transaction!.addEventListener("complete", () => resolve());
    transaction!.addEventListener("abort", () => reject(undone()));
  });
}

function fault(name: string, cause: unknown, code?: string): CheckpointError {
  const { name: kind = "", message = "" } = (cause ?? {}) as DOMException;
  const isFull = kind === "QuotaExceededError";
  const error = new CheckpointError(code ?? (isFull ? "DISK_FULL" : "IO_ERROR"), {
    subject: `checkpoint store ${JSON.stringify(name)}`,
    got: new Prose(`${kind}${message && ` (${message})`}`),
    expected: "a browser that keeps it",
    advice: isFull ? "What was saved before is still there." : "",
  });
  error.cause = cause;
  return error;
}
