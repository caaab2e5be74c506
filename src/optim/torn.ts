/** What is refused once a step has ended in the middle: part of the numbers is new then, and part is not. */
import { BackendError, Prose } from "../errors.ts";

/** @param optimizer its name. */
export function refuseTorn(optimizer: string): never {
  throw new BackendError("NEEDS_RELOAD", {
    subject: optimizer,
    got: new Prose("an optimizer whose last step ended in the middle"),
    expected: "one whose parameters and state have been loaded again",
    advice: "Copy the parameters of the last checkpoint in, then call loadStateDict().",
  });
}
