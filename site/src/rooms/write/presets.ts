/** Texts to begin with: the rules that come with Downhill, and a few that do not. */
import * as formulas from "../../../../src/math/formulas/index.ts";

const texts: Readonly<Record<keyof typeof formulas, string>> = formulas;

export interface Source {
  /** Who and when. */
  readonly by: string;
  readonly url: string;
}

export interface Preset {
  readonly label: string;
  readonly text: string;
  /** What it does, in a sentence. */
  readonly note: string;
  readonly source?: Source;
}

const arxiv = (by: string, id: string): Source => ({ by, url: `https://arxiv.org/abs/${id}` });

/** What the room opens with. */
export const first = `m = ema(m, g, b1)
p = p - lr * m`;

/** Rules that Downhill does not come with. */
export const others: readonly Preset[] = [
  {
    label: "Averaged gradient",
    text: first,
    note: "Momentum as a mean: the shortest rule that remembers something.",
  },
  {
    label: "Adam, shortly",
    text: `# What Adam is without its options.
m = ema(m, g, b1)
v = emaSq(v, g, b2)
m_hat = m / (1 - b1^t)
v_hat = v / (1 - b2^t)
p = p - lr * m_hat / (sqrt(v_hat) + eps)`,
    note: "Try it without the hats: the first steps are too long, as both means begin at 0.",
    source: arxiv("Kingma and Ba, 2014", "1412.6980"),
  },
  {
    label: "SignSGD",
    text: `rule SignSGD
p = p - lr * sign(g)`,
    note: "Steps of one length in every direction; only the sign of the gradient counts.",
    source: arxiv("Bernstein et al., 2018", "1802.04434"),
  },
  {
    label: "Signum",
    text: `rule Signum
m = ema(m, g, b1)
p = p - lr * sign(m)`,
    note: "SignSGD that goes by the sign of a mean, so that noise has less of a say.",
    source: arxiv("Bernstein et al., 2018", "1802.04434"),
  },
  {
    label: "Lion",
    text: `rule Lion
lr = 1e-4 in [0, inf)
betas = (b1 = 0.9, b2 = 0.99) in [0, 1)
weightDecay = 0 in [0, inf)

if weightDecay != 0: p = (1 - lr * weightDecay) * p
p = p - lr * sign(ema(m, g, b1))
m = ema(m, g, b2)`,
    note: "Found by a program that searched for optimizers. The mean that is kept is a slower one than the mean that is used.",
    source: arxiv("Chen et al., 2023", "2302.06675"),
  },
  {
    label: "AdaBelief",
    text: `rule AdaBelief
m = ema(m, g, b1)
s = emaSq(s, g - m, b2) + eps
p = p - lr / (1 - b1^t) * m / (sqrt(s / (1 - b2^t)) + eps)`,
    note: "Adam that divides by how far gradients lie from their mean: it trusts those that are as expected.",
    source: arxiv("Zhuang et al., 2020", "2010.07468"),
  },
  {
    label: "Yogi",
    text: `rule Yogi
eps = 1e-3 in [0, inf)
state m, v = 1e-6

m = ema(m, g, b1)
v = v - (1 - b2) * sign(v - g^2) * g^2
p = p - lr * m / (sqrt(v) + eps)`,
    note: "Adam whose mean of squares moves by steps of the new square’s size, so it cannot collapse at once.",
    source: {
      by: "Zaheer et al., 2018",
      url: "https://papers.nips.cc/paper/2018/hash/90365351ccc7437a1309dc64e4db32a3-Abstract.html",
    },
  },
  {
    label: "LAMB",
    text: `rule LAMB
weightDecay = 0.01 in [0, inf)
eps = 1e-6 in [0, inf)

m = ema(m, g, b1)
v = emaSq(v, g, b2)
r = m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps) + weightDecay * p
trust = norm(p) / (norm(r) + eps) if norm(p) > 0 else 1
p = p - lr * trust * r`,
    note: "Adam whose step is as long as the tensor is large. Norms need a pass of their own: see the bytes.",
    source: arxiv("You et al., 2019", "1904.00962"),
  },
  {
    label: "Cautious Adam",
    text: `rule CautiousAdam
m = ema(m, g, b1)
v = emaSq(v, g, b2)
u = m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps)
keep = 1 if u * g > 0 else 0
p = p - lr * (sizeOf(g) / (sum(keep) + 1)) * (keep * u)`,
    note: "Leaves out what goes against the gradient of the moment, and makes up for it in the rest.",
    source: arxiv("Liang et al., 2024", "2411.16085"),
  },
];

const papers: Readonly<Record<keyof typeof formulas, Omit<Preset, "label" | "text">>> = {
  SGD: {
    note: "With momentum, Nesterov’s too. Its first step differs: the momentum begins as the gradient.",
  },
  RMSprop: {
    note: "Divides by the root of a running mean of squares.",
    source: { by: "Hinton, lecture 6e, 2012", url: "https://www.cs.toronto.edu/~tijmen/csc321/" },
  },
  Adam: {
    note: "Momentum and RMSprop in one, freed of the bias of their beginnings; all of PyTorch’s options.",
    source: arxiv("Kingma and Ba, 2014", "1412.6980"),
  },
  AdamW: {
    note: "Adam whose weight decay pulls straight towards the origin.",
    source: arxiv("Loshchilov and Hutter, 2017", "1711.05101"),
  },
  NAdam: {
    note: "Adam with Nesterov’s look ahead. It remembers a number beside its tensors.",
    source: { by: "Dozat, 2016", url: "https://openreview.net/forum?id=OM0jvwB8jIp57ZJjtNEZ" },
  },
  RAdam: {
    note: "Adam that begins as momentum: look at step 5 and step 6.",
    source: arxiv("Liu et al., 2019", "1908.03265"),
  },
  Adamax: {
    note: "Adam with the largest gradient of late in the place of a mean.",
    source: arxiv("Kingma and Ba, 2014", "1412.6980"),
  },
  Adagrad: {
    note: "Divides by the root of all squares so far.",
    source: {
      by: "Duchi, Hazan and Singer, 2011",
      url: "https://jmlr.org/papers/v12/duchi11a.html",
    },
  },
  Adadelta: {
    note: "Measures its own steps, by a mean of their squares.",
    source: arxiv("Zeiler, 2012", "1212.5701"),
  },
  Rprop: {
    note: "Heeds signs alone, with a step length for each parameter.",
    source: {
      by: "Riedmiller and Braun, 1993",
      url: "https://ieeexplore.ieee.org/document/298623",
    },
  },
  ASGD: { note: "SGD that keeps an average of where it has been beside." },
  SparseAdam: {
    note: "Adam that moves rows with gradients only; here every row has one.",
    source: arxiv("Kingma and Ba, 2014", "1412.6980"),
  },
};

/** The rules that Downhill comes with, as the texts that are proven to be the same as their code. */
export const builtIn: readonly Preset[] = Object.entries(papers).map(([label, about]) => ({
  label,
  text: texts[label as keyof typeof formulas],
  ...about,
}));

/** The preset of this text, if it is still as it was. */
export const presetOf = (text: string): Preset | undefined =>
  [...others, ...builtIn].find((preset) => preset.text === text.trim());
