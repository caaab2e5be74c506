/**
 * A browser for tests: Debian's Chromium, which `npm run setup` installs, or what DOWNHILL_CHROMIUM names.
 * Its WebGPU runs on the processor, on the driver that comes with it.
 */
import { existsSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";

/** The program, or `null` where there is none. */
export function findChromium(): string | null {
  const path = process.env["DOWNHILL_CHROMIUM"] ?? "/usr/bin/chromium";
  return existsSync(path) ? path : null;
}

/** @param canvas whether WebGPU draws to canvases; the browser then puts pages together with Vulkan. */
export function launchChromium({ canvas = false } = {}): Promise<Browser> {
  const path = findChromium();
  if (path === null) throw new Error("there is no Chromium; npm run setup installs it");
  return chromium.launch({
    executablePath: path,
    args: [
      "--headless",
      "--no-sandbox",
      ...(canvas
        ? ["--use-angle=swiftshader", "--enable-features=Vulkan", "--use-vulkan=swiftshader"]
        : ["--disable-gpu"]),
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
