/** Parameters that come into groups that are there, and go: for those who keep an optimizer to themselves. */
import { place } from "../memory/webgpu/adopt.ts";
import type { GpuParameter } from "../memory/webgpu/parameter.ts";
import { checkDistinct, checkMatrices } from "../optim/entry.ts";
import type { GpuOptimizer } from "./optimizer.ts";

/**
 * Takes parameters into a group, of which `paramGroups` does not tell.
 *
 * @throws as `addParamGroup` does; nothing has changed then.
 */
export function enterGroup(
  { device, members, rule, stepper }: GpuOptimizer,
  parameters: readonly GpuParameter[],
  group: number,
): void {
  checkDistinct(rule.name, parameters, members.entries);
  if (rule.matrices) checkMatrices(rule.name, parameters);
  stepper.gpu.guarded(() => {
    place(device, parameters);
    stepper.startOver();
    for (const parameter of parameters) members.enter(parameter, group);
  });
}

/** Lets parameters go, with their state. Those that are none of the optimizer's do not matter. */
export function dropParameters(
  { members, stepper }: GpuOptimizer,
  parameters: readonly GpuParameter[],
): void {
  if (parameters.length === 0) return;
  stepper.startOver();
  members.drop(new Set(parameters));
  members.sweep();
}
