/**
 * Hooks: in which order they are called, what they may replace, and that one that throws before a step
 * leaves everything as it was.
 */
import { afterEach, describe, expect, test } from "vitest";
import {
  Adam,
  parameter,
  registerOptimizerStepPostHook,
  registerOptimizerStepPreHook,
  SGD,
  type HookHandle,
  type StateDict,
  type StepCall,
} from "../src/index.ts";
import { expectUnchanged } from "./helpers/bits.ts";
import { refusals, wrong } from "./helpers/refusals.ts";

const setUp = () => {
  const w = parameter([1, 2], { name: "w" });
  const optimizer = new SGD([w], { lr: 0.5, momentum: 0.5 });
  w.grad = [1, 1];
  return { w, optimizer };
};

const handles: HookHandle[] = [];
afterEach(() => handles.splice(0).forEach((handle) => handle.remove()));

describe("around a step", () => {
  test("global pre, local pre, step, local post, global post", () => {
    const { w, optimizer } = setUp();
    const seen: unknown[] = [];
    const note = (name: string) => (of: unknown) => {
      expect(of).toBe(optimizer);
      seen.push([name, w.data[0]]);
    };
    optimizer.registerStepPostHook(note("local post"));
    optimizer.registerStepPreHook(note("local pre"));
    optimizer.registerStepPreHook(note("second local pre"));
    handles.push(registerOptimizerStepPostHook(note("global post")));
    handles.push(registerOptimizerStepPreHook(note("global pre")));
    optimizer.step();
    expect(seen).toEqual([
      ["global pre", 1],
      ["local pre", 1],
      ["second local pre", 1],
      ["local post", 0.5],
      ["global post", 0.5],
    ]);
  });

  test("global hooks are called for every optimizer, also for one made later, until removed", () => {
    const seen: unknown[] = [];
    const handle = registerOptimizerStepPreHook((of) => void seen.push(of));
    const [a, b] = [setUp().optimizer, setUp().optimizer];
    a.step();
    b.step();
    handle.remove();
    a.step();
    expect(seen).toEqual([a, b]);
  });

  test("a removed hook is not called; a handle removes its own registration, and only once", () => {
    const { optimizer } = setUp();
    let count = 0;
    const hook = () => void count++;
    const first = optimizer.registerStepPreHook(hook);
    const second = optimizer.registerStepPreHook(hook);
    optimizer.step();
    expect(count).toBe(2);
    first.remove();
    first.remove();
    optimizer.step();
    expect(count).toBe(3);
    second[Symbol.dispose]();
    optimizer.step();
    expect(count).toBe(3);
  });

  test("hooks that come or go while others run count from the next step on", () => {
    const { optimizer } = setUp();
    const seen: string[] = [];
    const once = optimizer.registerStepPreHook(() => {
      seen.push("once");
      once.remove();
      optimizer.registerStepPreHook(() => void seen.push("late"));
    });
    optimizer.registerStepPreHook(() => void seen.push("always"));
    optimizer.step();
    expect(seen).toEqual(["once", "always"]);
    optimizer.step();
    expect(seen).toEqual(["once", "always", "always", "late"]);
  });

  test("what step was called with reaches them, and they may replace it", () => {
    const { w, optimizer } = setUp();
    const calls: StepCall[] = [];
    const options = { gradScale: 2 };
    const closure = () => 7;
    optimizer.registerStepPostHook((_, call) => void calls.push(call));
    optimizer.step();
    optimizer.step(options);
    optimizer.step(closure);
    optimizer.step(closure, options);
    expect(calls).toEqual([
      { closure: undefined, options: undefined },
      { closure: undefined, options },
      { closure, options: undefined },
      { closure, options },
    ]);

    const replaced = { closure: () => 8, options: { gradScale: 0, zeroGrad: true } };
    optimizer.registerStepPreHook(() => replaced);
    expect(optimizer.step(closure)).toBe(8);
    expect(calls.at(-1)).toBe(replaced);
    expect([...w.grad!]).toEqual([0, 0]);
  });

  test("one that throws before the step leaves everything as it was; none is called after it", () => {
    const { w, optimizer } = setUp();
    optimizer.step();
    let after = 0;
    optimizer.registerStepPostHook(() => void after++);
    const handle = optimizer.registerStepPreHook(() => {
      throw new RangeError("not today");
    });
    expectUnchanged(optimizer, [w], () => optimizer.step());
    expect(after).toBe(0);
    handle.remove();
    optimizer.step();
    expect(after).toBe(1);
  });

  test("a closure that throws keeps the hooks after the step from being called", () => {
    const { optimizer } = setUp();
    let after = 0;
    optimizer.registerStepPostHook(() => void after++);
    const fail = (): number => {
      throw new RangeError("no loss");
    };
    expect(() => optimizer.step(fail)).toThrow("no loss");
    expect(after).toBe(0);
  });
});

describe("around state dicts", () => {
  const withLr = (dict: StateDict, lr: number): StateDict => ({
    ...dict,
    paramGroups: dict.paramGroups.map((group) => ({ ...group, lr })),
  });

  test("saving: before, then what was made, each with what the one before it returned", () => {
    const { optimizer } = setUp();
    const seen: string[] = [];
    optimizer.registerStateDictPreHook((of) => void seen.push(`pre ${of === optimizer}`));
    optimizer.registerStateDictPreHook(() => void seen.push("first pre"), { prepend: true });
    optimizer.registerStateDictPostHook((_, dict) => {
      seen.push(`post ${String(dict.paramGroups[0]!["lr"])}`);
    });
    optimizer.registerStateDictPostHook((_, dict) => withLr(dict, 0.25), { prepend: true });
    expect(optimizer.stateDict().paramGroups[0]!["lr"]).toBe(0.25);
    expect(seen).toEqual(["first pre", "pre true", "post 0.25"]);
  });

  test("loading: what is to be loaded, in order, then after", () => {
    const { optimizer } = setUp();
    const dict = optimizer.stateDict();
    const seen: string[] = [];
    optimizer.registerLoadStateDictPreHook((_, given) => {
      seen.push(`pre ${String(given.paramGroups[0]!["lr"])}`);
    });
    optimizer.registerLoadStateDictPreHook((_, given) => withLr(given, 0.125), { prepend: true });
    const after = (of: SGD) => void seen.push(`post ${of.paramGroups[0].lr}`);
    optimizer.registerLoadStateDictPostHook(after);
    optimizer.registerLoadStateDictPostHook(() => void seen.push("first post"), { prepend: true });
    optimizer.loadStateDict(dict);
    expect(seen).toEqual(["pre 0.125", "first post", "post 0.125"]);
  });

  test("a pre-hook may change the dict that it gets, which is a copy", () => {
    const { optimizer } = setUp();
    const dict = optimizer.stateDict();
    optimizer.registerLoadStateDictPreHook((_, given) => {
      Object.assign(given, withLr(given, 0.125));
    });
    optimizer.loadStateDict(dict);
    expect(optimizer.paramGroups[0].lr).toBe(0.125);
    expect(dict.paramGroups[0]!["lr"]).toBe(0.5);
  });

  test("one that throws, and a dict that does not fit, change nothing and reach no post-hook", () => {
    const { w, optimizer } = setUp();
    optimizer.step();
    const dict = optimizer.stateDict();
    let after = 0;
    optimizer.registerLoadStateDictPostHook(() => void after++);
    const handle = optimizer.registerLoadStateDictPreHook((_, given) => withLr(given, -1));
    expectUnchanged(optimizer, [w], () => optimizer.loadStateDict(dict));
    handle.remove();
    optimizer.registerLoadStateDictPreHook(() => {
      throw new RangeError("not today");
    });
    expectUnchanged(optimizer, [w], () => optimizer.loadStateDict(dict));
    expect(after).toBe(0);
  });
});

test("what is refused", () => {
  const { optimizer, w } = setUp();
  const before = (returned: unknown) => () => {
    const other = new Adam([w]);
    other.registerStepPreHook(() => wrong<StepCall>(returned));
    other.step();
  };
  expect(
    refusals({
      "no function": () => optimizer.registerStepPreHook(wrong("log")),
      "no global function": () => registerOptimizerStepPostHook(wrong(undefined)),
      "a number": before(3),
      "a promise": before(Promise.resolve()),
      "an unknown option": before({ options: { scale: 2 } }),
      "a text for a dict": () => {
        optimizer.registerStateDictPostHook(() => wrong("saved"));
        optimizer.stateDict();
      },
    }),
  ).toMatchInlineSnapshot(`
    {
      "a number": "OptionError BAD_HOOK: a step pre-hook: got 3, expected nothing, or an object that takes the place of the one it was given.",
      "a promise": "OptionError BAD_HOOK: a step pre-hook: got a promise, expected nothing, or an object that takes the place of the one it was given. Hooks must not be async.",
      "a text for a dict": "OptionError BAD_HOOK: a state dict post-hook: got "saved", expected nothing, or an object that takes the place of the one it was given.",
      "an unknown option": "OptionError BAD_OPTION: Adam: step: got "scale", expected gradScale or zeroGrad.",
      "no function": "OptionError BAD_HOOK: a step pre-hook: got "log", expected a function.",
      "no global function": "OptionError BAD_HOOK: a step post-hook of all optimizers: got undefined, expected a function.",
    }
  `);
});
