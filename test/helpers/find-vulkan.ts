/**
 * The Vulkan driver for tests: the one that comes with Debian's Chromium and runs on the processor,
 * SwiftShader, or the one whose description DOWNHILL_VULKAN_ICD names.
 */
import { existsSync } from "node:fs";

const folders = [
  "/usr/lib/x86_64-linux-gnu",
  "/usr/lib/aarch64-linux-gnu",
  "/usr/lib64",
  "/usr/lib",
];
const swiftShader = "/usr/lib/chromium/vk_swiftshader_icd.json";

/** The Vulkan driver's description, or `null` where there is none or no loader for it. */
export function findVulkan(): string | null {
  if (!folders.some((folder) => existsSync(`${folder}/libvulkan.so.1`))) return null;
  const path = process.env["DOWNHILL_VULKAN_ICD"] ?? process.env["VK_DRIVER_FILES"] ?? swiftShader;
  return existsSync(path) ? path : null;
}

/** Whether tests with a device are to be skipped; where nothing may be missing they fail instead. */
export const noVulkan = findVulkan() === null && process.env["DOWNHILL_REQUIRE_ALL"] !== "1";

/** Whether the driver is the one whose rounding is known to the bit. */
export const onSwiftShader = findVulkan() === swiftShader;
