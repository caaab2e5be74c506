/** The Markdown files of the repository that the lab shows, in the order of its list. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Guide {
  /** Its place in the address, as `math` in `#/docs/math`. */
  readonly key: string;
  /** In the repository, as `docs/math.md`. */
  readonly file: string;
  readonly text: string;
  readonly label?: string;
  readonly group: string | null;
  /** Whether its TypeScript is programs that run as they stand, see test/readme.test.ts. */
  readonly hasPrograms: boolean;
}

/** Others in docs follow in the order of their names. */
const first = ["coming-from-pytorch", "lab", "checkpoints", "math", "webgpu", "jax", "tfjs"];
const labels: Readonly<Record<string, string>> = {
  differences: "Differences from PyTorch",
  jax: "jax-js",
  parity: "Parity with PyTorch",
  performance: "How fast",
  tfjs: "TensorFlow.js",
  webgpu: "WebGPU",
};

/** Reads them all. */
export function readGuides(root: string): Guide[] {
  const read = (file: string) => ({ file, text: readFileSync(join(root, file), "utf8") });
  const find = (folder: string, pattern: RegExp) =>
    readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
      .map((path) => `${folder}/${path.replaceAll("\\", "/")}`)
      .filter((path) => pattern.test(path));
  const rank = (key: string) => (first.indexOf(key) + 1 || first.length + 1) * 1e3;
  const guides = find("docs", /^docs\/[^/]+\.md$/)
    .map((file) => ({ file, key: file.slice("docs/".length, -".md".length) }))
    .toSorted((a, b) => rank(a.key) - rank(b.key) || a.key.localeCompare(b.key));
  const measured = find("docs/performance", /\.md$/).toSorted();
  const examples = find("examples", /\/README\.md$/)
    .filter((path) => path !== "examples/README.md")
    .toSorted();
  const more = { group: "More", hasPrograms: false };
  const unlisted = { group: null, hasPrograms: false };
  return [
    { key: "readme", ...read("README.md"), label: "Overview", group: "Guides", hasPrograms: true },
    ...guides.map(({ key, file }) => ({
      key,
      ...read(file),
      ...(labels[key] !== undefined && { label: labels[key] }),
      group: "Guides",
      hasPrograms: true,
    })),
    { key: "examples", ...read("examples/README.md"), ...more },
    { key: "changelog", ...read("CHANGELOG.md"), ...more },
    { key: "contributing", ...read("CONTRIBUTING.md"), ...more },
    ...examples.map((file) => ({
      key: file.slice(0, -"/README.md".length),
      ...read(file),
      ...unlisted,
    })),
    ...measured.map((file) => ({
      key: file.slice("docs/".length, -".md".length),
      ...read(file),
      ...unlisted,
    })),
  ];
}
