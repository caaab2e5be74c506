/** Names of options that nobody knows, and what was probably meant. */
import { OptionError, Prose, show } from "../errors.ts";

/** @throws {OptionError} if `given` has a key that is not known. */
export function refuseUnknown(owner: string, given: object, known: readonly string[]): void {
  const stranger = Object.keys(given).find((key) => !known.includes(key));
  if (stranger === undefined) return;
  const meant = closest(stranger, known);
  throw new OptionError("UNKNOWN_OPTION", {
    subject: `${owner}: ${show(stranger)}`,
    got: new Prose("an unknown name"),
    expected: `one of ${known.join(", ")}`,
    ...(meant ? { advice: `Did you mean ${meant}?` } : {}),
  });
}

/** The known name that a wrong one most likely stands for: of another case, cut short, or too long. */
function closest(stranger: string, known: readonly string[]): string | undefined {
  const plain = stranger.replaceAll("_", "").toLowerCase();
  if (plain === "learningrate") return known.find((name) => name === "lr");
  const names = known.map((name) => ({ name, lower: name.toLowerCase() }));
  const found =
    names.find(({ lower }) => lower === plain) ??
    names.find(({ lower }) => plain.length > 1 && lower.startsWith(plain)) ??
    names.find(({ lower }) => lower.length > 1 && plain.startsWith(lower));
  return found?.name;
}
