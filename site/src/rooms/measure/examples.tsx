/** Measurements worth making, as links. */
import { TryThis, type Scene } from "../../ui/try-this.tsx";

const examples: readonly Scene[] = [
  {
    title: "The article’s network",
    text: "4,000 small tensors: what each row costs where there are many.",
    params: "optimizer=adam&size=mlp",
  },
  {
    title: "Out of the cache",
    text: "33.6 million parameters lie in main memory: who comes near its bandwidth, on one thread and on all?",
    params: "optimizer=adam&size=33554432",
  },
  {
    title: "So few",
    text: "A hundred thousand parameters: steps of microseconds, where overheads show.",
    params: "optimizer=sgd&size=100000",
  },
];

export const Examples = () => <TryThis room="measure" scenes={examples} />;
