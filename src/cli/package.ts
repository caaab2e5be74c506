// The package's own version and root, found by walking up: the command line runs from src/ in tests
// and from one bundled file when it is installed.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of Downhill's package.json. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = join(folder, "package.json");
    if (existsSync(file) && readPackage(file).name === "downhill") return folder;
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no package.json of downhill above ${folder}`);
    folder = parent;
  }
}

export function version(): string {
  return readPackage(join(packageRoot(), "package.json")).version;
}

function readPackage(file: string): { name: string; version: string } {
  return JSON.parse(readFileSync(file, "utf8")) as { name: string; version: string };
}
