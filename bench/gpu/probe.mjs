// Which GPU WebGPU finds here: its name, or nothing and status 1.

import { create } from "webgpu";

const gpu = create([]);
const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
if (adapter === null) process.exit(1);
const { vendor, architecture, device, description } = adapter.info;
console.log([device, vendor, architecture, description].filter((text) => text !== "").join(", "));
process.exit(0);
