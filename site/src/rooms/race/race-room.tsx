/** The room where optimizers run down a surface. */
import { useEffect } from "preact/hooks";
import type { RoomProps } from "../../rooms.ts";
import { Failure } from "../../ui/error-boundary.tsx";
import { LossChart } from "./loss-chart.tsx";
import { Picture } from "./picture.tsx";
import { startPlayer } from "./player.ts";
import "../../ui/room.css";
import "./race.css";
import { RacerList } from "./racer-list.tsx";
import { Results } from "./results.tsx";
import { Scenes } from "./scenes.tsx";
import { Setup } from "./setup.tsx";
import { enter, failure, leave } from "./store.ts";
import { Transport } from "./transport.tsx";

export function RaceRoom({ params }: RoomProps) {
  useEffect(() => void enter(params), [params]);
  useEffect(startPlayer, []);
  useEffect(() => leave, []);
  if (failure.value) return <Failure what="The race" error={failure.value} />;
  return (
    <div class="room race">
      <div class="lead">
        <h1>Which way is down?</h1>
        <p>
          Every optimizer sees the same thing: the slope where it stands. What it makes of that is
          its character. Drag the start, turn the learning rates, and watch them part ways.
        </p>
      </div>
      <div class="stage">
        <Picture />
        <Transport />
        <LossChart />
        <Results />
      </div>
      <div class="side">
        <Setup />
        <RacerList />
        <Scenes />
      </div>
    </div>
  );
}
