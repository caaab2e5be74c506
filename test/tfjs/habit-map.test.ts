/** A map with a memory for the order of questions gives the answers of one without. */
import { expect, test } from "vitest";
import { HabitMap } from "../../src/adapters/tfjs/habit-map.ts";

const [a, b, c] = [{ key: "a" }, { key: "b" }, { key: "c" }];
const [one, two, three] = [{ value: 1 }, { value: 2 }, { value: 3 }];

test("answers are those of now, in whatever order it is asked", () => {
  const map = new HabitMap<object, object>([
    [a, one],
    [b, two],
  ]);
  const ask = (...keys: object[]) => keys.map((key, i) => map.at(i, key));
  expect(ask(a, b, c)).toEqual([one, two, undefined]);
  expect(ask(a, b)).toEqual([one, two]);
  expect(ask(b, a)).toEqual([two, one]);
  expect(map.at(9, a)).toBe(one);
  map.set(c, three);
  expect(ask(c, b, a)).toEqual([three, two, one]);
  map.set(b, three);
  expect(ask(c, b, a)).toEqual([three, three, one]);
  map.delete(b);
  expect(ask(c, b, a)).toEqual([three, undefined, one]);
  map.clear();
  expect(ask(c, b, a)).toEqual([undefined, undefined, undefined]);
});
