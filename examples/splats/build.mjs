/**
 * Builds the page into dist/ beside this file, or into the folder that is named: three static files. With
 * `--serve` it serves them to this machine alone, and builds anew whenever a source has changed.
 */
import { join } from "node:path";
import { context } from "esbuild";

const here = import.meta.dirname;
const serve = process.argv.includes("--serve");
const folder = process.argv.slice(2).find((arg) => arg !== "--serve") ?? join(here, "dist");

const page = await context({
  entryPoints: ["index.html", "style.css", "main.ts"].map((name) => join(here, name)),
  outdir: folder,
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  loader: { ".html": "copy" },
});
await page.rebuild();
if (serve) {
  await page.watch();
  const { port } = await page.serve({ host: "127.0.0.1", servedir: folder });
  process.stdout.write(`http://localhost:${port}/\n`);
} else {
  await page.dispose();
}
