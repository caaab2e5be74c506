/** The room where a rule is typed, and becomes an optimizer. */
import { useEffect, useId, useRef } from "preact/hooks";
import type { RoomProps } from "../../rooms.ts";
import "../../ui/room.css";
import { Code } from "./code.tsx";
import { Editor } from "./editor.tsx";
import { Formula } from "./formula.tsx";
import { Names } from "./names.tsx";
import { Presets } from "./presets-list.tsx";
import { RunLinks } from "./run-links.tsx";
import { Settings } from "./settings.tsx";
import { enter, wrong } from "./store.ts";
import { Traffic } from "./traffic.tsx";
import { Verdict } from "./verdict.tsx";
import "./write.css";

export function WriteRoom({ params }: RoomProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const errorId = useId();
  useEffect(() => enter(params), [params]);
  return (
    <div class="room write" data-ready="true">
      <div class="lead">
        <h1>Write your own</h1>
        <p>
          Type an update rule as it stands in a paper. It becomes an optimizer like every other
          here: the same equations, traced, compiled, and run at the speed of memory.
        </p>
      </div>
      <div class="stage">
        <section class="card editor-card">
          <Editor area={area} errorId={errorId} />
          <Verdict area={area} id={errorId} />
          <RunLinks />
        </section>
        <div class={wrong.value ? "results-of stale" : "results-of"}>
          <Formula />
          <Code />
        </div>
      </div>
      <div class="side">
        <Presets />
        <Names area={area} />
        <Settings />
        <Traffic />
      </div>
    </div>
  );
}
