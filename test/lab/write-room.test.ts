/**
 * The Write room in a real browser: a rule is typed, is wrong and is mended, and becomes what it becomes; the page
 * complains of nothing, asks nobody else for anything, and can be used by everyone.
 */
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import type { Report } from "../../site/src/race/protocol.ts";
import * as formulas from "../../src/math/formulas/index.ts";
import { expectAccessible, noWasm, skipped, useLab } from "./browser.ts";

/** Keeps what workers that start from now on say of tracks. */
function catchTracks(page: Page): Promise<void> {
  return page.evaluate(() => {
    const caught: Record<string, number[]> = {};
    Object.assign(globalThis, { caught });
    globalThis.Worker = class extends Worker {
      constructor(url: string | URL, options?: WorkerOptions) {
        super(url, options);
        this.addEventListener("message", ({ data }: MessageEvent<Report>) => {
          if (data.kind !== "track") return;
          const { key, xs, ys, losses } = data.track;
          caught[key] = [...xs, ...ys, ...losses];
        });
      }
    };
  });
}

/** The last ones: all x, then all y, then all losses. */
const tracksOf = (page: Page): Promise<Record<string, number[]>> =>
  page.evaluate(() => (globalThis as unknown as { caught: Record<string, number[]> }).caught);

const address = (rule: string, more = ""): string =>
  `#/write?${new URLSearchParams({ rule }).toString()}${more}`;

describe.skipIf(skipped)("the Write room in Chromium", () => {
  const { visit } = useLab();

  test("what is typed is read: formula, program, code and traffic follow", async () => {
    const { page, complaints, loaded } = await visit("#/write");
    const editor = page.getByLabel("The rule");
    expect(await editor.inputValue()).toBe("m = ema(m, g, b1)\np = p - lr * m");
    await page.locator("[data-typeset]").waitFor();
    const fonts = [...loaded].filter((path) => /\.(woff2?|ttf)$/.test(path));
    expect(fonts.length).toBeGreaterThan(0);
    expect(fonts.filter((path) => !path.endsWith(".woff2"))).toEqual([]);
    // For those who do not see it, there is MathML.
    expect(await page.locator(".typeset math").textContent()).toContain("β");

    await editor.press("Control+End");
    await editor.pressSequentially(" / 2 + lr * sign(m)");
    const listing = page.locator(".listing");
    await expect.poll(() => listing.innerText()).toContain("= sign %");
    expect(await page.getByRole("status").innerText()).toMatch(
      /^A rule: remembers m, moves 20 bytes/,
    );
    await expect.poll(() => page.url()).toContain("sign%28m%29");
    expect(complaints).toEqual([]);
  });

  test("a wrong text: its line, a caret, the names in scope, and a way to mend it", async () => {
    const { page, complaints } = await visit("#/write");
    const editor = page.getByLabel("The rule");
    await editor.fill("m = ema(m, g, b1)\np = p - lr * mm");
    const status = page.getByRole("status");
    await expect.poll(() => editor.getAttribute("aria-invalid")).toBe("true");
    expect(await status.innerText()).toContain(
      "Line 2, column 14: got mm, expected one of b1, lr, p, g, t, m. Did you mean m?",
    );
    const [line, caret] = (await status.locator("pre").textContent())!.split("\n");
    expect(line).toBe("p = p - lr * mm");
    expect(caret).toBe("             ^^");
    expect(await page.locator(".editor-paint mark").allInnerTexts()).toEqual(["mm"]);
    const described = (await editor.getAttribute("aria-describedby"))!.split(" ");
    expect(described).toContain(await status.getAttribute("id"));
    const instead = page.getByRole("group", { name: "Instead of mm" }).getByRole("button");
    expect(await instead.allInnerTexts()).toEqual(["m", "b1", "lr", "p", "g", "t"]);
    await instead.first().click();
    expect(await editor.inputValue()).toBe("m = ema(m, g, b1)\np = p - lr * m");
    await expect.poll(() => editor.getAttribute("aria-invalid")).toBe(null);
    // It can be undone, like what is typed.
    await editor.press("Control+z");
    expect(await editor.inputValue()).toContain("mm");
    expect(complaints).toEqual([]);
  });

  test("the keyboard alone: indentation, names, tabs, and a way out of the editor", async () => {
    const { page, complaints } = await visit(address("p = p - lr * g"));
    const editor = page.getByLabel("The rule");
    await editor.press("Control+End");
    await editor.pressSequentially("\nif t > 1:\np = p * 2\n");
    expect(await editor.inputValue()).toBe("p = p - lr * g\nif t > 1:\n  p = p * 2\n  ");
    await editor.press("Backspace");
    await editor.pressSequentially("p = p - ");
    await page
      .getByRole("group", { name: "Functions" })
      .getByRole("button", { name: "ema", exact: true })
      .press("Enter");
    expect(await editor.inputValue()).toMatch(/\np = p - ema\(m, g, b1\)$/);
    // What it takes is selected, so that typing replaces it.
    await page.keyboard.type("x, g, b1");
    expect(await editor.inputValue()).toMatch(/\np = p - ema\(x, g, b1\)$/);
    await page.keyboard.press("Tab");
    expect(await editor.evaluate((node) => node === document.activeElement)).toBe(false);

    await page.getByRole("tab", { name: "IR" }).focus();
    await page.keyboard.press("ArrowRight");
    expect(await page.getByRole("tab", { name: "WebAssembly" }).getAttribute("aria-selected")).toBe(
      "true",
    );
    expect(await page.locator(".listing").innerText()).toContain("f32x4.mul");
    await page.keyboard.press("ArrowRight");
    expect(await page.locator(".listing").innerText()).toContain("@compute");
    await page.keyboard.press("ArrowRight");
    expect(await page.locator(".listing").innerText()).toContain("%0 = load p");
    await expect.poll(() => page.url()).not.toContain("tab=");
    expect(complaints).toEqual([]);
  });

  test("texts to begin with; hyperparameters decide what is left; a first step may differ", async () => {
    const { page, complaints } = await visit("#/write");
    const presets = page.getByLabel("Begin with");
    await presets.selectOption("SGD");
    await page.getByLabel("momentum").fill("0.9");
    const listing = page.locator(".listing");
    await expect.poll(() => listing.innerText()).toContain("load b");
    await expect.poll(() => page.url()).toContain("yours.momentum=0.9");
    const memory = page.locator(".traffic tbody tr");
    expect(await memory.allInnerTexts()).toEqual([
      expect.stringMatching(/^This rule\s+20 B\s+4 B/),
      expect.stringMatching(/^… its state in bfloat16\s+16 B\s+2 B/),
      expect.stringMatching(/^Adam\s+28 B\s+8 B/),
    ]);
    await page.getByRole("button", { name: "Show step 1" }).click();
    expect(await listing.innerText()).not.toContain("load b");
    await page.getByLabel("momentum").fill("-1");
    expect(await page.getByRole("status").innerText()).toMatch(/^SGD: momentum: got -1, expected/);
    await presets.selectOption("SignSGD");
    await expect.poll(() => memory.count()).toBe(2);
    expect(await memory.first().innerText()).toMatch(/12 B\s+0 B/);
    expect(complaints).toEqual([]);
  });

  test("another text can be undone; a link to it can be copied; it trains", async () => {
    const { page, complaints } = await visit("#/write", {
      permissions: ["clipboard-read", "clipboard-write"],
    });
    const editor = page.getByLabel("The rule");
    const presets = page.getByLabel("Begin with");
    await editor.fill("p = p - 2 * lr * g");
    await presets.selectOption("Lion");
    expect(await presets.evaluate((node) => node === document.activeElement)).toBe(true);
    expect(await editor.inputValue()).toMatch(/^rule Lion/);
    await editor.press("Control+z");
    expect(await editor.inputValue()).toBe("p = p - 2 * lr * g");
    await expect.poll(() => presets.inputValue()).toBe("");
    await presets.selectOption("Lion");

    await page.getByRole("button", { name: "Copy link" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    await expect.poll(() => page.url()).toContain("rule+Lion");
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(page.url());

    await page.getByLabel("weightDecay").fill("0.5");
    await page.getByLabel("Learning rate, as a number").fill("0.3");
    await page.getByRole("link", { name: "Train with it" }).click();
    await page.getByRole("button", { name: "Lion, yours" }).waitFor();
    // A rate that suits a surface suits no network.
    expect(page.url()).toContain("yours.weightDecay=0.5");
    expect(page.url()).not.toContain("yours.lr");
    expect(complaints).toEqual([]);
  });

  test("what is typed stays in sight, to the right and below", async () => {
    const { page } = await visit(address("p = p - lr * g"), {
      viewport: { width: 390, height: 700 },
    });
    const editor = page.getByLabel("The rule");
    await editor.press("Control+End");
    await page.keyboard.insertText(" * 1".repeat(20));
    const across = page.locator(".editor-text");
    expect(await across.evaluate((node) => node.scrollLeft)).toBeGreaterThan(100);
    for (let i = 0; i < 20; i++) await editor.press("Enter");
    const down = page.locator(".editor-box");
    await expect
      .poll(() => down.evaluate((node) => node.scrollHeight - node.clientHeight - node.scrollTop))
      .toBeLessThan(2);
    expect(await editor.evaluate((node) => node.scrollTop)).toBe(0);
  });

  test("at once it runs beside Adam: Adam, typed, is where Adam is; what it refuses, it says", async () => {
    const { page, complaints } = await visit("#/write");
    const line = (racer: string) => page.locator(`.standings [data-racer=${racer}]`);
    expect(await line("yours").innerText()).not.toBe(await line("adam").innerText());
    await page.getByLabel("Begin with").selectOption("Adam");
    await expect.poll(() => line("yours").innerText()).toMatch(/^Adam, yours/);
    const [, ...adams] = (await line("adam").innerText()).split("\n");
    await expect
      .poll(async () => (await line("yours").innerText()).split("\n").slice(1))
      .toEqual(adams);
    await page.getByLabel("Surface").selectOption("beale");
    await expect.poll(() => page.getByLabel(/^Step \d+ of 500/).inputValue()).toBe("500");
    await page.getByLabel(/^Step \d+ of/).press("Home");
    expect(await line("yours").innerText()).toContain("on its way");
    await page.getByLabel("Learning rate, as a number").fill("-1");
    await expect.poll(() => line("yours").getAttribute("data-kind")).toBe("refused");
    expect(await line("yours").innerText()).toContain("Adam: lr: got -1, expected");
    expect(complaints).toEqual([]);
  });

  test("by its link it races: Adam, typed, leaves Adam's trail bit for bit", async () => {
    const { page, complaints } = await visit(`${address(formulas.Adam)}&yours.betas=0.8,0.99`);
    await catchTracks(page);
    await page.getByRole("link", { name: "Run it in Race" }).click();
    await page.locator("tr[data-racer=yours]").waitFor();
    expect(page.url()).toContain("yours.betas=0.8,0.99");
    expect(await page.locator("tr[data-racer=yours] th").innerText()).toBe("Adam, yours");
    await expect.poll(async () => Object.keys(await tracksOf(page))).toContain("adam");
    const other = await tracksOf(page);
    expect(other["yours"]!.length).toBe(3 * 201);
    expect(other["yours"]).not.toEqual(other["adam"]);
    const settings = page.locator(".racer", { hasText: "Adam, yours" });
    await settings.locator("summary").click();
    await settings.getByLabel("betas, first").fill("0.9");
    await settings.getByLabel("betas, second").fill("0.999");
    await expect
      .poll(async () => {
        const { yours, adam } = await tracksOf(page);
        return JSON.stringify(yours) === JSON.stringify(adam);
      })
      .toBe(true);
    // That of the room that was left has ended.
    await expect.poll(() => page.workers().length).toBe(1);
    // And back, with what was set.
    await settings.getByLabel("betas, first").fill("0.5");
    await page.getByRole("link", { name: "Change it in Write" }).click();
    await expect.poll(() => page.getByLabel("betas, first").inputValue()).toBe("0.5");
    expect(await page.getByLabel("The rule").inputValue()).toBe(formulas.Adam);
    expect(complaints).toEqual([]);
  });

  test("a link with a broken rule is answered in Race, with the way to mend it", async () => {
    const rule = "m = ema(m, g, b1)\np = p - lr * mm";
    const query = new URLSearchParams({ racing: "adam,yours", rule, "yours.b1": "0.5" });
    const { page, complaints } = await visit(`#/race?${query.toString()}`);
    await page.locator("tr[data-racer=yours][data-kind=refused]").waitFor();
    expect(await page.locator("tr[data-racer=adam]").getAttribute("data-kind")).toBe("arrived");
    const alert = page.getByRole("alert");
    expect(await alert.innerText()).toContain("Rule, line 2: got mm, expected one of");
    expect(await alert.locator("pre").textContent()).toBe("  p = p - lr * mm\n               ^^");
    await page.getByRole("link", { name: "Change it in Write" }).click();
    await expect.poll(() => page.getByRole("status").innerText()).toContain("Line 2, column 14:");
    expect(complaints).toEqual([]);
  });

  test("where a host forbids WebAssembly it shows the same, and says what runs instead", async () => {
    const { page, complaints } = await visit("#/write?tab=wasm", { policy: noWasm });
    expect(await page.locator(".listing").innerText()).toContain("f32x4.mul");
    expect(await page.getByRole("tabpanel").innerText()).toContain(
      "steps run on the interpreter here",
    );
    await page.locator("[data-typeset]").waitFor();
    expect(complaints).toEqual([]);
  });

  test.each([
    ["light", "m = ema(m, g, b1)\np = p - lr * m"],
    ["light", "m = ema(m, g, b1)\np = p - lr * mm"],
    ["dark", "m = ema(m, g, b1)\np = p - lr * mm"],
  ] as const)("axe finds nothing serious: %s, %j", async (colorScheme, rule) => {
    const { page } = await visit(address(rule), { colorScheme, bypassCSP: true });
    await page.locator("[data-typeset]").waitFor();
    await expectAccessible(page);
  });
});
