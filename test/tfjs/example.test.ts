/** The example in examples/tfjs, run as its reader would run it: one process after another. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bundle } from "../helpers/bundle.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
let folder: string;
let script: string;

beforeAll(async () => {
  const cache = join(root, "node_modules/.cache");
  mkdirSync(cache, { recursive: true });
  folder = mkdtempSync(join(cache, "tfjs-"));
  script = join(folder, "train.mjs");
  const code = readFileSync(join(root, "examples/tfjs/train.mjs"), "utf8");
  writeFileSync(script, await bundle(code));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(model: string, epochs: number): string[] {
  const args = [script, join(folder, model), String(epochs)];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout.trimEnd().split("\n");
}

test("a run that is interrupted ends where one without interruption does", () => {
  const whole = run("whole", 6);
  expect(run("parts", 2).slice(0, -1)).toEqual(whole.slice(0, 2));
  expect(run("parts", 4)).toEqual(whole.slice(2));
  expect(whole.at(-1)).toMatch(/^step 48, learning rate 0\.018\d+, in place: /);
  const bytes = (model: string) => readFileSync(join(folder, model, "weights.bin"));
  expect(bytes("parts").equals(bytes("whole"))).toBe(true);
  const loss = (line: string) => Number(/loss (\S+),/.exec(line)![1]);
  expect(loss(whole[5]!)).toBeLessThan(loss(whole[0]!) / 2);
});
