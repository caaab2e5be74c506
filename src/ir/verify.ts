/**
 * Says what a well-formed program is, and throws where one is not.
 *
 * The tracer and the passes can make none of these mistakes if they are right; a rule can make some
 * (a mask where a number belongs, a scalar where a tensor belongs), and gets its own words back.
 */
import { Prose, RuleError } from "../errors.ts";
import { opInfo } from "./op.ts";
import type { Node, Program } from "./program.ts";

export function verify(program: Program): void {
  program.nodes.forEach((node, id) => verifyNode(program, node, id));
  program.outputs.forEach((id, slot) => {
    if (id < 0) return;
    const node = program.nodes[id];
    if (!node)
      fail(program, `slot ${program.slots[slot]}`, `value %${id}`, "a value of the program");
    if (node.isMask) fail(program, program.slots[slot]!, "a comparison", "a tensor");
    // The gradient may become a number: rules cannot write it, and a step can set it to zero.
    if (node.rank !== "tensor" && slot !== 1)
      fail(program, program.slots[slot]!, "one number", "a tensor");
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
    if ((cls === "reduce" || (cls === "host" && position === 0)) && operand.rank !== "tensor") {
      fail(program, name, "one number", "a tensor");
    }
    if (wantsMask && node.rank === "tensor" && operand.rank !== "tensor") {
      const advice = "Choose between scalars, and multiply: g.mul(where(gt(norm(g), 1), c, 1)).";
      fail(
        program,
        name,
        "a comparison of scalars",
        "one of tensors, to choose tensors by",
        advice,
      );
    }
  });
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
