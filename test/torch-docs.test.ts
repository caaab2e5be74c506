/**
 * docs/coming-from-pytorch.md translates every public name of PyTorch's, and docs/parity.md says of every one
 * of its tests what covers it here: both are held against the lists, and against what is really there.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import * as downhill from "../src/index.ts";
import { torchNames, torchTests } from "./helpers/torch-lists.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (file: string) => readFileSync(join(root, file), "utf8");

/** Cells of a Markdown table's rows, heads and rules left out. */
function rows(markdown: string): string[][] {
  const lines = markdown.split("\n").filter((line) => line.startsWith("|"));
  const cells = lines.map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
  return cells.filter(
    ([first], i) => !/^:?-+:?$/.test(first!) && !/^:?-+:?$/.test(cells[i + 1]?.[0] ?? ""),
  );
}

const codeSpans = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]!);

describe("docs/coming-from-pytorch.md", () => {
  const text = read("docs/coming-from-pytorch.md");
  // Sections are headed by the module or class that their table is about.
  const sections = new Map(
    text.split(/^## /m).map((part) => [part.split("\n")[0]!.replaceAll("`", ""), rows(part)]),
  );

  test.each(Object.entries(torchNames))("%s: every name once", (module, names) => {
    const found = sections.get(module)!.map(([name]) => codeSpans(name!)[0]!);
    expect(found.toSorted()).toEqual([...names].toSorted());
  });

  test.each(Object.keys(torchNames))("%s: what it becomes is there, or why not", (module) => {
    for (const [name, ours, remark] of sections.get(module)!) {
      const spans = codeSpans(ours!);
      if (spans.length === 0) expect(remark, name).not.toBe("");
      for (const span of spans)
        for (const path of pathsOf(span)) expect(resolves(path), path).toBe(true);
    }
  });

  test("a name that is not there would be noticed", () => {
    expect(pathsOf("new Adam(params, { lr }).steps()")).toEqual(["Adam"]);
    expect(["Adam", "optimizer.step", "optimizer.steps", "Adamm"].map(resolves)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

/** Instances that the tables speak of. */
const instances: Readonly<Record<string, object>> = {
  optimizer: new downhill.SGD([downhill.parameter([0])]),
};

/** What code is about: names of exports, `Class.member`, `instance.member`. */
function pathsOf(code: string): string[] {
  const [, path] = /^(?:new |using |await )?([A-Za-z]\w*(?:\.\w+)?)/.exec(code) ?? [];
  return path === undefined ? [] : [path];
}

function resolves(path: string): boolean {
  const [head, member] = path.split(".") as [string, string | undefined];
  const exported = (downhill as Readonly<Record<string, unknown>>)[head];
  if (member === undefined) return exported !== undefined;
  if (head in instances) return member in instances[head]!;
  return member in ((exported as { readonly prototype?: object } | undefined)?.prototype ?? {});
}

describe("docs/parity.md", () => {
  const table = rows(read("docs/parity.md"));

  test("goes through the whole list, each test once", () => {
    const named = table.map(([name]) => codeSpans(name!).join(", "));
    expect(named.toSorted()).toEqual([...torchTests].toSorted());
  });

  test("names files and titles that exist, or a reason", () => {
    for (const [name, covered, remark] of table) {
      const spans = codeSpans(covered!);
      if (spans.length === 0) expect(remark, name).not.toBe("");
      for (const span of spans) {
        const [file, title] = span.split(": ") as [string, string | undefined];
        expect(existsSync(join(root, "test", file)), span).toBe(true);
        if (title !== undefined) expect(read(join("test", file)), span).toContain(title);
      }
    }
  });
});
