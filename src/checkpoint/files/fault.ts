/** What the file system refuses, in the words of this library. */
import { CheckpointError, Prose } from "../../errors.ts";

/** By the operating system's code: ours, and what to do. */
const KINDS: Readonly<Record<string, readonly [code: string, advice: string]>> = {
  ENOSPC: ["DISK_FULL", "Make room; what was saved before is still there."],
  EDQUOT: ["DISK_FULL", "Make room; what was saved before is still there."],
  EFBIG: [
    "DISK_FULL",
    "Files may not become that large here; what was saved before is still there.",
  ],
  ENOENT: ["NOT_FOUND", ""],
  EACCES: ["NOT_ALLOWED", ""],
  EPERM: ["NOT_ALLOWED", ""],
  EROFS: ["NOT_ALLOWED", ""],
};

/** @param code ours; by default what follows from the operating system's. */
export function fault(
  subject: string,
  cause: unknown,
  expected: string,
  code?: string,
  advice?: string,
): CheckpointError {
  if (cause instanceof CheckpointError) return cause;
  const { code: name = "", message } = cause as NodeJS.ErrnoException;
  const [kind, hint] = KINDS[name] ?? ["IO_ERROR", ""];
  const error = new CheckpointError(code ?? kind, {
    subject,
    got: new Prose(name ? `${name} (${message})` : message),
    expected,
    advice: advice ?? hint,
  });
  error.cause = cause;
  return error;
}

export function isNotFound(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === "ENOENT";
}
