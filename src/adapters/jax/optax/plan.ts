/** From the parts of a chain to passes over memory: as many links as possible share one. */
import type { HyperDefaults, Rule } from "../../../ir/rule.ts";
import type { TypedArray } from "../../../memory/dtype.ts";
import type { OptimizerOptions } from "../../../optim/options.ts";
import type { ArrayTree } from "../tree.ts";
import { fuse, withUpdate, type AnyLink, type Schedule } from "./link.ts";
import { readMask, type MaskOption } from "./mask.ts";
import type { LeafFacts, LeafSettings, Segment } from "./run.ts";

/** What a transformation is made of. */
export type Part =
  | { readonly kind: "link"; readonly link: AnyLink; readonly mask: MaskOption }
  | { readonly kind: "clip"; readonly owner: string; readonly maxNorm: number }
  | {
      readonly kind: "rule";
      readonly rule: Rule;
      readonly options: OptimizerOptions<HyperDefaults>;
      readonly schedules: ReadonlyMap<string, Schedule>;
    };

type LinkPart = Part & { readonly kind: "link" };
type RulePart = Part & { readonly kind: "rule" };

/** A pass: a norm that comes before it, and links or a rule. */
interface Pass {
  maxNorm: number;
  readonly links: LinkPart[];
  rule: RulePart | undefined;
}

/**
 * The passes of a chain.
 *
 * @param params for masks that are functions.
 * @throws {OptionError} `BAD_MASK`, or for a number out of its domain.
 */
export function plan(
  name: string,
  parts: readonly Part[],
  params: ArrayTree,
  leaves: readonly LeafFacts[],
): Segment[] {
  const passes = passesOf(parts);
  return passes.map(({ maxNorm, links, rule }, i): Segment => {
    const applies = i === passes.length - 1;
    if (rule) {
      const { options, schedules } = rule;
      const made = withUpdate(rule.rule, applies);
      return { rule: made, options, schedules, maxNorm, usesParams: true, perLeaf: () => nothing };
    }
    const fused = fuse(
      i === 0 ? name : `${name} (pass ${i + 1})`,
      links.map(({ link }) => link),
      applies,
    );
    const masked = links.find(({ mask }) => mask !== null);
    const mask = masked && readMask(masked.link.owner, masked.mask, params, leaves);
    return {
      ...fused,
      options: {},
      maxNorm,
      usesParams: links.some(({ link }) => link.usesParams),
      perLeaf: (leaf) => settingsFor(mask?.[leaf]),
    };
  });
}

/** A pass ends before what needs all of its output: a norm, or a rule of its own. */
function passesOf(parts: readonly Part[]): readonly Pass[] {
  let pass: Pass = { maxNorm: Infinity, links: [], rule: undefined };
  const passes = [pass];
  const begin = () => passes.push((pass = { maxNorm: Infinity, links: [], rule: undefined }));
  for (const part of parts) {
    const isBegun = pass.links.length > 0 || pass.rule !== undefined;
    if (part.kind === "clip") {
      if (isBegun) begin();
      pass.maxNorm = Math.min(pass.maxNorm, part.maxNorm);
    } else if (part.kind === "rule") {
      if (isBegun) begin();
      pass.rule = part;
    } else {
      const isSecondMask = part.mask !== null && pass.links.some(({ mask }) => mask !== null);
      if (pass.rule || isSecondMask) begin();
      pass.links.push(part);
    }
  }
  return passes;
}

const nothing: LeafSettings = { hyper: {}, state: {} };

function settingsFor(mask: number | TypedArray | undefined): LeafSettings {
  if (mask === undefined) return nothing;
  if (typeof mask === "number") return { hyper: { mask }, state: {} };
  return { hyper: { mask: 1 }, state: { maskValues: mask } };
}
