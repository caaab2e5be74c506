/**
 * Builds the page into dist/ beside this file, or into the folder that is named: three static files. With
 * `--serve` it serves them to this machine alone, and builds anew whenever a source has changed.
 */
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { context } from "esbuild";

const here = import.meta.dirname;
const serve = process.argv.includes("--serve");
const folder = process.argv.slice(2).find((arg) => arg !== "--serve") ?? join(here, "dist");

mkdirSync(folder, { recursive: true });
for (const name of ["index.html", "style.css"]) copyFileSync(join(here, name), join(folder, name));
const page = await context({
  entryPoints: [join(here, "main.ts")],
  outfile: join(folder, "main.js"),
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
});
await page.rebuild();
if (serve) {
  await page.watch();
  const { port } = await page.serve({ host: "127.0.0.1", servedir: folder });
  process.stdout.write(`http://localhost:${port}/\n`);
} else {
  await page.dispose();
}
