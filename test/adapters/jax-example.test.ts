/** The example in examples/jax, run as its reader would run it. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { bundle } from "../helpers/bundle.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const cache = join(root, "node_modules/.cache");
mkdirSync(cache, { recursive: true });
const folder = mkdtempSync(join(cache, "jax-example-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("both ways train the network, and alike", async () => {
  const script = join(folder, "train.mjs");
  const code = readFileSync(join(root, "examples/jax/train.mjs"), "utf8");
  writeFileSync(script, await bundle(code));
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  const lines = stdout.trimEnd().split("\n");
  const losses = (who: string) =>
    lines.filter((line) => line.startsWith(who)).map((line) => Number(line.split("loss ")[1]));
  const [first, second] = [losses("optax-shaped"), losses("trainable")];
  expect([first.length, second.length]).toEqual([4, 4]);
  expect(Math.abs(first[1]! - second[1]!)).toBeLessThan(0.02);
  for (const list of [first, second]) expect(list[3]!).toBeLessThan(list[0]! / 5);
  expect(Number(lines.at(-1)!.split(" ")[0])).toBeGreaterThan(190);
}, 30_000);
