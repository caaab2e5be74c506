/** The room where a rule is typed, and becomes an optimizer. */
import { useEffect, useId, useRef } from "preact/hooks";
import type { RoomProps } from "../../rooms.ts";
import "../../ui/room.css";
import { Code } from "./code.tsx";
import { Editor } from "./editor.tsx";
import { Formula } from "./formula.tsx";
import { Names } from "./names.tsx";
import { PresetNote, PresetsField } from "./presets-field.tsx";
import { RunLinks } from "./run-links.tsx";
import { Settings } from "./settings.tsx";
import { enter, wrong } from "./store.ts";
import { entries, failure } from "./trial-store.ts";
import { Trial } from "./trial.tsx";
import { Traffic } from "./traffic.tsx";
import { Verdict } from "./verdict.tsx";
import "./write.css";

export function WriteRoom({ params }: RoomProps) {
  const area = useRef<HTMLTextAreaElement>(null);
  const errorId = useId();
  useEffect(() => enter(params), [params]);
  return (
    <div
      class={wrong.value ? "room write stale" : "room write"}
      data-ready={failure.value !== null || entries.value.length > 0}
    >
      <div class="lead">
        <h1>Write your own</h1>
        <p>
          Type an update rule as it stands in a paper. It becomes an optimizer like every other
          here: the same equations, traced, compiled, and run at the speed of memory.
        </p>
      </div>
      <div class="stage">
        <section class="card editor-card">
          <div class="card-head">
            <h2>The rule</h2>
            <PresetsField area={area} />
          </div>
          <PresetNote />
          <Editor area={area} errorId={errorId} />
          <Verdict area={area} id={errorId} />
          <RunLinks />
        </section>
        <Formula />
        <Traffic />
        <Code />
      </div>
      <div class="side">
        <Trial />
        <Settings />
        <Names area={area} />
      </div>
    </div>
  );
}
