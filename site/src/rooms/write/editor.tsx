/** Where the rule is typed: with line numbers, colours, and a mark at what is wrong. */
import type { RefObject } from "preact";
import { useId, useLayoutEffect } from "preact/hooks";
import { newLine, shift, unindent, type Edit, type Selection } from "./edits.ts";
import "./editor.css";
import { paint } from "./paint.ts";
import { names, state, type, wrong, wrongPlace } from "./store.ts";

interface Props {
  readonly area: RefObject<HTMLTextAreaElement | null>;
  /** Of what says what is wrong. */
  readonly errorId: string;
}

export function Editor({ area, errorId }: Props) {
  const [id, hintId] = [useId(), useId()];
  const text = state.value.rule;
  const lines = text.split("\n").length;
  useLayoutEffect(() => reveal(area.current), [text]);
  const wrongLine = wrongPlace.value ? wrong.value!.line : 0;
  return (
    <div class="editor">
      <label for={id} class="visually-hidden">
        The rule
      </label>
      <div class="editor-box" onPointerDown={(event) => focusFrom(event, area.current)}>
        <div class="editor-lines" aria-hidden="true">
          {Array.from({ length: lines }, (_, i) => (
            <span key={i} class={i + 1 === wrongLine ? "wrong" : undefined}>
              {i + 1}
            </span>
          ))}
        </div>
        <div class="editor-text">
          <Painted text={text} />
          <textarea
            id={id}
            ref={area}
            value={text}
            rows={lines}
            wrap="off"
            spellcheck={false}
            autocomplete="off"
            autocapitalize="off"
            aria-invalid={wrong.value ? "true" : undefined}
            aria-describedby={wrong.value ? `${errorId} ${hintId}` : hintId}
            onInput={(event) => type(event.currentTarget.value)}
            onKeyDown={help}
            onPaste={pasteWithoutTabs}
          />
        </div>
      </div>
      <p class="small muted" id={hintId}>
        One equation a line. Enter keeps the indentation, Ctrl+] and Ctrl+[ move lines in and out,
        Tab leaves the editor.
      </p>
    </div>
  );
}

/** The same text behind the one that is typed, in colours. */
function Painted({ text }: { readonly text: string }) {
  const place = wrongPlace.value;
  // What is missing at the end of a line has a width too.
  const missing = place !== null && place.at === place.end;
  const shown = missing ? `${text.slice(0, place.at)}\u00a0${text.slice(place.at)}` : text;
  const mark = missing ? { at: place.at, end: place.at + 1 } : place;
  return (
    <pre class="editor-paint" aria-hidden="true">
      {paint(shown, names.value, mark).map(({ text: part, paint: look, wrong: isWrong }, i) =>
        isWrong ? (
          <mark key={i} class={`paint-${look}`}>
            {part}
          </mark>
        ) : (
          <span key={i} class={`paint-${look}`}>
            {part}
          </span>
        ),
      )}
      {"\n"}
    </pre>
  );
}

/** Keeps what is typed in sight: the text area grows with its text only once that is drawn. */
function reveal(area: HTMLTextAreaElement | null): void {
  if (!area || document.activeElement !== area) return;
  area.scrollTop = 0;
  area.scrollLeft = 0;
  const style = getComputedStyle(area);
  const lines = area.value.slice(0, area.selectionStart).split("\n");
  const [height, top] = [Number.parseFloat(style.lineHeight), Number.parseFloat(style.paddingTop)];
  const [width, left] = [widthOfOne(style.font), Number.parseFloat(style.paddingLeft)];
  const down = area.closest<HTMLElement>(".editor-box")!;
  const across = area.closest<HTMLElement>(".editor-text")!;
  const y = top + (lines.length - 1) * height;
  const x = left + lines.at(-1)!.length * width;
  down.scrollTop = within(y + height + top - down.clientHeight, down.scrollTop, y - top);
  across.scrollLeft = within(x + width + left - across.clientWidth, across.scrollLeft, x - left);
}

const within = (least: number, value: number, most: number): number =>
  Math.min(Math.max(value, least), most);

/** All characters of a font of code are as wide. */
function widthOfOne(font: string): number {
  const context = document.createElement("canvas").getContext("2d")!;
  context.font = font;
  return context.measureText("0").width;
}

/** Whoever presses beside the text means its nearest line. */
function focusFrom(event: PointerEvent, area: HTMLTextAreaElement | null): void {
  if (!area || event.target === area) return;
  event.preventDefault();
  area.focus();
}

const selectionOf = ({ selectionStart, selectionEnd }: HTMLTextAreaElement): Selection => ({
  from: selectionStart,
  to: selectionEnd,
});

function help(event: KeyboardEvent): void {
  const area = event.currentTarget as HTMLTextAreaElement;
  const edit = editFor(event, area.value, selectionOf(area));
  if (!edit) return;
  event.preventDefault();
  apply(area, edit);
}

function editFor(event: KeyboardEvent, text: string, selection: Selection): Edit | null {
  const { key, ctrlKey, metaKey, shiftKey, altKey, isComposing } = event;
  if (altKey || isComposing) return null;
  if (ctrlKey || metaKey) {
    return key === "]" || key === "[" ? shift(text, selection, key === "]") : null;
  }
  if (key === "Enter" && !shiftKey) return newLine(text, selection);
  return key === "Backspace" ? unindent(text, selection) : null;
}

/** The language has no tabs. */
function pasteWithoutTabs(event: ClipboardEvent): void {
  const pasted = event.clipboardData?.getData("text") ?? "";
  if (!pasted.includes("\t")) return;
  event.preventDefault();
  const area = event.currentTarget as HTMLTextAreaElement;
  const insert = pasted.replaceAll("\t", "  ");
  const { from, to } = selectionOf(area);
  const end = from + insert.length;
  apply(area, { from, to, insert, select: { from: end, to: end } });
}

/** Changes the text as typing does, so that it can be undone. */
export function apply(area: HTMLTextAreaElement, { from, to, insert, select }: Edit): void {
  area.focus();
  area.setSelectionRange(from, to);
  const typed = document.execCommand(insert === "" ? "delete" : "insertText", false, insert);
  if (!typed) {
    area.setRangeText(insert);
    area.dispatchEvent(new Event("input", { bubbles: true }));
  }
  area.setSelectionRange(select.from, select.to);
}
