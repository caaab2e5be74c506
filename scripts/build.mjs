/** Builds the package: the library file by file with tsc, the command line as one bundled file. */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { build } from "esbuild";

const root = dirname(import.meta.dirname);
const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");

rmSync(join(root, "dist"), { recursive: true, force: true });
execFileSync(process.execPath, [tsc, "-p", join(root, "tsconfig.build.json")], {
  stdio: "inherit",
});
await build({
  entryPoints: [join(root, "src/cli/main.ts")],
  outdir: join(root, "dist/cli"),
  bundle: true,
  // Commands load what they need when they run: jax-js is not there for everyone.
  splitting: true,
  platform: "node",
  format: "esm",
  target: "node20.19",
  external: ["@jax-js/jax", "canvas"],
  legalComments: "linked",
  banner: {
    // Bundled CommonJS libraries ask for Node's own modules with require().
    js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
  },
});
