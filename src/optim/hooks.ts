/**
 * Hooks: functions that an optimizer calls before and after a step, around saving and around loading,
 * with the names and the order that PyTorch has.
 *
 * Lists are never changed, only replaced, so a hook may remove itself or others while it runs: a
 * list that has begun is called to its end. A step of an optimizer without hooks pays for two
 * comparisons.
 */
import { OptionError, Prose } from "../errors.ts";
import { disposeKey, inspectKey } from "../symbols.ts";
import type { OptimizerLike } from "./common.ts";
import type { StepOptions } from "./options.ts";
import type { StateDict } from "./state-dict.ts";

/** What `step` was called with. */
export interface StepCall {
  readonly closure?: (() => unknown) | undefined;
  readonly options?: StepOptions | undefined;
}

/** Runs before a step; what it returns, if anything, stands in for what `step` was called with. */
export type StepPreHook<O = OptimizerLike> = (optimizer: O, call: StepCall) => StepCall | void;
/** Runs after a step that succeeded. */
export type StepPostHook<O = OptimizerLike> = (optimizer: O, call: StepCall) => void;
/** Runs before a state dict is made or after one was loaded. */
export type StateDictHook<O = OptimizerLike> = (optimizer: O) => void;
/** Gets a state dict; what it returns, if anything, takes its place. */
export type StateDictFilter<O = OptimizerLike> = (
  optimizer: O,
  dict: StateDict,
) => StateDict | void;

/** What registering a hook returns; `using` removes it at the end of a block. */
export interface HookHandle extends Disposable {
  /** Takes the hook away; once it is gone, nothing more happens. */
  remove(): void;
}

/** How a hook is registered. */
export interface HookOptions {
  /** Whether it runs before those that are there already (default false). */
  readonly prepend?: boolean;
}

type Hook = (...args: never[]) => unknown;

/** Hooks of one kind, in order. */
class HookList<F extends Hook> {
  private readonly kind: string;
  all: readonly F[] = [];

  constructor(kind: string) {
    this.kind = kind;
  }

  add(hook: F, { prepend = false }: HookOptions = {}): HookHandle {
    if (typeof hook !== "function") {
      throw new OptionError("BAD_HOOK", { subject: this.kind, got: hook, expected: "a function" });
    }
    // One of its own for each time it is registered: a handle removes that one alone.
    const own = ((...args: never[]) => hook(...args)) as F;
    this.all = prepend ? [own, ...this.all] : [...this.all, own];
    const remove = (): void => {
      this.all = this.all.filter((other) => other !== own);
    };
    return { remove, [disposeKey]: remove };
  }

  /** Calls them one after another; what one returns is what the next one gets. */
  pass<V extends object>(optimizer: unknown, value: V): V {
    for (const hook of this.all) {
      const result = hook(optimizer as never, value as never) as V | undefined;
      value = this.check(result) ?? value;
    }
    return value;
  }

  /** Calls them one after another. */
  run(...args: unknown[]): void {
    for (const hook of this.all) hook(...(args as never[]));
  }

  private check<V>(result: V | undefined): V | undefined {
    if (result === undefined || result === null) return undefined;
    const isPromise = typeof (result as { then?: unknown }).then === "function";
    if (typeof result === "object" && !isPromise) return result;
    throw new OptionError("BAD_HOOK", {
      subject: this.kind,
      got: isPromise ? new Prose("a promise") : result,
      expected: "nothing, or an object that takes the place of the one it was given",
      ...(isPromise ? { advice: "Hooks must not be async." } : {}),
    });
  }
}

const globalPre = /* @__PURE__ */ new HookList<StepPreHook>("a step pre-hook of all optimizers");
const globalPost = /* @__PURE__ */ new HookList<StepPostHook>("a step post-hook of all optimizers");

/** Calls `hook` before every step of every optimizer, ahead of the optimizer's own hooks. */
export function registerOptimizerStepPreHook(hook: StepPreHook): HookHandle {
  return globalPre.add(hook);
}

/** Calls `hook` after every step of every optimizer, behind the optimizer's own hooks. */
export function registerOptimizerStepPostHook(hook: StepPostHook): HookHandle {
  return globalPost.add(hook);
}

/** The hooks of one optimizer; whose they are is known where they are registered and called. */
interface Hooks {
  readonly stepPre: HookList<StepPreHook<never>>;
  readonly stepPost: HookList<StepPostHook<never>>;
  readonly savePre: HookList<StateDictHook<never>>;
  readonly savePost: HookList<StateDictFilter<never>>;
  readonly loadPre: HookList<StateDictFilter<never>>;
  readonly loadPost: HookList<StateDictHook<never>>;
}

/** The base class of optimizers: what can be hooked. */
export abstract class Hookable {
  private hooks: Hooks | undefined;

  /**
   * Calls `hook` before each step, in the order of registration. A `{ closure, options }` that it
   * returns takes the place of what `step` was called with. If it throws, no step is taken.
   */
  registerStepPreHook(hook: StepPreHook<this>): HookHandle {
    return this.own().stepPre.add(hook);
  }

  /** Calls `hook` after each step that succeeded. */
  registerStepPostHook(hook: StepPostHook<this>): HookHandle {
    return this.own().stepPost.add(hook);
  }

  /** Calls `hook` before `stateDict()` makes a state dict. */
  registerStateDictPreHook(hook: StateDictHook<this>, options?: HookOptions): HookHandle {
    return this.own().savePre.add(hook, options);
  }

  /** Hands `hook` each state dict that was made; one that it returns is given out instead. */
  registerStateDictPostHook(hook: StateDictFilter<this>, options?: HookOptions): HookHandle {
    return this.own().savePost.add(hook, options);
  }

  /**
   * Hands `hook` each state dict before it is checked and loaded: a shallow copy, as it may rename
   * keys. One that it returns is loaded instead.
   */
  registerLoadStateDictPreHook(hook: StateDictFilter<this>, options?: HookOptions): HookHandle {
    return this.own().loadPre.add(hook, options);
  }

  /** Calls `hook` after each state dict that was loaded. */
  registerLoadStateDictPostHook(hook: StateDictHook<this>, options?: HookOptions): HookHandle {
    return this.own().loadPost.add(hook, options);
  }

  /** @internal Whether a step calls any hook. */
  get isHooked(): boolean {
    return this.hooks !== undefined || globalPre.all.length + globalPost.all.length > 0;
  }

  /** @internal Calls the pre-hooks; what the step is to be called with. */
  beforeStep(call: StepCall): StepCall {
    const replaced = globalPre.pass(this, call);
    return this.hooks ? this.hooks.stepPre.pass(this, replaced) : replaced;
  }

  /** @internal Calls the post-hooks. */
  afterStep(call: StepCall): void {
    this.hooks?.stepPost.run(this, call);
    globalPost.run(this, call);
  }

  /** Saving between its hooks. */
  protected saveHooked(save: () => StateDict): StateDict {
    this.beforeSave();
    return this.afterSave(save());
  }

  /** Calls the hooks before saving. */
  protected beforeSave(): void {
    this.hooks?.savePre.run(this);
  }

  /** Calls the hooks after saving; the state dict that is to be given out. */
  protected afterSave(dict: StateDict): StateDict {
    return this.hooks ? this.hooks.savePost.pass(this, dict) : dict;
  }

  /** @internal Calls the load pre-hooks; the state dict that is to be loaded. */
  beforeLoad(dict: StateDict): StateDict {
    return this.hooks?.loadPre.all.length ? this.hooks.loadPre.pass(this, { ...dict }) : dict;
  }

  /** @internal Calls the load post-hooks. */
  afterLoad(): void {
    this.hooks?.loadPost.run(this);
  }

  /** What Node's `console.log` prints. */
  [inspectKey](): string {
    return this.toString();
  }

  private own(): Hooks {
    return (this.hooks ??= {
      stepPre: new HookList("a step pre-hook"),
      stepPost: new HookList("a step post-hook"),
      savePre: new HookList("a state dict pre-hook"),
      savePost: new HookList("a state dict post-hook"),
      loadPre: new HookList("a load pre-hook"),
      loadPost: new HookList("a load post-hook"),
    });
  }
}

/** Optimizers that take a step when they are called. */
export abstract class Steppable extends Hookable {
  /** A step without hooks. */
  protected abstract take(closure: StepCall["closure"], options: StepCall["options"]): unknown;

  /** A step between its hooks: global, own, the step, own, global. */
  protected stepHooked(call: StepCall): unknown {
    const replaced = this.beforeStep(call);
    const result = this.take(replaced.closure, replaced.options);
    this.afterStep(replaced);
    return result;
  }
}
