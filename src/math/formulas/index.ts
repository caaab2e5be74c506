/**
 * The rules that come with Downhill as text, by their names. test/math/formulas.test.ts proves that each
 * is the rule in src/rules, bit for bit. Muon and Adafactor work on matrices, which the language does not.
 */
export { Adadelta } from "./adadelta.ts";
export { Adagrad } from "./adagrad.ts";
export { Adam, AdamW } from "./adam.ts";
export { Adamax } from "./adamax.ts";
export { ASGD } from "./asgd.ts";
export { NAdam } from "./nadam.ts";
export { RAdam } from "./radam.ts";
export { RMSprop } from "./rmsprop.ts";
export { Rprop } from "./rprop.ts";
export { SGD } from "./sgd.ts";
export { SparseAdam } from "./sparse-adam.ts";
