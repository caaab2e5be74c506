/**
 * Notices whether a group's hyperparameters are those of the last step. Most often they are, and then
 * they need not be checked again, nor a rule be run whose numbers do not change with time.
 */
import type { RuleInfo } from "../ir/rule.ts";

type Values = Readonly<Record<string, unknown>>;

class HyperWatch {
  private readonly names: readonly string[];
  /** Of each hyperparameter its value; of an array also its length and its elements. */
  private readonly seen: unknown[] = [];

  constructor(names: readonly string[]) {
    this.names = names;
  }

  /** Whether any value differs from those remembered. */
  differs(values: Values): boolean {
    const { names, seen } = this;
    let at = 0;
    for (let i = 0; i < names.length; i++) {
      const value = values[names[i]!];
      if (at >= seen.length || value !== seen[at++]) return true;
      if (!Array.isArray(value)) continue;
      if (value.length !== seen[at++]) return true;
      for (let k = 0; k < value.length; k++) if (value[k] !== seen[at++]) return true;
    }
    return false;
  }

  /** Only values that have been found valid should be remembered. */
  remember(values: Values): void {
    const { names, seen } = this;
    let at = 0;
    for (let i = 0; i < names.length; i++) {
      const value = values[names[i]!];
      seen[at++] = value;
      if (!Array.isArray(value)) continue;
      seen[at++] = value.length;
      for (let k = 0; k < value.length; k++) seen[at++] = value[k];
    }
  }
}

/** Watches all groups of an optimizer. */
export class GroupWatch {
  private readonly rule: RuleInfo;
  private readonly watches: HyperWatch[] = [];

  constructor(rule: RuleInfo) {
    this.rule = rule;
  }

  /** Checks what was changed since the last call; whether anything was. @throws {OptionError} */
  check(groups: readonly object[]): boolean {
    const { watches, rule } = this;
    let changed = false;
    for (let i = 0; i < groups.length; i++) {
      watches[i] ??= new HyperWatch(rule.hyperNames);
      if (!watches[i]!.differs(groups[i] as Values)) continue;
      rule.validate(groups[i] as Values, i);
      changed = true;
    }
    // All at once: were one remembered and the next refused, its change would be forgotten.
    if (changed) for (let i = 0; i < groups.length; i++) watches[i]!.remember(groups[i] as Values);
    return changed;
  }
}
