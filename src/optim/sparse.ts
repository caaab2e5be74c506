/**
 * Steps of parameters whose gradients consist of some rows alone: whether a rule takes them, and what is
 * to do before the first such step and after one that empties the gradients.
 */
import { GradientError, OptionError, Prose, RuleError } from "../errors.ts";
import type { Hyper, HyperDefaults, Rule } from "../ir/rule.ts";
import type { Batch } from "./batch.ts";
import type { ParamGroup } from "./options.ts";
import { AVERAGE } from "./with-average.ts";

/** @throws {GradientError} | {OptionError} unless the rule takes gradients of the batch's kind. */
export function checkKind(rule: Rule, batch: Batch, group: ParamGroup<HyperDefaults>): void {
  const { sparse } = rule;
  if (!batch.sparse && !sparse?.only) return;
  if (!batch.sparse || !sparse) refuseKind(rule, batch);
  const complaint = sparse.check?.(group as Hyper<HyperDefaults>);
  if (!complaint) return;
  const { label } = batch.entries[0]!.parameter;
  throw new OptionError("BAD_HYPERPARAMETER", {
    subject: `${rule.name}: paramGroups[${batch.group}].${complaint.option}`,
    got: group[complaint.option],
    expected: `${complaint.expected} where gradients are sparse, as that of ${label} is`,
    advice: "Set grad, a dense gradient, or change the option.",
  });
}

function refuseKind(rule: Rule, batch: Batch): never {
  const subject = `${rule.name}: ${batch.entries[0]!.parameter.label}`;
  if (batch.sparse) {
    throw new GradientError("SPARSE_GRADIENT", {
      subject,
      got: new Prose("a sparse gradient"),
      expected: "a dense one",
      advice: rule.stateNames.includes(AVERAGE)
        ? "Set grad instead, or leave the average out and call updateParameters() after each step."
        : "Set grad instead, or take SparseAdam, Adagrad or SGD without momentum.",
    });
  }
  throw new GradientError("DENSE_GRADIENT", {
    subject,
    got: new Prose("a dense gradient"),
    expected: "one of rows: sparseGrad = { indices, values }",
    advice: "For dense gradients there is Adam.",
  });
}

/** @throws {RuleError} as the rule needs values of whole tensors. */
export function refuseReduction(rule: Rule): never {
  throw new RuleError("NOT_ELEMENTWISE", {
    subject: `${rule.name}: step() with a sparse gradient`,
    got: new Prose("a reduction such as a norm or a mean"),
    expected: "a rule that works element by element",
    advice: "Leave sparse out of the rule.",
  });
}

/** Fills state that the batch writes for the first time, where it does not begin as zeros. */
export function fillState(rule: Rule, batch: Batch, group: ParamGroup<HyperDefaults>): void {
  const values = rule.sparse?.start?.(group as Hyper<HyperDefaults>);
  if (!values) return;
  for (let slot = 2; slot < rule.slots.length; slot++) {
    const value = values[rule.slots[slot]!] ?? 0;
    const isFresh = ((batch.written >> (slot - 2)) & 1) === 0;
    if (!isFresh || value === 0 || !batch.arena.has(slot)) continue;
    for (let i = 0; i < batch.entryCount; i++) {
      batch.arena.write(slot, batch.entries[i]!, value);
    }
  }
}

/** After a step that set its gradients to zero: no rows are left. */
export function forgetRows(batch: Batch): void {
  for (let i = 0; i < batch.entryCount; i++) batch.entries[i]!.parameter.hasGrad = false;
}
