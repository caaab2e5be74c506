/**
 * The path that works on every backend: values and gradients are copied into Downhill's memory, the
 * step is taken there, and values are copied back into the variables.
 *
 * Variables are read in each step, because anybody may assign to them. Where variables come later, an
 * optimizer with all of them takes the place of the one before: so it is all or nothing, and variables
 * that were disposed do not pile up.
 */
import type { Tensor, Variable } from "@tensorflow/tfjs-core";
import { BackendError, Prose } from "../../errors.ts";
import { parameter } from "../../memory/create.ts";
import type { Parameter } from "../../memory/parameter.ts";
import { clipGradNorm, clipGradValue } from "../../optim/clip.ts";
import { Optimizer } from "../../optim/optimizer.ts";
import type { ParameterState } from "../../optim/state-dict.ts";
import { copyHyper } from "./path.ts";
import type { Clipping, HyperGroup, Member, Move, Path, PathSpec } from "./path.ts";
import type { Tf } from "./tf.ts";

/** The numbers of a step: of each variable, and of its gradient. */
type Values = readonly (readonly [data: Float32Array, gradient: Float32Array])[];

/** One optimizer with all variables so far. */
interface Inner {
  readonly optimizer: Optimizer;
  readonly parameters: ReadonlyMap<Member, Parameter>;
  /** The groups that the user sees, in the order of the optimizer's own. */
  readonly groups: readonly HyperGroup[];
}

export class CopyPath implements Path {
  readonly inPlace = "no";
  private readonly spec: PathSpec;
  private inner: Inner | undefined;

  constructor(spec: PathSpec) {
    this.spec = spec;
  }

  unfit(): null {
    return null;
  }

  add(members: readonly Member[], states: readonly (ParameterState | undefined)[]): void {
    const old = [...(this.inner?.parameters.keys() ?? [])].filter(
      ({ variable }) => !variable.isDisposed,
    );
    const all = [...this.states(old), ...states];
    const inner = makeInner(this.spec, [...old, ...members]);
    loadStates(inner, all);
    this.dispose();
    this.inner = inner;
  }

  step(moves: readonly Move[]): boolean {
    requireSyncRead(this.spec.tf, `${this.spec.rule.name}: step`);
    return this.update(
      moves,
      moves.map(([{ variable }, gradient]) => [read(variable), read(gradient)]),
    );
  }

  async stepAsync(moves: readonly Move[]): Promise<boolean> {
    const values = await Promise.all(
      moves.flatMap(([{ variable }, gradient]) => [variable.data(), gradient.data()]),
    );
    const pairs = moves.map((_, i) => [values[2 * i], values[2 * i + 1]]);
    return this.update(moves, pairs as unknown as Values);
  }

  states(members: readonly Member[]): readonly ParameterState[] {
    if (!this.inner) return members.map(() => ({}));
    const { optimizer, parameters } = this.inner;
    return members.map((member) => copyOf(optimizer.state(parameters.get(member)!)));
  }

  dispose(): void {
    this.inner?.optimizer.dispose();
    this.inner = undefined;
  }

  /** Everything that can fail comes before the first variable is assigned. */
  private update(moves: readonly Move[], values: Values): boolean {
    const { optimizer, parameters, groups } = this.inner!;
    optimizer.zeroGrad();
    moves.forEach(([member], i) => {
      const own = parameters.get(member)!;
      [own.data, own.grad] = values[i]!;
    });
    optimizer.paramGroups.forEach((group, i) => copyHyper(this.spec.rule, groups[i]!, group));
    clip(optimizer, this.spec.clip);
    const skipped = optimizer.skippedSteps;
    optimizer.step();
    if (optimizer.skippedSteps > skipped) return false;
    for (const [member] of moves) assign(this.spec.tf, member.variable, parameters.get(member)!);
    return true;
  }
}

/** Gives a variable the values of its parameter. */
export function assign(tf: Tf, variable: Variable, { data, shape }: Parameter): void {
  // A copy: backends keep what they are given, and `data` is where the next step happens.
  const value = tf.tensor(data.slice() as Float32Array, [...shape], "float32");
  variable.assign(value);
  value.dispose();
}

/**
 * tfjs reads WebGPU synchronously through a canvas, which Node does not have.
 *
 * @throws {BackendError} `ASYNC_ONLY`.
 */
export function requireSyncRead(tf: Tf, subject: string): void {
  if (typeof OffscreenCanvas !== "undefined" || tf.getBackend() !== "webgpu") return;
  throw new BackendError("ASYNC_ONLY", {
    subject,
    got: new Prose("tensors on WebGPU and no OffscreenCanvas, through which tfjs would read them"),
    expected: "a backend that can be read synchronously",
    advice: "Use minimizeAsync() or applyGradientsAsync() and await it.",
  });
}

export function read(tensor: Tensor): Float32Array {
  return tensor.dataSync<"float32">();
}

function makeInner({ rule, options }: PathSpec, members: readonly Member[]): Inner {
  const parameters = new Map<Member, Parameter>();
  const byGroup = new Map<HyperGroup, Parameter[]>();
  for (const member of members) {
    const { variable, key, group } = member;
    const own = parameter({ name: key, shape: variable.shape });
    parameters.set(member, own);
    byGroup.set(group, [...(byGroup.get(group) ?? []), own]);
  }
  const groups = [...byGroup].map(([group, params]) => ({
    params,
    ...Object.fromEntries(rule.hyperNames.map((name) => [name, group[name]])),
  }));
  const optimizer = new Optimizer(rule as never, groups as never, options as never);
  return { optimizer: optimizer as unknown as Optimizer, parameters, groups: [...byGroup.keys()] };
}

function loadStates(
  { optimizer, parameters }: Inner,
  states: readonly (ParameterState | undefined)[],
): void {
  const state: Record<string, ParameterState> = {};
  [...parameters.keys()].forEach(({ key }, i) => {
    const given = states[i];
    if (given && Object.keys(given).length > 0) state[key] = given;
  });
  if (Object.keys(state).length > 0) optimizer.loadStateDict({ ...optimizer.stateDict(), state });
}

function clip(optimizer: Optimizer, { value, norm }: Clipping): void {
  if (value !== undefined) clipGradValue(optimizer, value);
  if (norm !== undefined) clipGradNorm(optimizer, norm);
}

function copyOf(state: Readonly<ParameterState>): ParameterState {
  return Object.fromEntries(
    Object.entries(state).map(([name, value]) => [
      name,
      typeof value === "number" ? value : value.slice(),
    ]),
  );
}
