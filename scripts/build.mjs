/** Builds the package: the library file by file with tsc, the command line bundled, and the page of the lab. */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "vite";
import { bundleCli } from "./bundle-cli.mjs";

const root = dirname(import.meta.dirname);
const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");

rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], {
  stdio: "inherit",
});
await bundleCli(join(root, "dist", "cli"));
await build({ configFile: join(root, "site", "vite.config.ts"), logLevel: "warn" });
