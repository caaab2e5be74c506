// The rows of a GPU that stand beside those of the CPU, as people read them; pages know them before there
// is a GPU.

export const gpuLabels = {
  "gpu-loop": "WebGPU, loop",
  "gpu-compile": "WebGPU, compile",
  "gpu-foreach": "WebGPU, foreach",
  "gpu-fused": "WebGPU, fused",
  "gpu-written": "WebGPU, WGSL by hand",
} as const;
