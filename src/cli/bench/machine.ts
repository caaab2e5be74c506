// Where and when something was measured, and how large this machine's caches are.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { join } from "node:path";

import type { PeerVersion } from "../../bench/contender.ts";

export interface Setting {
  readonly command: string;
  readonly date: string;
  readonly processor: string;
  readonly cores: number;
  readonly node: string;
  /** Load average over the last minute, before and after. */
  readonly load: readonly [number, number];
  readonly peers: readonly PeerVersion[];
}

/** Looks at the machine now; the function that it returns looks again when all is measured. */
export function observe(): (peers: readonly PeerVersion[]) => Setting {
  const before = loadavg()[0]!;
  return (peers) => ({
    command: ["downhill bench", ...process.argv.slice(3)].join(" "),
    date: new Date().toISOString().slice(0, 10),
    processor: cpus()[0]?.model ?? "unknown processor",
    cores: availableParallelism(),
    node: process.versions.node,
    load: [before, loadavg()[0]!],
    peers,
  });
}

/** One line for reports. */
export function describe({ processor, cores, node, load, peers }: Setting): string {
  const versions = peers.map(
    ({ name, version, found }) => `${name} ${found ? "" : "missing: "}${version}`,
  );
  return (
    `${processor}, ${cores} cores, load ${load[0].toFixed(2)} before and ${load[1].toFixed(2)} after; ` +
    `Node ${node}; ${versions.join("; ")}.`
  );
}

/** Bytes of the caches of data that one core reaches, the nearest first; empty where nobody says. */
export function cacheSizes(): number[] {
  const folder = "/sys/devices/system/cpu/cpu0/cache";
  if (!existsSync(folder)) return [];
  const read = (name: string, file: string) =>
    readFileSync(join(folder, name, file), "utf8").trim();
  const units: Record<string, number> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30 };
  return readdirSync(folder)
    .filter((name) => name.startsWith("index") && read(name, "type") !== "Instruction")
    .map((name) => {
      const size = read(name, "size");
      return parseInt(size, 10) * (units[size.at(-1)!] ?? 1);
    })
    .toSorted((a, b) => a - b);
}
