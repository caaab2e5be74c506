/**
 * The Write room in a real browser: a rule is typed, is wrong and is mended, and becomes what it becomes; the page
 * complains of nothing, asks nobody else for anything, and can be used by everyone.
 */
import { describe, expect, test } from "vitest";
import { expectAccessible, noWasm, skipped, useLab } from "./browser.ts";

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
    await page.getByRole("button", { name: "SGD", exact: true }).click();
    await page.getByLabel("momentum").fill("0.9");
    const listing = page.locator(".listing");
    await expect.poll(() => listing.innerText()).toContain("load b");
    await expect.poll(() => page.url()).toContain("yours.momentum=0.9");
    await page.getByRole("button", { name: "Show step 1" }).click();
    expect(await listing.innerText()).not.toContain("load b");
    await page.getByLabel("momentum").fill("-1");
    expect(await page.getByRole("status").innerText()).toMatch(/^SGD: momentum: got -1, expected/);
    await page.getByRole("button", { name: "SignSGD" }).click();
    expect(await page.locator(".traffic tbody tr").first().innerText()).toMatch(/12 B\s+0 B/);
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

  test.each(["light", "dark"] as const)("axe finds nothing serious: %s", async (colorScheme) => {
    for (const hash of ["#/write", address("m = ema(m, g, b1)\np = p - lr * mm")]) {
      const { page } = await visit(hash, { colorScheme, bypassCSP: true });
      await page.locator("[data-typeset]").waitFor();
      await expectAccessible(page);
    }
  });
});
