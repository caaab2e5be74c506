/**
 * The path that takes steps in the memory of tfjs's WebGPU backend, where variables and gradients are: nothing
 * is copied, nothing comes back, and a step is submitted without waiting.
 *
 * tfjs may have a variable in another buffer in each step, and does so whenever it is assigned to. Buffers come
 * from a pool, so what has been made for one is used again.
 */
import type { HyperDefaults } from "../../ir/rule.ts";
import { parameter } from "../../memory/webgpu/create.ts";
import type { GpuParameter } from "../../memory/webgpu/parameter.ts";
import { rebind } from "../../memory/webgpu/rebind.ts";
import { dictOf, type ParameterState } from "../../optim/state-dict.ts";
import { clipGradNorm, clipGradValue } from "../../webgpu/clip.ts";
import type { GpuEntry } from "../../webgpu/entry.ts";
import { dropParameters, enterGroup } from "../../webgpu/membership.ts";
import { GpuOptimizer } from "../../webgpu/optimizer.ts";
import type { GpuOptimizerOptions } from "../../webgpu/options.ts";
import { prepareStates, readStates } from "../../webgpu/state.ts";
import {
  copyHyper,
  type HyperGroup,
  type Member,
  type Move,
  type Path,
  type PathSpec,
} from "./path.ts";
import { WebgpuMemory } from "./webgpu-memory.ts";
import { probe, type Probe } from "./webgpu-probe.ts";

/** Largest number of float32: nothing finite is clamped by more. */
const MAX_VALUE = 3.4028234663852886e38;

/** Makes the path, or says why it does not serve. */
export function webgpuPath(spec: PathSpec): Path | string {
  const memory = WebgpuMemory.of(spec.tf);
  if (typeof memory === "string") return memory;
  const { backend = "auto", nonFinite } = spec.options;
  if (backend !== "auto") return "the option backend asks for another one";
  if (nonFinite === "throw") return 'nonFinite: "throw" wants the gradients on the CPU';
  const tried = probe(spec.tf, memory);
  return tried.failure ?? new WebgpuPath(spec, memory, tried);
}

class WebgpuPath implements Path {
  readonly inPlace = "webgpu";
  private readonly spec: PathSpec;
  private readonly memory: WebgpuMemory;
  private readonly tried: Probe;
  private readonly parameters = new Map<Member, GpuParameter>();
  private optimizer: GpuOptimizer | undefined;
  /** Those that the user sees, in the order of the optimizer's own. */
  private readonly groups: HyperGroup[] = [];

  constructor(spec: PathSpec, memory: WebgpuMemory, tried: Probe) {
    this.spec = spec;
    this.memory = memory;
    this.tried = tried;
  }

  unfit(): string | null {
    const now = WebgpuMemory.of(this.spec.tf);
    if (typeof now === "string") return now;
    return now === this.memory ? this.tried.failure : "tfjs has another WebGPU backend now";
  }

  add(members: readonly Member[], states: readonly (ParameterState | undefined)[]): void {
    const gone = [...this.parameters].filter(([{ variable }]) => variable.isDisposed);
    this.drop(gone.map(([, own]) => own));
    for (const [member] of gone) this.parameters.delete(member);
    const added = new Map(members.map((member) => [member, this.adopt(member)]));
    try {
      this.admit(added);
      this.load(added, states);
    } catch (error) {
      this.drop([...added.values()]);
      throw error;
    }
    for (const [member, own] of added) this.parameters.set(member, own);
  }

  prepare(moves: readonly Move[]): boolean {
    const { memory, parameters } = this;
    const optimizer = this.optimizer!;
    const bound = moves.map(([{ variable }, gradient]) =>
      variable.size === 0 ? null : { data: memory.own(variable), grad: memory.lend(gradient) },
    );
    memory.flush();
    for (const own of parameters.values()) own.hasGrad = false;
    moves.forEach(([member], i) => {
      const own = parameters.get(member)!;
      if (bound[i]) rebind(own, bound[i]);
      else own.hasGrad = true;
    });
    optimizer.paramGroups.forEach((group, i) => copyHyper(this.spec.rule, this.groups[i]!, group));
    this.clip(optimizer);
    return true;
  }

  run(moves: readonly Move[]): void {
    this.optimizer!.step();
    for (const [{ variable }] of moves) if (variable.size > 0) this.memory.wrote(variable);
  }

  /** Never asked for: what to leave out is decided on the GPU. */
  skip(): void {}

  async states(members: readonly Member[]): Promise<readonly ParameterState[]> {
    const { optimizer } = this;
    if (!optimizer) return members.map(() => ({}));
    optimizer.stepper.settle();
    const entries = this.entriesOf(members.map((member) => this.parameters.get(member)!));
    return readStates(optimizer.device, optimizer.rule, entries);
  }

  dispose(): void {
    this.drop([...this.parameters.values()]);
    this.parameters.clear();
    this.optimizer = undefined;
  }

  private adopt({ variable, key }: Member): GpuParameter {
    const options = { name: key, shape: variable.shape };
    const { device } = this.memory;
    if (variable.size === 0) return parameter(device, options);
    return parameter(device, { data: this.memory.lend(variable) }, options);
  }

  private admit(added: ReadonlyMap<Member, GpuParameter>): void {
    const byGroup = new Map<HyperGroup, GpuParameter[]>();
    for (const [{ group }, own] of added) byGroup.set(group, [...(byGroup.get(group) ?? []), own]);
    if (!this.optimizer) {
      this.optimizer = this.create(byGroup);
      this.groups.push(...byGroup.keys());
      return;
    }
    for (const [group, params] of byGroup) {
      const index = this.groups.indexOf(group);
      if (index >= 0) enterGroup(this.optimizer, params, index);
      else {
        this.optimizer.addParamGroup({ ...this.hyperOf(group), params });
        this.groups.push(group);
      }
    }
  }

  private create(byGroup: ReadonlyMap<HyperGroup, readonly GpuParameter[]>): GpuOptimizer {
    const { rule, options } = this.spec;
    const groups = [...byGroup].map(([group, params]) => ({ ...this.hyperOf(group), params }));
    const { threads: _, backend: __, flushSubnormals: ___, average: ____, ...rest } = options;
    return new GpuOptimizer(rule, groups, rest as GpuOptimizerOptions<HyperDefaults>);
  }

  private load(
    added: ReadonlyMap<Member, GpuParameter>,
    states: readonly (ParameterState | undefined)[],
  ): void {
    const { device, paramGroups, rule, stepper } = this.optimizer!;
    const state: Record<string, ParameterState> = {};
    [...added.keys()].forEach(({ key }, i) => {
      if (states[i] && Object.keys(states[i]).length > 0) state[key] = states[i];
    });
    if (Object.keys(state).length === 0) return;
    const entries = this.entriesOf([...added.values()]);
    const dict = dictOf(rule, entries, paramGroups, state);
    stepper.gpu.guarded(prepareStates(device, rule, entries, paramGroups, dict, false));
  }

  private entriesOf(parameters: readonly GpuParameter[]): GpuEntry[] {
    const byParameter = new Map(this.optimizer!.members.entries.map((e) => [e.parameter, e]));
    return parameters.map((own) => byParameter.get(own)!);
  }

  private clip(optimizer: GpuOptimizer): void {
    const { value, norm } = this.spec.clip;
    if (value !== undefined && value <= MAX_VALUE) clipGradValue(optimizer, value);
    if (norm !== undefined) clipGradNorm(optimizer, norm);
  }

  private drop(parameters: readonly GpuParameter[]): void {
    if (this.optimizer) dropParameters(this.optimizer, parameters);
  }

  private hyperOf(group: HyperGroup): object {
    const hyper = {};
    copyHyper(this.spec.rule, group, hyper);
    return hyper;
  }
}
