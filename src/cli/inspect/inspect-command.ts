// `downhill inspect` at the terminal.

import { stat } from "node:fs/promises";

import { fault } from "../../checkpoint/files/fault.ts";
import { UsageError } from "../errors.ts";
import { hasColor, isFancy, note, print, terminalWidth } from "../output.ts";
import { damageOf, totalsOf, type FileReport } from "./file-report.ts";
import { folderText, inspectFolder } from "./folder-report.ts";
import { inspectFile } from "./inspect-file.ts";
import { reportText, type Order } from "./report-text.ts";

export interface InspectFlags {
  /** Which tensors: a part of the name, or a pattern with `*` and `?`. */
  readonly tensors: string | undefined;
  readonly sort: Order;
  readonly limit: number;
  /** Whether only headers are read. */
  readonly quick: boolean;
  readonly json: boolean;
}

/** @returns the exit code: 1 if something is damaged. */
export async function inspectCommand(path: string, flags: InspectFlags): Promise<number> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    (error: unknown) => {
      throw fault(path, error, "a file or a folder");
    },
  );
  return isFolder ? showFolder(path, flags) : showFile(path, flags);
}

async function showFolder(path: string, { quick, json }: InspectFlags): Promise<number> {
  const report = await inspectFolder(path, !quick);
  print(json ? JSON.stringify(report) : folderText(report));
  return report.files.some(({ error }) => error) ? 1 : 0;
}

async function showFile(path: string, flags: InspectFlags): Promise<number> {
  const { sort: order, limit, quick, json } = flags;
  const isWanted = matcher(flags.tensors);
  const report = await inspectFile(path, { isDeep: !quick, hasStatistics: true, isWanted });
  const { tensors } = report;
  if (flags.tensors !== undefined && !tensors.some(({ name }) => isWanted(name))) {
    throw new UsageError(
      `--tensors: got ${JSON.stringify(flags.tensors)}, expected a part of one of the ` +
        `${tensors.length} names, or a pattern for them.`,
    );
  }
  const width = isFancy() ? terminalWidth() : Infinity;
  if (json) print(jsonOf(report, isWanted));
  else print(reportText(report, { width, limit, order, isWanted, color: hasColor() }));
  const damage = damageOf(report);
  if (damage.length === 0) return 0;
  note(`downhill: ${path}: damaged: ${damage.length} of ${tensors.length + 1} digests differ`);
  return 1;
}

function jsonOf(report: FileReport, isWanted: (name: string) => boolean): string {
  const damaged = damageOf(report);
  const totals = totalsOf(report.tensors);
  const tensors = report.tensors.filter(({ name }) => isWanted(name));
  return JSON.stringify({ ...report, tensors, totals, damaged }, (_, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
}

/** `*` is any text, `?` any character; without either a part of the name is enough. */
function matcher(pattern: string | undefined): (name: string) => boolean {
  if (pattern === undefined) return () => true;
  if (!/[*?]/.test(pattern)) return (name) => name.includes(pattern);
  const source = pattern
    .replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`)
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const regex = new RegExp(`^${source}$`, "su");
  return (name) => regex.test(name);
}
