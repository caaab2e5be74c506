/** The room where a network learns MNIST's digits, with several optimizers side by side. */
import { useEffect } from "preact/hooks";
import type { RoomProps } from "../../rooms.ts";
import "../../ui/room.css";
import { Accuracies } from "./accuracies.tsx";
import { Contestants } from "./contestant-list.tsx";
import { Controls } from "./controls.tsx";
import { Curves } from "./curves.tsx";
import { Files } from "./files.tsx";
import { Lanes } from "./lanes.tsx";
import { Reading } from "./reading.tsx";
import { Scenes } from "./scenes.tsx";
import { Setup } from "./setup.tsx";
import { enter, leave, phase } from "./store.ts";
import "./train.css";

export function TrainRoom({ params }: RoomProps) {
  useEffect(() => enter(params), [params]);
  useEffect(() => leave, []);
  return (
    <div class="room train" data-ready="true" data-phase={phase.value}>
      <div class="lead">
        <h1>Who learns to read first?</h1>
        <p>
          One network, the same start, the same digits in the same order; only the optimizer
          differs. Its gradients come from jax-js, its steps from Downhill, all of it in this page.
        </p>
      </div>
      <div class="stage">
        <Controls />
        <Curves />
        <Accuracies />
        <Lanes />
        <Reading />
        <Scenes />
      </div>
      <div class="side">
        <Setup />
        <Contestants />
        <Files />
      </div>
    </div>
  );
}
