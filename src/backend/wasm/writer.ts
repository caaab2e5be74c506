/** Writes one WebAssembly function: instructions, and locals that go by name. */
import type { AddressType, Instruction, Local, ValueType, WasmFunction } from "./instructions.ts";

export class FunctionWriter {
  private readonly address: AddressType;
  private readonly params: readonly Local[];
  private readonly locals: Local[] = [];
  private readonly body: Instruction[] = [];
  private readonly indices = new Map<string, number>();

  /** @param params addresses and numbers of elements. */
  constructor(address: AddressType, ...params: readonly string[]) {
    this.address = address;
    this.params =
      address === "i32"
        ? params.map((name) => ({ name, type: "i32" }))
        : params.map((name) => ({ name: `${name}.number`, type: "f64" }));
    this.params.forEach(({ name }, index) => this.indices.set(name, index));
    if (address === "i32") return;
    // JavaScript would have to make a BigInt for an i64 in every call.
    for (const name of params) {
      this.get(`${name}.number`);
      this.emit("i64.trunc_f64_s");
      this.setAddress(name);
    }
  }

  function(): WasmFunction {
    const { address, params, locals, body } = this;
    return { address, params, locals, body };
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

  /** An instruction on addresses, e.g. `add`. */
  onAddress(
    operation: "add" | "sub" | "mul" | "div_u" | "and" | "shl" | "const" | "load" | "lt_u" | "ge_u",
    ...immediates: number[]
  ): void {
    this.emit(`${this.address}.${operation}`, ...immediates);
  }

  setAddress(name: string): void {
    this.set(name, this.address);
  }

  /** Address `name` += bytes. */
  advance(name: string, bytes: number): void {
    this.get(name);
    this.onAddress("const", bytes);
    this.onAddress("add");
    this.setAddress(name);
  }

  /** Runs `body` while the address `name` is below `limit`. */
  whileBelow(name: string, limit: string, body: () => void): void {
    const branch = (comparison: "lt_u" | "ge_u") => {
      this.get(name);
      this.get(limit);
      this.onAddress(comparison);
      this.emit("br_if", 0);
    };
    this.emit("block");
    branch("ge_u");
    this.emit("loop");
    body();
    branch("lt_u");
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
