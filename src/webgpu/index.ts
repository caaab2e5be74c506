/** Downhill on WebGPU: the same rules, for parameters that live on a GPU and never leave it. */
export { requestDevice, type DeviceOptions } from "../backend/webgpu/device.ts";
export { parameter, type AdoptedBuffers } from "../memory/webgpu/create.ts";
export type { GpuParameterOptions } from "../memory/webgpu/options.ts";
export { GpuParameter } from "../memory/webgpu/parameter.ts";
export { rebind, type Rebinding } from "../memory/webgpu/rebind.ts";
export * from "./classes.ts";
export { clipGradNorm, clipGradValue, scaleGrads, type GpuClipNormOptions } from "./clip.ts";
export { GpuOptimizer } from "./optimizer.ts";
export type {
  GpuOptimizerOptions,
  GpuParamGroup,
  GpuParamGroupInput,
  GpuParamGroups,
  GpuParamsInput,
  GpuPlanOptions,
  GpuStepPolicy,
} from "./options.ts";
export type { GpuRowBuffer, GpuRows } from "./row-lists.ts";
export {
  appendRows,
  duplicateRows,
  keepRows,
  resetRows,
  type DuplicateOptions,
  type GpuRowParams,
} from "./rows.ts";
