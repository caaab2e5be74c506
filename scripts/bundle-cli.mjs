/**
 * Bundles the command line with the libraries it uses, so that the package needs none at run time.
 * Only jax-js stays outside: it is an optional peer dependency, and commands that do not train must
 * run without it. Hence the chunks, each loaded when a command wants it.
 */
import { dirname, join } from "node:path";
import { build } from "esbuild";

const root = dirname(import.meta.dirname);

export async function bundleCli(outdir) {
  await build({
    entryPoints: [join(root, "src/cli/main.ts")],
    outdir,
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
    external: ["@jax-js/jax", "@tensorflow/*", "canvas", "koffi", "webgpu"],
    legalComments: "linked",
    banner: {
      // Bundled CommonJS libraries ask for Node's own modules with require().
      js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
    },
  });
}
