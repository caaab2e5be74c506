/** What is refused, and in which words. */
import { expect } from "vitest";
import { DownhillError } from "../../src/index.ts";

/** Any value where the types would not let it pass. */
export const wrong = <T>(value: unknown): T => value as T;

/** Class, code and message of each refusal. */
export function refusals(table: Record<string, () => unknown>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(table).map(([name, act]) => {
      try {
        act();
      } catch (error) {
        if (!(error instanceof DownhillError)) throw error;
        expect(error.message.startsWith(error.subject)).toBe(true);
        return [name, `${error.name} ${error.code}: ${error.message}`];
      }
      throw new Error(`${name}: accepted`);
    }),
  );
}
