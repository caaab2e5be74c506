/** Bundles the program into dist/ beside this file, for Nodes that do not read TypeScript. */
import { join } from "node:path";
import { build } from "esbuild";

const here = import.meta.dirname;

await build({
  entryPoints: [join(here, "main.ts")],
  outdir: join(here, "dist"),
  bundle: true,
  platform: "node",
  format: "esm",
  packages: "external",
});
