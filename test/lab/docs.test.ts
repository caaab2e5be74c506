/** The pages of the lab's Docs room: every link within the lab and to files of the page leads to something, and they are HTML that is safe to show. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { format } from "node:util";
import { describe, expect, test } from "vitest";
import { buildLibrary } from "../../site/docs/library.ts";
import { Links } from "../../site/docs/links.ts";
import { renderMarkdown } from "../../site/docs/markdown.ts";
import { Anchors, routeOf } from "../../site/docs/page.ts";
import { find } from "../../site/src/rooms/docs/find.ts";
import { show } from "../../site/src/rooms/docs/inspect.ts";
import { readHash } from "../../site/src/router.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const { pages, entries, programs, reference } = buildLibrary(root);
const unescape = (text: string): string => text.replaceAll("&quot;", '"').replaceAll("&amp;", "&");
const all = (html: string, attribute: string): string[] =>
  [...html.matchAll(new RegExp(`<[a-z][^>]* ${attribute}="([^"]*)"`, "g"))].map(([, value]) =>
    unescape(value!),
  );
const ids = new Map(pages.map(({ key, html }) => [key, new Set(all(html, "id"))]));

/** What is wrong with where a link leads, or nothing; other sites are not asked. */
function complaintOf(href: string): string | null {
  if (/^https?:\/\/\w/.test(href)) return null;
  if (href.startsWith("asset:")) {
    return existsSync(join(root, href.slice("asset:".length))) ? null : "no such file";
  }
  const { room, path, params } = readHash(href);
  const places = ids.get(path);
  if (!href.startsWith("#/") || room !== "docs" || !places) return "no such page";
  const at = params.get("at");
  return at === null || places.has(at) ? null : "no such place on the page";
}

describe("links", () => {
  test.each(pages.map((page) => [page.key, page] as const))(
    "within the lab, of %s, lead somewhere",
    (_, page) => {
      const links = [...all(page.html, "href"), ...all(page.html, "src")];
      const bad = links.flatMap((href) => {
        const complaint = complaintOf(href);
        return complaint === null ? [] : [`${href}: ${complaint}`];
      });
      expect(bad).toEqual([]);
    },
  );

  test("a link that leads nowhere is noticed", () => {
    expect(complaintOf("#/docs/math")).toBeNull();
    expect(complaintOf("#/docs/maths")).toBe("no such page");
    expect(complaintOf("#/docs/math?at=nowhere")).toBe("no such place on the page");
    expect(complaintOf("math.md")).toBe("no such page");
    expect(complaintOf("asset:docs/none.svg")).toBe("no such file");
    const links = new Links(root, []);
    expect(() => links.resolve("none.md#x", "docs/math.md")).toThrow(
      "docs/math.md: got a link to none.md#x, expected a file that is there.",
    );
  });

  test("what is found leads somewhere", () => {
    expect(entries.map(({ at }) => complaintOf(`#/docs/${at}`)).filter(Boolean)).toEqual([]);
  });

  test("anchors are given once", () => {
    for (const { key, html } of pages)
      expect([key, all(html, "id").length]).toEqual([key, ids.get(key)!.size]);
  });
});

describe("Markdown becomes HTML", () => {
  const render = (text: string): string =>
    renderMarkdown(text, {
      key: "page",
      root,
      hasPrograms: true,
      anchors: new Anchors(),
      resolve: (href) =>
        new Links(root, [{ key: "other", file: "docs/math.md" } as never]).resolve(
          href,
          "README.md",
        ),
    }).html;

  test("with anchors like GitHub's", () => {
    expect(render("## What's `a_b`, *here*?\n## Twice\n## Twice")).toBe(
      `<h2 id="whats-a_b-here" tabindex="-1">What's <code>a_b</code>, <em>here</em>?` +
        ` <a class="anchor" href="#/docs/page?at=whats-a_b-here" aria-label="Link to What's a_b, here?">#</a></h2>\n` +
        `<h2 id="twice" tabindex="-1">Twice <a class="anchor" href="#/docs/page?at=twice" aria-label="Link to Twice">#</a></h2>\n` +
        `<h2 id="twice-1" tabindex="-1">Twice <a class="anchor" href="#/docs/page?at=twice-1" aria-label="Link to Twice">#</a></h2>\n`,
    );
  });

  test("with links into the lab, to other sites, and to what is only in the repository", () => {
    expect(render("[a](docs/math.md#x) [b](https://a.b/?c&d) [`c`](src/index.ts)")).toBe(
      `<p><a href="#/docs/other?at=x">a</a> <a href="https://a.b/?c&amp;d">b</a> ` +
        `<span class="repository" title="src/index.ts, in the repository"><code>c</code></span></p>\n`,
    );
  });

  test("in which nothing is HTML but what Markdown makes", () => {
    const html = render(
      "# <img src=x onerror=a()>\n<script>a()</script>\n\n`<b>` [x](https://x.y/\"onclick=\"a())\n\n```ts\nlet a = '</code><script>';\n```\n\n```\n</pre><i>\n```\n",
    );
    expect(html).not.toMatch(/<(script|img|b|i)\b/);
    expect(html).not.toMatch(/<[^>]*\son\w+=/);
  });

  test("with pictures whose size is known before they come", () => {
    const pictures = pages.flatMap(({ html }) => html.match(/<img[^>]*>/g) ?? []);
    expect(pictures.length).toBeGreaterThan(2);
    for (const picture of pictures) expect(picture).toMatch(/ width="\d+" height="\d+"/);
  });

  test("nowhere with styles or scripts, which the policy forbids", () => {
    for (const { html } of pages) expect(html).not.toMatch(/<[a-z][^>]* style=|<script|<style/);
  });
});

describe("the reference", () => {
  const pageOf = (key: string): string => pages.find((page) => page.key === key)!.html;

  test("every public name has a docstring, and docstrings link to what is there", () => {
    expect(reference.undocumented).toEqual([]);
    expect(reference.broken).toEqual([]);
  });

  test("every public name is there", async () => {
    const names = new Set(entries.map(({ name }) => name));
    const missing = Object.keys(await import("../../src/index.ts")).filter(
      (name) => !names.has(name),
    );
    // Namespaces have pages.
    expect(missing).toEqual(["schedule", "foreach"]);
    expect(ids.has("api/foreach") && ids.has("api/schedule")).toBe(true);
  });

  test("signatures have links, overloads, defaults, and nothing internal", () => {
    const plain = (html: string): string =>
      unescape(
        html
          .replaceAll(/<[^>]+>/g, "")
          .replaceAll("&gt;", ">")
          .replaceAll("&lt;", "<"),
      );
    const code = (key: string, name: string): string =>
      new RegExp(`<h2 id="${name}".*?<pre[^>]*><code>(.*?)</code>`, "s").exec(pageOf(key))![1]!;
    const member = (key: string, id: string): string =>
      plain(new RegExp(`<dt id="${id}"[^>]*><code>(.*?)</code>`, "s").exec(pageOf(key))![1]!);
    const norm = code("api/around-the-step", "getTotalNorm");
    expect(plain(norm)).toBe(
      "function getTotalNorm(source: GradientSource, options?: NormOptions): number",
    );
    expect(all(norm, "href")).toEqual([
      "#/docs/api/around-the-step?at=GradientSource",
      "#/docs/api/around-the-step?at=NormOptions",
    ]);
    expect(plain(code("api/parameters", "parameter")).split("\n")).toHaveLength(16);
    expect(plain(code("api/optimizers", "Adam"))).toBe("class Adam extends Optimizer");
    expect(member("api/optimizers", "Adam.constructor")).toBe(
      "new Adam(params: ParamsInput, options?: OptimizerOptions)",
    );
    expect(plain(code("api/checkpoint/node", "saveCheckpoint"))).toBe(
      "function saveCheckpoint(path: string, content: CheckpointContent): Promise<void>",
    );
    expect(ids.get("api/optimizers")!.has("Optimizer.zeroGrad")).toBe(true);
    // Of a type that has no name outside.
    expect(member("api/schedulers", "StepLR.stepSize")).toBe("stepSize: number");
    for (const internal of ["stepper", "groups", "watch", "machinery"]) {
      expect(ids.get("api/optimizers")!.has(`Optimizer.${internal}`)).toBe(false);
    }
  });
});

test("programs that can run in a page are there, and those that cannot say why", () => {
  expect(programs.size).toBeGreaterThan(15);
  expect([...programs.values()].some(({ code }) => code.includes("node:"))).toBe(false);
  const overview = pages.find(({ key }) => key === "readme")!.html;
  expect(overview).toContain(`data-program="readme/0"`);
  expect(overview.match(/class="elsewhere"/g)!.length).toBeGreaterThanOrEqual(3);
});

test("values are written as Node's console writes them", () => {
  const words = (text: string): string => text.split(/\s+/).join(" ");
  const values: unknown[] = [
    "text",
    -0,
    12n,
    null,
    undefined,
    [],
    {},
    [1, "it", [2, [3, [4]]]],
    { a: 1, "b c": { d: { e: { f: 1 } } } },
    new Float32Array([0.5, 1]),
    Array.from({ length: 120 }, (_, i) => i),
    new Map([["a", new Set([1])]]),
    [Math.max],
    new (class Thing {
      readonly size = 3;
    })(),
  ];
  for (const value of values) expect(words(show(value))).toBe(words(format(value)));
});

test("the search knows the best", () => {
  const at = (query: string): string[] => find(entries, query).map((entry) => entry.at);
  expect(at("checkpoints")[0]).toBe("checkpoints");
  expect(at("changelog")).toContain("changelog");
  expect(at("strict reader")[0]).toBe("checkpoints?at=a-strict-reader");
  expect(at("reader checkpoints")).toContain("checkpoints?at=a-strict-reader");
  expect(at("zzz")).toEqual([]);
  expect(at(" ")).toEqual([]);
});

test("addresses of places come back", () => {
  const { path, params } = readHash(routeOf("api/math", "a.b-c"));
  expect([path, params.get("at")]).toEqual(["api/math", "a.b-c"]);
});
