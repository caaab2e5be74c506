/** Reports for people: a head, a table of tensors that fits the terminal, and totals. */
import { Ansis } from "ansis";
import type { PlainData } from "../../checkpoint/index.ts";
import { alignColumns } from "../report/align.ts";
import { formatBytes, formatCount, formatScientific } from "../../bench/format.ts";
import {
  damageOf,
  totalsOf,
  type FileReport,
  type GroupReport,
  type OptimizerReport,
  type TensorReport,
} from "./file-report.ts";

export interface TextOptions {
  /** Characters in a line, to which names are cut; infinite leaves them whole. */
  readonly width: number;
  /** Lines of the table; 0 for all. */
  readonly limit: number;
  readonly order: Order;
  /** Which tensors are shown. */
  readonly isWanted: (name: string) => boolean;
  /** Use ANSI colours. */
  readonly color: boolean;
}

/** The least of them first by name and in the file, the greatest first by bytes and norm. */
export type Order = "name" | "file" | "bytes" | "norm";

const FORMATS = {
  downhill: "a checkpoint of Downhill's",
  safetensors: "safetensors",
  torch: "PyTorch's, of torch.save",
};

export function reportText(report: FileReport, options: TextOptions): string {
  const { file, bytes, format, version } = report;
  const title = `${file}: ${FORMATS[format]}${version === null ? "" : `, version ${version}`}`;
  return [
    `${title}, ${formatBytes(bytes)}`,
    ...section(headLines(report)),
    ...section(tableLines(report.tensors, options)),
    ...section([...totalLines(report), ...notFiniteLines(report)]),
  ].join("\n");
}

const section = (lines: readonly string[]): string[] => (lines.length > 0 ? ["", ...lines] : []);

/** Lines of what there may be any number of. */
const MANY = 20;

function headLines(report: FileReport): string[] {
  const { step, optimizers, schedulers, also } = report;
  const facts: [string, string][] = [];
  const add = (list: readonly [string, string][]): void => {
    facts.push(...list.slice(0, MANY));
    if (list.length > MANY) facts.push(["", `… and ${formatCount(list.length - MANY)} more`]);
  };
  if (step !== null) facts.push(["step", formatCount(step)]);
  for (const one of optimizers) {
    facts.push([one.place || "optimizer", optimizerText(one)]);
    add(one.groups.map((group, i) => [`  group ${i}`, groupText(group)]));
  }
  add(
    schedulers.map(({ name, step: at }) => [
      "scheduler",
      at === null ? name : `${name} at step ${formatCount(at)}`,
    ]),
  );
  add(Object.entries(also).map(([key, value]) => [key || "value", shown(value)]));
  const checked = digestText(report);
  if (checked !== null) facts.push(["digests", checked]);
  const lines = facts.map(([key, value]) => [printable(key), printable(value)]);
  return alignColumns(lines, ["left", "left"]).map((line) => `  ${line}`);
}

function counted(n: number, what: string): string {
  return `${formatCount(n)} ${what}${n === 1 ? "" : "s"}`;
}

function optimizerText({ name, steps, groups }: OptimizerReport): string {
  const count = counted(groups.length, "group");
  if (steps === null) return `${name}, ${count}`;
  const [least, most] = steps.map(formatCount);
  const range = least === most ? least! : `${least} to ${most}`;
  return `${name}, ${count}, ${range} steps of each parameter`;
}

function groupText({ member, parameters, elements, options }: GroupReport): string {
  const pairs = Object.entries(options).map(([key, value]) => `${key}=${optionText(value)}`);
  const size = elements > 0 ? ` of ${counted(elements, "element")}` : "";
  const count = `${counted(parameters, "parameter")}${size}`;
  return [...(member === undefined ? [] : [member]), count, pairs.join(", ")]
    .filter((part) => part !== "")
    .join("; ");
}

function optionText(value: unknown): string {
  if (Array.isArray(value)) return (value as unknown[]).map(optionText).join(",");
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}

const LONG = 60;

function shown(value: PlainData): string {
  const text = typeof value === "string" ? value : optionText(value);
  const line = text.replaceAll(/\s+/g, " ");
  return line.length > LONG
    ? `${line.slice(0, LONG)}… (${formatCount(text.length)} characters)`
    : line;
}

function digestText(report: FileReport): string | null {
  const { digest, isHeaderWhole, tensors, format } = report;
  if (digest === null) return null;
  const damage = damageOf(report);
  if (damage.length > 0) {
    const more = damage.length > 8 ? ` and ${damage.length - 8} more` : "";
    return `DAMAGED: ${damage.slice(0, 8).join(", ")}${more} (${digest})`;
  }
  if (format === "torch") return `all match (${digest} of each entry)`;
  const checked = tensors.filter(({ isWhole }) => isWhole).length;
  const header = isHeaderWhole ? "the header" : "";
  if (checked < tensors.length) return `${header} matches; tensors were not compared (${digest})`;
  return `all match (${digest} of ${header} and ${counted(checked, "tensor")})`;
}

interface Column {
  readonly head: string;
  readonly align: "left" | "right";
  readonly text: (tensor: TensorReport) => string;
}

/** Four digits, and whole numbers of usual size exactly. */
function number(value: number | null | undefined): string {
  if (value === null || value === undefined) return "-";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return String(value);
  const isUsual = size >= 1e-4 && size < 1e7;
  return isUsual ? String(Number(value.toPrecision(4))) : formatScientific(value, 3);
}
const count = (n: number | undefined): string => (n === undefined ? "-" : formatCount(n));

const COLUMNS: readonly Column[] = [
  { head: "Name", align: "left", text: ({ name }) => printable(name) },
  { head: "What", align: "left", text: ({ what }) => what },
  { head: "Type", align: "left", text: ({ dtype }) => dtype },
  { head: "Shape", align: "left", text: ({ shape }) => `[${shape.join(", ")}]` },
  { head: "Bytes", align: "right", text: ({ bytes }) => formatBytes(bytes) },
];
const NUMBERS: readonly Column[] = [
  { head: "Norm", align: "right", text: ({ statistics }) => number(statistics?.norm) },
  { head: "Min", align: "right", text: ({ statistics }) => number(statistics?.min) },
  { head: "Max", align: "right", text: ({ statistics }) => number(statistics?.max) },
  { head: "NaN", align: "right", text: ({ statistics }) => count(statistics?.nan) },
  { head: "Inf", align: "right", text: ({ statistics }) => count(statistics?.inf) },
];
const DAMAGE: Column = {
  head: "Digest",
  align: "left",
  text: ({ isWhole }) => (isWhole === false ? "DAMAGED" : ""),
};

/** Control characters, which a terminal would obey, as escapes. */
function printable(name: string): string {
  return name.replaceAll(/[\p{Cc}\p{Cf}]/gu, (c) => `\\u{${c.codePointAt(0)!.toString(16)}}`);
}

function tableLines(tensors: readonly TensorReport[], options: TextOptions): string[] {
  const { width, limit, order, isWanted, color } = options;
  const wanted = tensors.filter(({ name }) => isWanted(name));
  if (wanted.length === 0) return [];
  const sorted = wanted.toSorted(ORDERS[order]);
  // What is damaged or not finite is seen, however long the table.
  const damaged = sorted.filter(({ isWhole }) => isWhole === false);
  const strange = sorted.filter((one) => !isFinite(one));
  const most = limit === 0 ? Infinity : limit;
  const listed = new Set([...new Set([...damaged, ...strange, ...sorted])].slice(0, most));
  const columns = [
    ...COLUMNS,
    ...(wanted.some(({ statistics }) => statistics) ? NUMBERS : []),
    ...(damaged.length > 0 ? [DAMAGE] : []),
  ];
  const chosen = sorted.filter((one) => listed.has(one));
  const rows = chosen.map((tensor) => columns.map(({ text }) => text(tensor)));
  const heads = columns.map(({ head }) => head);
  const paint = new Ansis(color ? 1 : 0);
  const lines = alignColumns(
    fit([heads, ...rows], width),
    columns.map(({ align }) => align),
  ).map((line, i) => {
    if (i === 0) return paint.bold(line);
    const tensor = chosen[i - 1]!;
    if (tensor.isWhole === false) return paint.red(line);
    return isFinite(tensor) ? line : paint.yellow(line);
  });
  const rest = wanted.length - rows.length;
  if (rest === 0) return lines;
  const advice = "--limit 0 shows all, --tensors narrows";
  return [...lines, `… and ${formatCount(rest)} more (${advice})`];
}

const byName = new Intl.Collator("en", { numeric: true });
const norm = ({ statistics }: TensorReport): number => statistics?.norm ?? -1;
const ORDERS: Readonly<Record<Order, (a: TensorReport, b: TensorReport) => number>> = {
  name: (a, b) => byName.compare(a.name, b.name),
  file: () => 0,
  bytes: (a, b) => b.bytes - a.bytes || byName.compare(a.name, b.name),
  norm: (a, b) => norm(b) - norm(a) || byName.compare(a.name, b.name),
};

const SHORTEST = 16;

/** Cuts names in their middle until lines fit. */
function fit(rows: readonly (readonly string[])[], width: number): (readonly string[])[] {
  const columns = rows[0]!.length;
  let rest = width;
  for (let i = 1; i < columns; i++) rest -= 2 + Math.max(...rows.map((row) => row[i]!.length));
  const most = Math.max(SHORTEST, rest);
  return rows.map(([name, ...others]) => {
    if (name!.length <= most) return [name!, ...others];
    const head = Math.ceil((most - 1) / 2);
    return [`${name!.slice(0, head)}…${name!.slice(name!.length - (most - 1 - head))}`, ...others];
  });
}

const isFinite = ({ statistics }: TensorReport): boolean =>
  !statistics || statistics.nan + statistics.inf === 0;

function notFiniteLines({ tensors }: FileReport): string[] {
  const strange = tensors.filter((one) => !isFinite(one));
  if (strange.length === 0) return [];
  const names = strange.slice(0, 8).map(({ name }) => printable(name));
  const more = strange.length > 8 ? `, and ${formatCount(strange.length - 8)} more` : "";
  return ["", `Not finite in ${counted(strange.length, "tensor")}: ${names.join(", ")}${more}`];
}

function totalLines({ tensors }: FileReport): string[] {
  const rows = totalsOf(tensors).map(({ what, tensors: n, elements, bytes }) => [
    what,
    counted(n, "tensor"),
    counted(elements, "element"),
    formatBytes(bytes),
  ]);
  return alignColumns(rows, ["left", "right", "right", "right"]);
}
