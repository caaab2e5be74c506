/** Races worth a look, as links: each sets the room so that one thing can be seen. */
import { TryThis, type Scene } from "../../ui/try-this.tsx";

const lion = "rule Lion\np = p - lr * sign(ema(m, g, 0.9))\nm = ema(m, g, 0.99)";

const scenes: readonly Scene[] = [
  {
    title: "Momentum pays",
    text: "Across a ravine plain steps go to and fro. Momentum adds up what stays the same: the way along.",
    params: "surface=ravine&racing=sgd,momentum&speed=20",
  },
  {
    title: "A little too far",
    text: "At a rate of 0.2 SGD is at the limit of the ravine’s curvature. At 0.205 it is gone.",
    params: "surface=ravine&racing=sgd,adam&sgd.lr=0.205&speed=20",
  },
  {
    title: "One start, several ends",
    text: "From a ridge, a small difference in the first step decides which of four valleys it will be.",
    params: "surface=himmelblau&racing=sgd,nesterov,rmsprop,adam,adagrad,lbfgs&speed=20",
  },
  {
    title: "Off the saddle",
    text: "A hundredth beside the ridge. Adam divides by the size of gradients, so tiny ones count in full.",
    params: "surface=saddle&racing=sgd,momentum,adam&speed=20",
  },
  {
    title: "Signs deceive",
    text: "Rprop is fastest while gradients are exact. With noise their signs turn at random, and its steps shrink.",
    params: "surface=ravine&racing=adam,rprop&noise=3&speed=20",
  },
  {
    title: "Decay pulls",
    text: "Weight decay in Adam is divided away with the gradient; in AdamW it pulls to the origin, as far as it says.",
    params: "surface=beale&racing=adam,adamw&adam.weightDecay=0.3&adamw.weightDecay=0.3",
  },
  {
    title: "A rule in three lines",
    text: "Lion, typed: only the sign of an average counts, so its steps never shorten. Change it in Write.",
    params: `surface=himmelblau&racing=adam,yours&speed=20&${new URLSearchParams({ rule: lion }).toString()}`,
  },
];

export const Scenes = () => <TryThis room="race" scenes={scenes} />;
