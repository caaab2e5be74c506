/**
 * The surfaces that are raced on: functions of two numbers with gradients by hand, each of which shows
 * something else about the optimizers that run down it.
 */

export type Point = readonly [x: number, y: number];
/** Left, right, bottom, top. */
export type View = readonly [x0: number, x1: number, y0: number, y1: number];

/** A function and its gradient. */
export interface Landscape {
  value(x: number, y: number): number;
  gradient(x: number, y: number): Point;
}

/** Learning rates that suit a surface: for steps as long as the gradient says, and for those of a set length. */
export interface Rates {
  /** SGD and its kin. */
  readonly plain: number;
  /** Adam and its kind, whose steps are about as long as the rate. */
  readonly adaptive: number;
}

export interface Surface extends Landscape {
  readonly key: string;
  readonly label: string;
  /** As a reader would type it. */
  readonly formula: string;
  /** What to look for. */
  readonly note: string;
  readonly view: View;
  readonly start: Point;
  readonly steps: number;
  readonly rates: Rates;
  /** All that lie in the view. */
  readonly minima: readonly Point[];
  /** Whether its levels go up and down from zero, as a saddle's. */
  readonly bothWays?: boolean;
  /** Standard deviation of what is added to each component of a gradient. */
  readonly noise?: number;
}

const rosenbrock: Surface = {
  key: "rosenbrock",
  label: "Rosenbrock’s valley",
  formula: "(1 - x)^2 + 100 * (y - x^2)^2",
  note: "The valley is easy to find and hard to follow: its floor is bent and nearly flat, its walls are steep.",
  view: [-2.25, 2.25, -0.9, 2.7],
  start: [-1.5, 2],
  steps: 1500,
  rates: { plain: 1e-3, adaptive: 0.1 },
  minima: [[1, 1]],
  value: (x, y) => (1 - x) ** 2 + 100 * (y - x * x) ** 2,
  gradient: (x, y) => [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)],
};

const himmelblau: Surface = {
  key: "himmelblau",
  label: "Himmelblau’s four valleys",
  formula: "(x^2 + y - 11)^2 + (x + y^2 - 7)^2",
  note: "Four minima, all equally deep. Drag the start point: optimizers part ways on the ridges between.",
  view: [-6, 6, -4.8, 4.8],
  start: [0, -1],
  steps: 150,
  rates: { plain: 5e-3, adaptive: 0.1 },
  minima: [
    [3, 2],
    [-2.805118086952745, 3.131312518250573],
    [-3.779310253377747, -3.283185991286169],
    [3.584428340330492, -1.848126526964404],
  ],
  value: (x, y) => (x * x + y - 11) ** 2 + (x + y * y - 7) ** 2,
  gradient: (x, y) => {
    const a = x * x + y - 11;
    const b = x + y * y - 7;
    return [4 * x * a + 2 * b, 2 * a + 4 * y * b];
  },
};

const beale: Surface = {
  key: "beale",
  label: "Beale’s plateaus",
  formula: "(1.5 - x + x*y)^2 + (2.25 - x + x*y^2)^2 + (2.625 - x + x*y^3)^2",
  note: "Almost flat in the middle and very steep at the corners: one learning rate cannot suit both.",
  view: [-4.5, 4.5, -3.6, 3.6],
  start: [0.5, -1.8],
  steps: 500,
  rates: { plain: 2e-3, adaptive: 0.05 },
  minima: [[3, 0.5]],
  value: (x, y) =>
    (1.5 - x + x * y) ** 2 + (2.25 - x + x * y * y) ** 2 + (2.625 - x + x * y ** 3) ** 2,
  gradient: (x, y) => {
    const a = 1.5 - x + x * y;
    const b = 2.25 - x + x * y * y;
    const c = 2.625 - x + x * y ** 3;
    return [
      2 * (a * (y - 1) + b * (y * y - 1) + c * (y ** 3 - 1)),
      2 * x * (a + 2 * b * y + 3 * c * y * y),
    ];
  },
};

const saddle: Surface = {
  key: "saddle",
  label: "A saddle",
  formula: "x^2 - y^2",
  note: "Down to the middle, and then? Plain steps linger where the gradient vanishes; steps of a set length do not.",
  view: [-2, 2, -1.6, 1.6],
  start: [-1.6, 0.01],
  steps: 150,
  rates: { plain: 0.02, adaptive: 0.03 },
  minima: [],
  bothWays: true,
  value: (x, y) => x * x - y * y,
  gradient: (x, y) => [2 * x, -2 * y],
};

const ravine: Surface = {
  key: "ravine",
  label: "A ravine",
  formula: "x^2 / 20 + 5 * y^2",
  note: "A hundred times steeper across than along. Plain steps cross it to and fro: more than 0.2, and they fly out.",
  view: [-10, 3, -5.2, 5.2],
  start: [-9, 3],
  steps: 200,
  rates: { plain: 0.18, adaptive: 0.2 },
  minima: [[0, 0]],
  value: (x, y) => (x * x) / 20 + 5 * y * y,
  gradient: (x, y) => [x / 10, 10 * y],
};

const rastrigin: Surface = {
  key: "rastrigin",
  label: "Rastrigin’s egg box",
  formula: "20 + x^2 - 10*cos(2*pi*x) + y^2 - 10*cos(2*pi*y)",
  note: "Hollow beside hollow: whoever heeds the slope alone settles in one of the first. Long steps or noise help out of it.",
  view: [-4.5, 4.5, -3.6, 3.6],
  start: [-3.4, 2.6],
  steps: 300,
  rates: { plain: 4e-3, adaptive: 0.4 },
  minima: lattice(4),
  value: (x, y) =>
    20 + x * x - 10 * Math.cos(2 * Math.PI * x) + y * y - 10 * Math.cos(2 * Math.PI * y),
  gradient: (x, y) => [
    2 * x + 20 * Math.PI * Math.sin(2 * Math.PI * x),
    2 * y + 20 * Math.PI * Math.sin(2 * Math.PI * y),
  ],
};

const noisy: Surface = {
  key: "noisy",
  label: "A bowl in the dark",
  formula: "x^2 / 2 + 2 * y^2",
  note: "Every gradient is a little wrong, as from a batch of data. Long steps never come to rest; averages help.",
  view: [-5.5, 3, -3.4, 3.4],
  start: [-4.2, 2.2],
  steps: 300,
  rates: { plain: 0.1, adaptive: 0.1 },
  minima: [[0, 0]],
  noise: 2,
  value: (x, y) => (x * x) / 2 + 2 * y * y,
  gradient: (x, y) => [x, 4 * y],
};

/** The deepest points of Rastrigin's hollows: near whole numbers, and the nearer the more inward. */
function lattice(most: number): Point[] {
  const places = Array.from({ length: 2 * most + 1 }, (_, i) => hollow(i - most));
  return places.flatMap((x) => places.map((y): Point => [x, y]));
}

/** Where x + 10π·sin(2πx) is 0 next to a whole number, by Newton's method. */
function hollow(whole: number): number {
  let x = whole;
  for (let i = 0; i < 8; i++) {
    const slope = 1 + 20 * Math.PI ** 2 * Math.cos(2 * Math.PI * x);
    x -= (x + 10 * Math.PI * Math.sin(2 * Math.PI * x)) / slope;
  }
  return x;
}

export const surfaces: readonly [Surface, ...Surface[]] = [
  rosenbrock,
  himmelblau,
  beale,
  saddle,
  ravine,
  rastrigin,
  noisy,
];

/** The key of a surface whose formula the reader types. */
export const typed = "formula";
