/** What is set in the Race room comes back from the address that it writes; what makes no sense is left out. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ownRacer } from "../../site/src/race/own-racer.ts";
import { racers } from "../../site/src/race/racers.ts";
import {
  freshState,
  readState,
  typedDefaults,
  writeState,
  type RaceState,
} from "../../site/src/rooms/race/state.ts";
import { surfaces, typed } from "../../site/src/race/surfaces.ts";
import { yours } from "../../site/src/ui/own-rule.ts";
import { readHash, writeHash } from "../../site/src/router.ts";

describe("addresses", () => {
  const mine = ownRacer("m = ema(m, g, b1)\np = p - lr * m");
  const number = fc.double({ min: -50, max: 50, noNaN: true }).map((v) => (v === 0 ? 0 : v));
  const states = fc
    .record({
      surface: fc.constantFrom(...surfaces.map(({ key }) => key), typed),
      formula: fc.string({ minLength: 1, unit: "grapheme" }),
      start: fc.tuple(number, number),
      corner: fc.tuple(number, number),
      size: fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })),
      steps: fc.integer({ min: 1, max: 10_000 }),
      noise: fc.double({ min: 0, max: 9, noNaN: true }).map(Math.abs),
      seed: fc.nat(999),
      racing: fc.subarray([...racers.map(({ key }) => key), yours]),
      rule: fc.string({ minLength: 1, unit: "grapheme" }),
      lr: fc.double({ min: 1e-9, max: 10, noNaN: true }),
      betas: fc.tuple(number, number),
      amsgrad: fc.boolean(),
      speed: fc.integer({ min: 1, max: 1000 }),
      at: fc.option(fc.nat(1)),
    })
    .map(({ corner: [x, y], size: [w, h], lr, betas, amsgrad, ...rest }): RaceState => ({
      ...rest,
      formula: rest.surface === typed ? rest.formula : typedDefaults.formula,
      view: [x, x + w, y, y + h],
      changes: {
        adam: { lr, betas, amsgrad: !amsgrad },
        lbfgs: { lineSearchFn: "none" },
        yours: { lr, b1: 0.5 },
      },
    }));

  test("a state comes back from its address", () => {
    fc.assert(
      fc.property(states, (state) => {
        const { room, params } = readHash(writeHash("race", writeState(state)));
        expect(room).toBe("race");
        expect(readState(params, mine)).toEqual(state);
      }),
    );
  });

  test("the usual takes few words", () => {
    expect(writeHash("race", writeState(freshState("beale")))).toBe("#/race?surface=beale");
    const state = {
      ...freshState("beale"),
      changes: { adam: { lr: 0.5, betas: [0.5, 0.9] as const } },
    };
    expect(writeHash("race", writeState(state))).toBe(
      "#/race?surface=beale&adam.lr=0.5&adam.betas=0.5,0.9",
    );
  });

  test("a rule of the reader's own: only an address that has one has its racer", () => {
    const { params } = readHash("#/race?racing=yours,adam&yours.b1=0.5&yours.k=1");
    expect(readState(params)).toMatchObject({ racing: ["adam"], changes: {}, rule: "" });
    params.set("rule", "m = ema(m, g, b1)\np = p - lr * m");
    expect(readState(params, mine)).toMatchObject({
      racing: ["adam", "yours"],
      changes: { yours: { b1: 0.5 } },
      rule: params.get("rule"),
    });
  });

  test.each([
    "",
    "#",
    "#/",
    "#/race",
    "#/race?surface=nothing&start=1&start=x,y&view=1,0,0,1&steps=x&racing",
    "#/race?adam.lr=x&adam.nothing=1&nobody.lr=1&adam.betas=1&adam.amsgrad=perhaps&lbfgs.lineSearchFn=x&noise=&at",
    "#/race?__proto__.lr=1&adam.__proto__=1&constructor=1",
  ])("%s says nothing", (hash) => {
    const { at: _, racing: __, ...state } = readState(readHash(hash).params);
    const { at: ___, racing: ____, ...usual } = freshState("rosenbrock");
    expect(state).toEqual(usual);
  });

  test("numbers are kept within what can be run", () => {
    const { params } = readHash("#/race?steps=1e9&noise=-1&speed=0&at=99999&seed=1.4");
    expect(readState(params)).toMatchObject({
      steps: 10_000,
      noise: 0,
      speed: 1,
      at: 10_000,
      seed: 1,
    });
  });
});
