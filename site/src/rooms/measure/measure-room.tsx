/** The room where steps are timed: the bench of the command line, for this browser. */
import { useEffect } from "preact/hooks";
import type { RoomProps } from "../../rooms.ts";
import "../../ui/room.css";
import { About } from "./about.tsx";
import { Chart } from "./chart.tsx";
import "./measure.css";
import { Examples } from "./examples.tsx";
import { Progress } from "./progress.tsx";
import { Results } from "./results.tsx";
import { Setup } from "./setup.tsx";
import { enter, failure, leave } from "./store.ts";

export function MeasureRoom({ params }: RoomProps) {
  useEffect(() => enter(params), [params]);
  useEffect(() => leave, []);
  return (
    <div class="room measure" data-ready="true">
      <div class="lead">
        <h1>How fast is a step?</h1>
        <p>
          A step reads and writes every number once, so memory sets the limit. How near your browser
          comes to it, with a plain loop, with Downhill’s kernels, on threads and on WebGPU, is
          measured here, now.
        </p>
      </div>
      <div class="stage">
        <Progress />
        <Trouble />
        <Chart />
        <Results />
        <About />
      </div>
      <div class="side">
        <Setup />
        <Examples />
      </div>
    </div>
  );
}

/** What ended a run; what it had measured is still there. */
function Trouble() {
  if (failure.value === null) return null;
  return (
    <section class="card trouble" role="alert">
      <h2>The measurement has stopped</h2>
      <p>{failure.value}</p>
    </section>
  );
}
