/** Bundles code that imports `downhill`, as a user's bundler would. */
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const source = (path: string): string =>
  fileURLToPath(new URL(`../../src/${path}`, import.meta.url));

/** A minified ES module; other libraries and Node's own modules stay imports, for Node to find. */
export async function bundle(
  code: string,
  external: readonly string[] = ["@jax-js/jax", "@tensorflow/*", "node:*"],
): Promise<Uint8Array> {
  const result = await build({
    stdin: {
      contents: code,
      loader: "ts",
      resolveDir: fileURLToPath(new URL("..", import.meta.url)),
    },
    alias: {
      "downhill/checkpoint/browser": source("checkpoint/browser.ts"),
      "downhill/checkpoint/node": source("checkpoint/node.ts"),
      "downhill/checkpoint": source("checkpoint/index.ts"),
      "downhill/jax/webgpu": source("adapters/jax/webgpu.ts"),
      "downhill/jax": source("adapters/jax.ts"),
      "downhill/tfjs": source("adapters/tfjs.ts"),
      "downhill/math": source("math/index.ts"),
      "downhill/webgpu": source("webgpu/index.ts"),
      downhill: source("index.ts"),
    },
    external: [...external],
    bundle: true,
    minify: true,
    format: "esm",
    write: false,
  });
  return result.outputFiles[0]!.contents;
}
