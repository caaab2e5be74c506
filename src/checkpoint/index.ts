/** `downhill/checkpoint`: runs in safetensors files, in Node and in browsers. */
export {
  Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  type CheckpointContent,
  type HasState,
  type Values,
} from "./checkpoint.ts";
export type { AnyTypedArray, SafeDType } from "./dtypes.ts";
export { toFloat32 } from "./floats.ts";
export type { PlainData } from "./plain.ts";
export type {
  CheckpointTargets,
  ParameterMismatch,
  ParameterReport,
  Restorable,
  RestoreReport,
} from "./restore.ts";
export {
  readSafetensors,
  type ReadBudget,
  type Safetensors,
  type StoredTensor,
} from "./safetensors.ts";
export {
  readTorch,
  torchStateDict,
  torchTensors,
  type SavedTensor,
  type TorchBudget,
  type TorchDType,
  type TorchValue,
} from "./torch/index.ts";
export {
  writeSafetensors,
  type MetadataInput,
  type TensorInput,
  type TensorInputs,
} from "./write-safetensors.ts";
export { CheckpointError } from "../errors.ts";
