/**
 * Several optimizers that TensorFlow.js takes for one: Muon for matrices, AdamW for the rest.
 *
 * Each variable goes to the first member that wants it. Members are asked for all that can fail before the
 * first of them takes its step, and if one of them wants to leave it out, all do.
 */
import type { NamedTensorMap, Variable } from "@tensorflow/tfjs-core";
import { OptionError, ParameterError, Prose } from "../../errors.ts";
import { checkSelector } from "../../optim/select.ts";
import { TfOptimizerBase } from "./base.ts";
import {
  classNameOf,
  loadSelector,
  readConfig,
  registerClass,
  saveSelector,
  type Config,
  type SavedSelector,
} from "./config.ts";
import { isMatch, type VariableGroup, type VariableSelector } from "./groups.ts";
import { toText } from "./json.ts";
import { readGradients, type NamedTensor, type VariableGradients } from "./moves.ts";
import { TfOptimizer } from "./optimizer.ts";
import type { PreparedStep } from "./runner.ts";
import { type Tf } from "./tf.ts";

/** An optimizer and the variables that are its. */
export interface TfMember<O extends TfOptimizer<never> = TfOptimizer<never>> {
  readonly optimizer: O;
  /** Which variables, of those that no member before has; without it all of them. */
  readonly match?: VariableSelector;
}

/** Members by names of your choice, which stand in what is saved. */
export type TfMembers = Readonly<Record<string, TfMember>>;

const NAME = "Composite";

/** Several optimizers, each for variables of its own, as one of TensorFlow.js; made by {@link tfComposite}. */
export class TfComposite<M extends TfMembers = TfMembers> extends TfOptimizerBase {
  readonly members: M;

  /** @internal Made by `tfComposite`. */
  constructor(tf: Tf, members: M) {
    super(tf, NAME);
    checkMembers(members);
    this.members = { ...members };
  }

  /** How many steps have been taken. */
  get iterations(): number {
    return Math.max(...this.list.map(([, { optimizer }]) => optimizer.iterations));
  }

  /** The groups of all members, in order. */
  get paramGroups(): readonly VariableGroup[] {
    return this.list.flatMap(([, { optimizer }]) => optimizer.paramGroups as never);
  }

  private get list(): readonly (readonly [string, TfMember<TfOptimizer>])[] {
    return Object.entries(this.members) as never;
  }

  /** @internal */ prepare(call: string, gradients: VariableGradients): PreparedStep {
    const shares = this.share(call, gradients);
    for (const [{ optimizer }] of shares) optimizer.requireFree(call);
    return joined(shares.map(([{ optimizer }, share]) => optimizer.prepare(call, share)));
  }

  /** @internal */ async prepareAsync(
    call: string,
    gradients: VariableGradients,
  ): Promise<PreparedStep> {
    const shares = this.share(call, gradients);
    // All at once: composites that share members then wait for one another, and not in a circle.
    const holds = await Promise.allSettled(shares.map(([{ optimizer }]) => optimizer.hold(call)));
    const release = (): void => {
      for (const hold of holds) if (hold.status === "fulfilled") hold.value();
    };
    try {
      valuesOf(holds);
      const steps = await Promise.allSettled(
        shares.map(([{ optimizer }, share]) => optimizer.prepareAsync(call, share)),
      );
      return joined(valuesOf(steps), release);
    } catch (error) {
      release();
      throw error;
    }
  }

  getClassName(): string {
    return classNameOf(NAME);
  }

  /** Those of the members, as tfjs-layers saves them with a model. */
  getConfig(): Config {
    const members = this.list.map(([name, { optimizer, match }]) => ({
      name,
      className: optimizer.getClassName(),
      config: optimizer.getConfig(),
      ...(match === undefined ? {} : { match: saveSelector(match) }),
    }));
    return { downhill: toText({ version: 1, members }) };
  }

  /** @internal */ async makeWeights(): Promise<NamedTensor[]> {
    const parts = this.list.map(async ([member, { optimizer }]) => {
      const weights = await optimizer.makeWeights();
      return weights.map(({ name, tensor }) => ({ name: `${member}/${name}`, tensor }));
    });
    const iter = { name: "iter", tensor: this.tf.scalar(this.iterations, "int32") };
    return [iter, ...(await Promise.all(parts)).flat()];
  }

  /** @internal */ async readWeights(weights: readonly NamedTensor[]): Promise<() => void> {
    const commits = this.list.map(([member, { optimizer }]) => {
      const own = weights.filter(({ name }) => name.startsWith(`${member}/`));
      return optimizer.readWeights(own);
    });
    const all = await Promise.all(commits);
    return () => all.forEach((commit) => commit());
  }

  protected release(): void {
    for (const [, { optimizer }] of this.list) optimizer.dispose();
  }

  /** The gradients of each member that gets any. @throws {ParameterError} `NO_MEMBER`. */
  private share(
    call: string,
    gradients: VariableGradients,
  ): (readonly [TfMember<TfOptimizer>, NamedTensorMap])[] {
    const shares = this.list.map(([, member]) => [member, {} as NamedTensorMap] as const);
    for (const [variable, gradient] of readGradients(this.tf, `${NAME}: ${call}`, gradients)) {
      const found = shares.find(([{ match }]) => match === undefined || isMatch(match, variable));
      if (found === undefined) refuseVariable(call, variable);
      found[1][variable.name] = gradient;
    }
    return shares.filter(([, share]) => Object.keys(share).length > 0);
  }
}

/** The steps of all members as one: if any is to be left out, all are. */
function joined(steps: readonly PreparedStep[], release = (): void => {}): PreparedStep {
  return {
    isTaken: steps.every(({ isTaken }) => isTaken),
    end: (taken) => {
      try {
        for (const step of steps) step.end(taken);
      } finally {
        release();
      }
    },
  };
}

/** @throws the reason of the first that failed. */
function valuesOf<T>(settled: readonly PromiseSettledResult<T>[]): T[] {
  return settled.map((each) => {
    if (each.status === "rejected") throw each.reason;
    return each.value;
  });
}

/** Lets layers make composites of configurations; classes of members have to be registered, too. */
export function registerComposite(tf: Tf): void {
  registerClass(tf, classNameOf(NAME), (config) => {
    const { members } = readConfig<{ members: readonly SavedMember[] }>(NAME, config);
    const { classNameMap } = tf.serialization.SerializationMap.getMap();
    const made = members.map(({ name, className, config: own, match }) => {
      const [type, fromConfig] = classNameMap[className] ?? refuseClass(name, className);
      const optimizer = fromConfig(type, own) as object as TfOptimizer<never>;
      const missing = () => refuseFunction(name);
      const selector =
        match === undefined ? {} : { match: loadSelector(match, undefined, missing) };
      return [name, { optimizer, ...selector }] as const;
    });
    return new TfComposite(tf, Object.fromEntries(made));
  });
}

interface SavedMember {
  readonly name: string;
  readonly className: string;
  readonly config: Config;
  readonly match?: SavedSelector;
}

function checkMembers(members: unknown): asserts members is TfMembers {
  const list = typeof members === "object" && members !== null ? Object.entries(members) : [];
  if (list.length === 0) {
    refuse("members", members, "members by name such as { adamw: { optimizer } }");
  }
  const seen = new Set<unknown>();
  for (const [name, member] of list) {
    const { optimizer, match } = Object(member) as Partial<TfMember>;
    if (!(optimizer instanceof TfOptimizer)) {
      refuse(`${name}.optimizer`, optimizer, "what tfOptimizer() made");
    }
    if (seen.has(optimizer)) refuse(`${name}.optimizer`, optimizer, "another one for each member");
    if (name.includes("/")) refuse("members", name, "names without a slash");
    seen.add(optimizer);
    if (match !== undefined) checkSelector(`${NAME}: ${name}`, match);
  }
}

function refuse(what: string, got: unknown, expected: string): never {
  throw new OptionError("BAD_OPTION", { subject: `${NAME}: ${what}`, got, expected });
}

function refuseVariable(call: string, { name }: Variable): never {
  throw new ParameterError("NO_MEMBER", {
    subject: `${NAME}: ${call}: variable ${JSON.stringify(name)}`,
    got: new Prose("a variable that no member matches"),
    expected: "a member for each variable",
    advice: "A last member without match takes the rest.",
  });
}

function refuseClass(member: string, className: string): never {
  throw new OptionError("NEEDS_CODE", {
    subject: `${NAME}: ${member}`,
    got: new Prose(`a configuration of ${className}, which is not registered`),
    expected: "an optimizer that registerOptimizer() has made known",
  });
}

function refuseFunction(member: string): never {
  throw new OptionError("NEEDS_CODE", {
    subject: `${NAME}: ${member}.match`,
    got: new Prose("a configuration in which it was a function"),
    expected: "something that a file holds: a pattern, a name, isMatrix or isVector",
  });
}
