/**
 * An optimizer whose parameters are on a GPU and never leave it: a rule, parameter groups, and steps that
 * are submitted by themselves or recorded into an encoder of the user's.
 */
import { OptionError, ParameterError, Prose } from "../errors.ts";
import type { Hyper, HyperDefaults, Rule } from "../ir/rule.ts";
import { place } from "../memory/webgpu/adopt.ts";
import type { GpuParameter } from "../memory/webgpu/parameter.ts";
import { describe } from "../optim/common.ts";
import { checkDistinct, checkMatrices } from "../optim/entry.ts";
import { Hookable } from "../optim/hooks.ts";
import { GroupWatch } from "../optim/hyper-watch.ts";
import { checkStepOptions, type StepOptions } from "../optim/options.ts";
import { readGroup, readGroups } from "../optim/read-groups.ts";
import { withStorage } from "../optim/state-storage.ts";
import { dictOf, type ParameterState, type StateDict } from "../optim/state-dict.ts";
import { clearGradients, requireOwnGradients } from "./clear-gradients.ts";
import { GpuGradients } from "./gradients.ts";
import { GpuMembers } from "./members.ts";
import {
  checkGpuOptions,
  onGpu,
  type GpuOptimizerOptions,
  type GpuParamGroup,
  type GpuParamGroupInput,
  type GpuParamGroups,
  type GpuParamsInput,
} from "./options.ts";
import { prepareStates, readStates } from "./state.ts";
import { GpuStepper } from "./stepper.ts";

/**
 * An optimizer for parameters on a GPU: a rule, and groups. `step()` submits a step; `encode(encoder)` records it
 * into work of yours.
 */
export class GpuOptimizer<H extends HyperDefaults = HyperDefaults> extends Hookable {
  readonly device: GPUDevice;
  /** What holds for groups that do not say otherwise: the constructor's options over the rule's. */
  readonly defaults: Readonly<Hyper<H>>;
  /** @internal */ readonly rule: Rule;
  /** @internal */ readonly gradients: GpuGradients;
  /** @internal */ readonly stepper: GpuStepper;
  /** @internal */ readonly members: GpuMembers;
  private readonly groups: GpuParamGroup<HyperDefaults>[] = [];
  private readonly watch: GroupWatch;
  private shownGroups!: GpuParamGroups<H>;

  /**
   * @param rule the equations, see `rule()`.
   * @param params parameters of one device, or groups of them with hyperparameters of their own.
   * @param options hyperparameters for all groups, and how to run, see {@link GpuPlanOptions}.
   * @throws {OptionError} for a wrong or unknown option, also in a group.
   * @throws {ParameterError} for parameters that are missing, double, have equal names or are on several
   *   devices; {BackendError} `OUT_OF_MEMORY` for one that is too large for a buffer.
   */
  constructor(rule: Rule<H>, params: GpuParamsInput<H>, options: GpuOptimizerOptions<H> = {}) {
    super();
    const given = rule as unknown as Rule;
    const { defaults, way, nonFinite } = checkGpuOptions(
      given,
      options as GpuOptimizerOptions<HyperDefaults>,
    );
    const all = readGroups(given, params as GpuParamsInput<HyperDefaults>, defaults, onGpu);
    this.rule = withStorage(given, options);
    this.watch = new GroupWatch(this.rule);
    this.defaults = Object.freeze(defaults) as Readonly<Hyper<H>>;
    this.device = all[0]!.params[0]?.device ?? refuseEmpty(given.name);
    this.stepper = new GpuStepper(this.rule, way, this.device);
    this.members = new GpuMembers(this.rule);
    this.gradients = new GpuGradients(this.stepper.gpu, this.groups, nonFinite === "skip");
    this.admit(all);
  }

  /**
   * The groups, in order. Their numbers may be changed between steps
   * (`optimizer.paramGroups[0].lr = 1e-4`); they are checked again in the next step.
   */
  get paramGroups(): GpuParamGroups<H> {
    return this.shownGroups;
  }

  /**
   * Adds parameters, as `torch.optim.Optimizer.add_param_group` does.
   *
   * @throws as the constructor does; the optimizer is unchanged then.
   */
  addParamGroup(group: GpuParamGroupInput<H>): void {
    const input = group as GpuParamGroupInput<HyperDefaults>;
    this.admit([readGroup(this.rule, input, this.defaults as Hyper<HyperDefaults>, onGpu)]);
  }

  /**
   * Updates every parameter in place, with the gradients that its buffers hold once all that was submitted
   * before is done. Nothing waits and nothing is read back.
   *
   * @param options what to do in the same pass: `{ gradScale, zeroGrad }`.
   * @throws {OptionError} for a wrong option or hyperparameter, {BackendError} `DEVICE_LOST`; nothing has
   *   been submitted then.
   */
  step(options?: StepOptions): void {
    this.hooked(options, (given) => {
      const encoder = this.device.createCommandEncoder();
      this.record(encoder, given);
      this.device.queue.submit([encoder.finish()]);
    });
  }

  /**
   * Records a step into a command encoder or a compute pass of yours, so that one submit holds forward,
   * backward and step. The step counts as taken from here on: submit what you record, in this order, and
   * before you save, load or add groups, which happens at once. At most 64 steps may be recorded and not yet
   * submitted. Hooks run while it is recorded.
   *
   * @throws as {@link step} does; nothing has been recorded then.
   */
  encode(into: GPUCommandEncoder | GPUComputePassEncoder, options?: StepOptions): void {
    if (!["beginComputePass", "dispatchWorkgroups"].some((name) => name in Object(into))) {
      throw new OptionError("BAD_OPTION", {
        subject: `${this.rule.name}: encode`,
        got: into,
        expected: "a GPUCommandEncoder or a GPUComputePassEncoder",
      });
    }
    this.hooked(options, (given) => this.record(into, given));
  }

  /** Takes a step between its hooks. */
  private hooked(options: StepOptions | undefined, take: (options?: StepOptions) => void): void {
    if (!this.isHooked) return take(options);
    const call = this.beforeStep({ options });
    take(call.options);
    this.afterStep(call);
  }

  private record(into: GPUCommandEncoder | GPUComputePassEncoder, given?: StepOptions): void {
    const options = checkStepOptions(this.rule.name, given);
    const { gradients, stepper } = this;
    if (options.zeroGrad) requireOwnGradients(this.members.entries);
    stepper.prepare(
      this.members.chunks,
      this.groups,
      options,
      gradients,
      this.watch.check(this.groups),
    );
    if ("dispatchWorkgroups" in into) stepper.encode(into, options, gradients);
    else {
      const pass = into.beginComputePass({ label: this.rule.name });
      stepper.encode(pass, options, gradients);
      pass.end();
    }
    stepper.commit();
    gradients.forget();
  }

  /**
   * What the GPU has found out, read back: the norm of all gradients in the last step that measured it,
   * before clipping (`null` if none has), and how many steps were left out because of `nonFinite: "skip"`.
   */
  async gradientReport(): Promise<{ norm: number | null; skippedSteps: number }> {
    return this.gradients.report(`${this.rule.name}: gradientReport`);
  }

  /**
   * Sets all gradients to zero, after all that was submitted before; it submits by itself. Gradients that are
   * lent (see `rebind`) are let go of instead: those parameters have none then.
   *
   * @throws {BackendError} `NOT_WRITABLE` for a buffer of yours without COPY_DST, `DEVICE_LOST`; none is zero
   *   then.
   */
  zeroGrad(): void {
    this.stepper.gpu.requireSound(`${this.rule.name}: zeroGrad`);
    clearGradients(this.device, this.members.entries);
  }

  /**
   * What is remembered of a parameter, read back: numbers and copies of the tensors written so far, by the
   * names that state dicts have; empty before its first step.
   *
   * @throws {ParameterError} `UNKNOWN_PARAMETER` if it is not one of this optimizer.
   */
  async state(parameter: GpuParameter): Promise<Readonly<ParameterState>> {
    this.stepper.settle();
    const entry = this.members.entries.find((known) => known.parameter === parameter);
    if (!entry) {
      throw new ParameterError("UNKNOWN_PARAMETER", {
        subject: `${this.rule.name}: state`,
        got: parameter,
        expected: "one of its parameters",
      });
    }
    const [state] = await readStates(this.device, this.rule, [entry]);
    return Object.freeze(state!);
  }

  /**
   * A copy of the state as it is after all steps so far, keyed by parameter name; steps that are taken while
   * it is read back make no difference. It is a state dict as the CPU's optimizers have it, and may be
   * loaded there as well.
   *
   * @throws {BackendError} `DEVICE_LOST`.
   */
  async stateDict(): Promise<StateDict> {
    this.stepper.gpu.requireSound(`${this.rule.name}: stateDict`);
    this.beforeSave();
    this.stepper.settle();
    const head = dictOf(this.rule, this.members.entries, this.groups, {});
    const keys = this.members.entries.map(({ key, steps, written }) =>
      steps > 0 || written !== 0 ? key : null,
    );
    const states = await readStates(this.device, this.rule, this.members.entries);
    const state = Object.create(null) as Record<string, ParameterState>;
    keys.forEach((key, i) => {
      if (key !== null) state[key] = states[i]!;
    });
    return this.afterSave({ ...head, state });
  }

  /**
   * Continues from a copy of the state, also one of the CPU's optimizer: counts, slots and hyperparameters.
   * Parameters themselves are not part of it.
   *
   * @param options `{ dtype: "cast" }` converts float64 state.
   * @throws {StateDictError} if optimizer, groups, names, shapes, dtypes or slots do not fit, and
   *   {OptionError} for hyperparameters out of range; the optimizer is unchanged then.
   */
  loadStateDict(stateDict: StateDict, options: { readonly dtype?: "exact" | "cast" } = {}): void {
    const { rule, device, groups, stepper } = this;
    const { entries } = this.members;
    stepper.gpu.requireSound(`${rule.name}: loadStateDict`);
    const strange = Object.keys(options).find((key) => key !== "dtype");
    const { dtype = "exact" } = options;
    if (strange !== undefined || (dtype !== "exact" && dtype !== "cast")) {
      throw new OptionError("BAD_OPTION", {
        subject: `${rule.name}: loadStateDict`,
        got: options,
        expected: '{ dtype: "exact" } or { dtype: "cast" }',
      });
    }
    const dict = this.beforeLoad(stateDict);
    stepper.startOver();
    const commit = prepareStates(device, rule, entries, groups, dict, dtype === "cast");
    stepper.gpu.guarded(commit);
    this.afterLoad();
  }

  /** The name, and each group's hyperparameters, laid out as PyTorch prints them. */
  override toString(): string {
    return describe(this.rule.name, this.rule.hyperNames, this.groups);
  }

  private admit(groups: readonly GpuParamGroup<HyperDefaults>[]): void {
    const parameters = groups.flatMap((group) => [...group.params]);
    checkDistinct(this.rule.name, parameters, this.members.entries);
    if (this.rule.matrices) checkMatrices(this.rule.name, parameters);
    for (const parameter of parameters) {
      if (parameter.device !== this.device) refuseDevices(this.rule.name, parameter);
    }
    this.gradients.requireFew(this.rule.name, this.groups.length + groups.length);
    this.stepper.gpu.requireSound(this.rule.name);
    this.stepper.gpu.guarded(() => {
      place(this.device, parameters);
      this.stepper.startOver();
      for (const group of groups) {
        for (const parameter of group.params) this.members.enter(parameter, this.groups.length);
        this.groups.push(group);
      }
    });
    this.shownGroups = Object.freeze([...this.groups]) as unknown as GpuParamGroups<H>;
  }
}

/** @throws {OptionError} `BAD_OPTION` unless it is an optimizer on a GPU. */
export function requireOptimizer(subject: string, optimizer: unknown): void {
  if (optimizer instanceof GpuOptimizer) return;
  throw new OptionError("BAD_OPTION", {
    subject: `${subject}: optimizer`,
    got: optimizer,
    expected: 'an optimizer of "downhill/webgpu"',
  });
}

function refuseEmpty(rule: string): never {
  throw new ParameterError("NO_PARAMS", {
    subject: `${rule}: params`,
    got: new Prose("a first group without parameters"),
    expected: "at least one parameter in it",
  });
}

function refuseDevices(rule: string, parameter: GpuParameter): never {
  throw new ParameterError("BAD_PARAMS", {
    subject: `${rule}: ${parameter.label}`,
    got: new Prose("a parameter on another device"),
    expected: "all parameters on one device",
    advice: "Make an optimizer for each device.",
  });
}
