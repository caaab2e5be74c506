/**
 * Says what a well-formed program is, and throws where one is not.
 *
 * The tracer and the passes can make none of these mistakes if they are right; a rule can make some
 * (a mask where a number belongs, a scalar where a tensor belongs), and gets its own words back.
 */
import { Prose, RuleError } from "../errors.ts";
import { Op, opInfo, type OpCode } from "./op.ts";
import type { Node, Program } from "./program.ts";
import { describeRank, isHost, type Rank } from "./rank.ts";

export function verify(program: Program): void {
  program.nodes.forEach((node, id) => verifyNode(program, node, id));
  const host = program.nodes.find(({ op }) => op === Op.host);
  if (host && program.nodes.some(({ op, rank }) => op !== Op.load && hasLines(rank))) {
    const expected = "a rule with one or the other";
    fail(program, host.operation!.name, "it beside numbers of rows or columns", expected);
  }
  program.outputs.forEach((id, slot) => {
    if (id < 0) return;
    const node = program.nodes[id];
    if (!node)
      fail(program, `slot ${program.slots[slot]}`, `value %${id}`, "a value of the program");
    const wanted = program.slotRanks[slot]!;
    if (node.isMask) fail(program, program.slots[slot]!, "a comparison", describeRank(wanted));
    // The gradient may become a number: rules cannot write it, and a step can set it to zero.
    if (node.rank !== wanted && slot !== 1)
      fail(program, program.slots[slot]!, describeRank(node.rank), describeRank(wanted));
  });
  for (const id of program.results) {
    if (program.nodes[id]?.rank !== "scalar")
      fail(program, `result %${id}`, "a tensor", "a scalar");
  }
}

function verifyNode(program: Program, node: Node, id: number): void {
  const { name, arity, class: cls } = opInfo(node.op);
  if (cls === "host" ? node.args.length < arity : node.args.length !== arity) {
    fail(program, name, `${node.args.length} operands`, `${arity}`);
  }
  node.args.forEach((arg, position) => {
    const operand = program.nodes[arg];
    if (!operand || arg >= id)
      fail(program, `${name} %${id}`, `operand %${arg}`, "an earlier value");
    const wantsMask = cls === "select" && position === 0;
    if (operand.isMask !== wantsMask) {
      fail(
        program,
        name,
        wantsMask ? "a number" : "a comparison",
        wantsMask ? "a comparison" : "a number",
      );
    }
    const allowed = operandRanks(node.op, position);
    if (allowed && !allowed.includes(operand.rank)) {
      fail(program, name, describeRank(operand.rank), allowed.map(describeRank).join(" or "));
    }
    if (wantsMask && !isHost(node.rank) && operand.rank !== node.rank) {
      const [is, should] = [operand.rank, node.rank].map((rank) =>
        isHost(rank) ? "scalars" : rank === "tensor" ? "tensors" : `one number per ${rank}`,
      );
      const advice = "Choose between scalars, and multiply: g.mul(where(gt(norm(g), 1), c, 1)).";
      fail(
        program,
        name,
        `a comparison of ${is}`,
        `one of ${should}, to choose ${should} by`,
        advice,
      );
    }
  });
}

const hasLines = (rank: Rank): boolean => !isHost(rank) && rank !== "tensor";

/** What an operand has to be where an operation does not take any. */
function operandRanks(op: OpCode, position: number): readonly Rank[] | undefined {
  if (op === Op.rowSum) return ["tensor", "column"];
  if (op === Op.columnSum) return ["tensor", "row"];
  const { class: cls } = opInfo(op);
  return cls === "reduce" || (cls === "host" && position === 0) ? ["tensor"] : undefined;
}

function fail(
  program: Program,
  subject: string,
  got: string,
  expected: string,
  advice?: string,
): never {
  throw new RuleError("BAD_PROGRAM", {
    subject: `${program.subject}: ${subject}`,
    got: new Prose(got),
    expected,
    ...(advice ? { advice } : {}),
  });
}
