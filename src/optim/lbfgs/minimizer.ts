/**
 * L-BFGS: a quasi-Newton method that remembers a few steps instead of a matrix. Nocedal and Wright,
 * Numerical Optimization, 2nd ed., algorithm 7.5, with the step lengths and tests of `torch.optim.LBFGS`.
 *
 * It asks for losses by yielding: whoever runs it calls the closure, at once or awaiting it, and hands
 * the loss in. Where that fails, by an error thrown into it or by a loss or gradient that is not finite,
 * the iteration is taken back: parameters and state are those of the last one that ended, and the next
 * step goes on from there.
 */
import { GradientError, OptionError } from "../../errors.ts";
import type { Parameter } from "../../memory/parameter.ts";
import type { LBFGSHyper } from "./options.ts";
import { strongWolfe, type Trial } from "./strong-wolfe.ts";
import { History } from "./two-loop.ts";
import type { Vector, Vectors } from "./vectors.ts";

/** A point on the line of an iteration, with the gradient there and its largest component. */
export interface Point extends Trial {
  readonly gradient: Vector;
  steepest: number;
}

/** Asks for the loss at the parameters as they are, with gradients set; gives the step's result. */
export type Steps = Generator<void, number, unknown>;
type Part = Generator<void, void, unknown>;

export class Minimizer {
  /** Iterations and evaluations so far, over all steps. */
  iterations = 0;
  evaluations = 0;
  /** The last move was `length` times `direction`; 0 if it was taken back. */
  readonly direction: Vector;
  length = 0;
  readonly history: History;
  /** Where that move began. */
  last: Point;
  /** Where the parameters are. */
  private here: Point;
  private readonly points: readonly Point[];
  private readonly parameters: readonly Parameter[];
  private readonly vectors: Vectors;
  /** The parameters where an iteration begins, and further along its line. */
  private readonly x: Vector;
  private readonly trial: Vector;

  /** @throws {BackendError} `OUT_OF_MEMORY`. */
  constructor(parameters: readonly Parameter[], vectors: Vectors) {
    const point = (): Point => ({
      t: 0,
      f: NaN,
      slope: NaN,
      gradient: vectors.create(),
      steepest: NaN,
    });
    this.parameters = parameters;
    this.vectors = vectors;
    this.history = new History(vectors);
    this.direction = vectors.create();
    this.x = vectors.create();
    this.trial = vectors.create();
    this.points = [point(), point(), point(), point()];
    this.last = this.points[0]!;
    this.here = this.points[1]!;
  }

  /** One call of `step`: at most `maxIter` iterations. Returns the first loss. */
  *step(hyper: LBFGSHyper): Steps {
    const { maxIter, maxEval, toleranceGrad, toleranceChange } = hyper;
    const { vectors, direction, evaluations } = this;
    this.here = this.points.find((point) => point !== this.last)!;
    yield* this.evaluate(this.here);
    const first = this.here.f;
    if (this.here.steepest <= toleranceGrad) return first;
    for (let count = 1; ; count++) {
      vectors.readData(this.x);
      this.turn(hyper);
      if (!(this.last.slope <= -toleranceChange)) break;
      yield* this.move(hyper, count === maxIter, maxEval - (this.evaluations - evaluations));
      if (count === maxIter || this.evaluations - evaluations >= maxEval) break;
      if (this.here.steepest <= toleranceGrad) break;
      if (this.length * vectors.maxAbs(direction) <= toleranceChange) break;
      if (Math.abs(this.here.f - this.last.f) < toleranceChange) break;
    }
    return first;
  }

  /** Sets direction, slope and length for the next move; it begins here. */
  private turn({ historySize, lr }: LBFGSHyper): void {
    const { vectors, history, direction, here, last } = this;
    const isFirst = this.iterations === 0;
    if (!isFirst) history.add(historySize, this.length, direction, last.gradient, here.gradient);
    history.direct(direction, here.gradient);
    here.slope = vectors.dot(here.gradient, direction);
    this.length = isFirst ? Math.min(1, 1 / vectors.sumAbs(here.gradient)) * lr : lr;
    this.last = here;
    this.iterations++;
  }

  /** Moves the parameters along the direction. If that fails, they are where they were. */
  private *move(hyper: LBFGSHyper, isLast: boolean, evaluationsLeft: number): Part {
    try {
      if (hyper.lineSearchFn !== null) yield* this.search(hyper, evaluationsLeft);
      else {
        this.go(this.length);
        // A loss that nobody will use is not asked for.
        if (isLast) return;
        this.here = this.points.find((point) => point !== this.last)!;
        yield* this.evaluate(this.here);
      }
    } catch (error) {
      this.length = 0;
      this.iterations--;
      this.vectors.writeData(this.x);
      throw error;
    }
  }

  private *search({ toleranceChange }: LBFGSHyper, evaluationsLeft: number): Part {
    const { vectors, direction, last } = this;
    last.t = 0;
    const room = this.points.filter((point) => point !== last);
    const narrowest = toleranceChange / vectors.maxAbs(direction);
    const search = strongWolfe(last, this.length, room, { most: evaluationsLeft, narrowest });
    let turn = search.next();
    let visited = last;
    for (; !turn.done; turn = search.next()) {
      visited = turn.value;
      this.go(visited.t);
      yield* this.look(visited);
      visited.slope = vectors.dot(visited.gradient, direction);
      if (!Number.isFinite(visited.f + visited.slope)) visited.f = Infinity;
    }
    this.here = turn.value;
    this.length = this.here.t;
    if (this.here !== visited) this.go(this.length);
    this.here.steepest = vectors.maxAbs(this.here.gradient);
  }

  /** The parameters ← x + t·d. */
  private go(t: number): void {
    this.vectors.along(this.trial, this.x, t, this.direction);
    this.vectors.writeData(this.trial);
  }

  /** Finds out loss and gradient, which must be finite. */
  private *evaluate(point: Point): Part {
    yield* this.look(point);
    point.steepest = this.vectors.maxAbs(point.gradient);
    if (Number.isFinite(point.f) && Number.isFinite(point.steepest)) return;
    this.evaluations--;
    const bad = this.parameters.find(({ grad }) => grad?.some((g) => !Number.isFinite(g)));
    throw new GradientError("NON_FINITE", {
      subject: `LBFGS: ${bad ? `gradient of ${bad.label}` : "loss"}`,
      got: bad ? bad.grad!.find((g) => !Number.isFinite(g)) : point.f,
      expected: "a finite number",
      advice:
        'Take a smaller lr, or lineSearchFn: "strong_wolfe", which turns back before such points.',
    });
  }

  /** Asks for loss and gradient. */
  private *look(point: Point): Part {
    const loss = yield;
    if (typeof loss !== "number") {
      throw new OptionError("BAD_LOSS", {
        subject: "LBFGS: what the closure returned",
        got: loss,
        expected: "the loss, a number",
      });
    }
    point.f = loss;
    this.vectors.readGrads(point.gradient);
    this.evaluations++;
  }
}
