/** Writes one WebAssembly function: instructions, and locals that go by name. */
import type {
  Instruction,
  InstructionName,
  Local,
  ValueType,
  WasmFunction,
} from "./instructions.ts";

export class FunctionWriter {
  private readonly params: readonly Local[];
  private readonly locals: Local[] = [];
  private readonly body: Instruction[] = [];
  private readonly indices = new Map<string, number>();

  constructor(...params: readonly string[]) {
    this.params = params.map((name) => ({ name, type: "i32" }));
    params.forEach((name, index) => this.indices.set(name, index));
  }

  function(): WasmFunction {
    return { params: this.params, locals: this.locals, body: this.body };
  }

  emit(...instruction: Instruction): void {
    this.body.push(instruction);
  }

  get(name: string): void {
    this.emit("local.get", this.indices.get(name)!);
  }

  set(name: string, type: ValueType): void {
    this.emit("local.set", this.index(name, type));
  }

  tee(name: string, type: ValueType): void {
    this.emit("local.tee", this.index(name, type));
  }

  /** Address `name` += bytes. */
  advance(name: string, bytes: number): void {
    this.get(name);
    this.emit("i32.const", bytes);
    this.emit("i32.add");
    this.set(name, "i32");
  }

  /** Runs `body` while the address `name` is below `limit`. */
  whileBelow(name: string, limit: string, body: () => void): void {
    const branch = (comparison: InstructionName) => {
      this.get(name);
      this.get(limit);
      this.emit(comparison);
      this.emit("br_if", 0);
    };
    this.emit("block");
    branch("i32.ge_u");
    this.emit("loop");
    body();
    branch("i32.lt_u");
    this.emit("end");
    this.emit("end");
  }

  private index(name: string, type: ValueType): number {
    let index = this.indices.get(name);
    if (index === undefined) {
      index = this.params.length + this.locals.push({ name, type }) - 1;
      this.indices.set(name, index);
    }
    return index;
  }
}
