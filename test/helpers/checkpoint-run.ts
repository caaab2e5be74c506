/** A run that uses everything which has a state, to be interrupted and resumed. */
import {
  AdamW,
  ASGD,
  AveragedModel,
  clipGradNorm,
  CompositeOptimizer,
  GradAccumulator,
  GradScaler,
  Muon,
  NAdam,
  parameter,
  ReduceLROnPlateau,
  schedule,
  Scheduler,
  StepLR,
  type Parameter,
} from "../../src/index.ts";
import { noise, noisyParameters } from "./rules.ts";

export type Run = ReturnType<typeof createRun>;

export function createRun() {
  const sizes = [[6, 4], [5, 3], [7], [9], []];
  const parameters: Parameter[] = noisyParameters(sizes).concat(
    parameter(new Float64Array([1, 2, 3]), { name: "double.bias" }),
  );
  const [a, b, c, d, e, f] = parameters as [
    Parameter,
    Parameter,
    Parameter,
    Parameter,
    Parameter,
    Parameter,
  ];
  const average = new AveragedModel([c, d], { ema: 0.9 });
  const optimizer = new CompositeOptimizer({
    muon: new Muon([{ params: [a] }, { params: [b], lr: 0.05 }], { lr: 0.02 }),
    nadam: new NAdam([{ params: [c] }, { params: [d], weightDecay: 0.1 }], { average }),
    asgd: new ASGD([e], { t0: 3, lr: 0.05 }),
    adamw: new AdamW([f], { amsgrad: true }),
  });
  const schedulers = [
    new StepLR(optimizer, { stepSize: 2, gamma: 0.7 }),
    new Scheduler(optimizer, { weightDecay: schedule.linear({ endFactor: 0.1, totalIters: 8 }) }),
    new ReduceLROnPlateau(optimizer, { patience: 0, factor: 0.5 }),
  ] as const;
  const averages = [new AveragedModel(parameters.slice(0, 2))];
  const scaler = new GradScaler({ initScale: 1024, growthInterval: 3 });
  const random = { state: 12345 };
  const accumulator = new GradAccumulator(optimizer, 2, () => {
    scaler.unscale(optimizer);
    clipGradNorm(optimizer, 1);
    scaler.step(optimizer);
    scaler.update();
  });
  return { parameters, optimizer, schedulers, averages, scaler, accumulator, random, average };
}

/** Small batches from one to another; a step is taken after every second. */
export function batches(run: Run, from: number, to: number): void {
  const { parameters, schedulers, averages, scaler, accumulator, random } = run;
  for (let batch = from; batch < to; batch++) {
    random.state = (Math.imul(random.state, 1_664_525) + 1_013_904_223) | 0;
    const next = noise((random.state >>> 8) % 1000);
    for (const p of parameters) p.addGrad(p.data.map(() => next() * scaler.getScale()));
    if (batch === 6) parameters[2]!.addGrad(parameters[2]!.data.map(() => Infinity));
    if (!accumulator.step()) continue;
    schedulers[0].step();
    schedulers[1].step();
    schedulers[2].step(next());
    averages[0]!.updateParameters();
  }
}
