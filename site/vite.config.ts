/** How the page of the lab is built: static files for any host, wherever on it they lie. */
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { pagePolicy } from "../src/cli/lab-policy.ts";
import { digits } from "./digits.ts";
import { docs } from "./docs/plugin.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Built pages state their policy themselves too, for hosts that send none. */
const policy: Plugin = {
  name: "policy",
  apply: "build",
  transformIndexHtml: () => [
    {
      tag: "meta",
      attrs: { "http-equiv": "Content-Security-Policy", content: pagePolicy },
      injectTo: "head-prepend",
    },
  ],
};

/** KaTeX names its fonts in three formats; every browser that runs the page reads the first. */
const oneFontFormat: Plugin = {
  name: "one-font-format",
  enforce: "pre",
  transform: (code, id) =>
    id.includes("/katex/") && /\.css($|\?)/.test(id)
      ? code.replaceAll(/,url\([^)]*\.(woff|ttf)\) ?format\([^)]*\)/g, "")
      : undefined,
};

export default defineConfig({
  root: here("."),
  base: "./",
  plugins: [policy, oneFontFormat, digits(), docs()],
  // The package by its own name, as pages of its users import it.
  resolve: { tsconfigPaths: true },
  worker: { format: "es", plugins: () => [docs()] },
  build: {
    outDir: here("../dist/lab"),
    emptyOutDir: true,
    target: "es2023",
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    // Most of the time goes into what is made of the guides: no cause for a warning.
    rolldownOptions: { checks: { pluginTimings: false } },
    license: { fileName: "licenses.md" },
  },
});
