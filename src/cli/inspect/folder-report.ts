/** The files of a folder: which is a checkpoint of which step, and which of them is the latest that is whole. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { fault } from "../../checkpoint/files/fault.ts";
import { CheckpointError } from "../../errors.ts";
import { alignColumns } from "../report/align.ts";
import { formatBytes, formatCount } from "../../bench/format.ts";
import { damageOf } from "./file-report.ts";
import { inspectFile } from "./inspect-file.ts";

export interface FileSummary {
  readonly name: string;
  readonly bytes: number;
  /** When it was saved, in ISO's form. */
  readonly saved: string;
  readonly format: string | null;
  readonly step: number | null;
  /** What is wrong with it; `null` if nothing is. */
  readonly error: { readonly code: string; readonly message: string } | null;
}

export interface FolderReport {
  readonly folder: string;
  /** The checkpoint with the highest step that is whole. */
  readonly latestValid: string | null;
  /** The highest step first. */
  readonly files: readonly FileSummary[];
}

const KNOWN = /\.(safetensors|pt|pth|ckpt)$/;

/** @throws {CheckpointError} `NOT_FOUND`, …. */
export async function inspectFolder(folder: string, isDeep: boolean): Promise<FolderReport> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch (error) {
    throw fault(folder, error, "a folder that can be read");
  }
  const files: FileSummary[] = [];
  for (const name of names.filter((one) => KNOWN.test(one) && !one.startsWith("."))) {
    files.push(await summary(folder, name, isDeep));
  }
  const step = ({ step: at }: FileSummary) => at ?? -1;
  const sorted = files.toSorted((a, b) => step(b) - step(a) || a.name.localeCompare(b.name, "en"));
  const latest = sorted.find(({ step: at, error }) => at !== null && error === null);
  return { folder, latestValid: latest?.name ?? null, files: sorted };
}

async function summary(folder: string, name: string, isDeep: boolean): Promise<FileSummary> {
  const path = join(folder, name);
  const { size, mtime } = await stat(path);
  const known = { name, bytes: size, saved: mtime.toISOString() };
  const guess = /^step-(\d+)\./.exec(name)?.[1];
  try {
    const report = await inspectFile(path, { isDeep, hasStatistics: false, isWanted: () => true });
    const { format, step } = report;
    const damage = damageOf(report);
    const message = `damaged: ${damage.join(", ")}`;
    const error = damage.length > 0 ? { code: "DIGEST_MISMATCH", message } : null;
    return { ...known, format, step, error };
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    const { code, message } = error;
    const step = guess === undefined ? null : Number(guess);
    return { ...known, format: null, step, error: { code, message } };
  }
}

export function folderText({ folder, latestValid, files }: FolderReport): string {
  if (files.length === 0) return `${folder}: no checkpoints`;
  const rows = files.map(({ name, bytes, saved, step, error }) => [
    step === null ? "-" : formatCount(step),
    name,
    formatBytes(bytes),
    saved.slice(0, 19).replace("T", " "),
    error
      ? `${error.code}: ${error.message}`
      : name === latestValid
        ? "whole, the latest"
        : "whole",
  ]);
  const head = ["Step", "File", "Bytes", "Saved (UTC)", "State"];
  const aligned = alignColumns([head, ...rows], ["right", "left", "right", "left", "left"]);
  const count = files.length === 1 ? "1 file" : `${files.length} files`;
  return [`${folder}: ${count}`, "", ...aligned].join("\n");
}
