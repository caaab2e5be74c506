/**
 * Schedules as plain functions of the step: `schedule.cosineAnnealing({ tMax: 100 })(42, 0.1)` is the
 * learning rate of step 42. Put them together with `sequential` and `chained`, draw them with
 * `scheduleValues`, give them to `Scheduler` for any hyperparameter, or write your own function.
 */
export {
  constant,
  exponential,
  lambda,
  linear,
  multiplicative,
  multiStepDecay,
  polynomial,
  stepDecay,
} from "./decay.ts";
export { cosineAnnealing, cosineWarmRestarts } from "./cosine.ts";
export { cyclic, cyclicMomentum, oneCycle, oneCycleMomentum } from "./cycle.ts";
export { initialPlateau, plateau, type PlateauOptions, type PlateauState } from "./plateau.ts";
export { chained, scheduleValues, sequential } from "./schedule.ts";
export { swa } from "./swa.ts";
export { inverseSqrt, warmupCosine, warmupStableDecay } from "./warmup.ts";
