/** KaTeX with its style, in a chunk of their own. */
import { render } from "katex";
import "katex/dist/katex.min.css";

/** Draws TeX into an element, with MathML beside it for those who do not see it. */
export function typeset(tex: string, element: HTMLElement): void {
  render(tex, element, { displayMode: true, output: "htmlAndMathml", throwOnError: false });
  element.dataset["typeset"] = tex;
}
