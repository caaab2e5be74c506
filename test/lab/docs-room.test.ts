/** The Docs room in a real browser: its pages are read, searched and left as people do, and everyone can use it. */
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { expectAccessible, skipped, useLab } from "./browser.ts";

describe.skipIf(skipped)("the Docs room in Chromium", () => {
  const { visit } = useLab();

  const ready = (page: Page, key: string): Promise<unknown> =>
    page.waitForSelector(`article[data-page="${key}"][data-ready=true]`);
  const focused = (page: Page): Promise<string> =>
    page.evaluate(() => document.activeElement!.textContent);
  const top = (page: Page, id: string): Promise<number> =>
    page.evaluate((name) => document.getElementById(name)!.getBoundingClientRect().top, id);

  test("links lead from page to page and to sections, and back to where one was", async () => {
    const { page, complaints } = await visit("#/docs");
    await ready(page, "readme");
    expect(await page.title()).toBe("Downhill · Downhill lab");
    await page.getByRole("article").getByRole("link", { name: "docs/math.md" }).click();
    await ready(page, "math");
    expect(await page.title()).toBe("Rules as text · Downhill lab");
    expect(page.url()).toMatch(/#\/docs\/math$/);
    expect(await focused(page)).toBe("Rules as text");
    expect(await page.evaluate(() => scrollY)).toBe(0);

    await page.goBack();
    await ready(page, "readme");
    await expect.poll(() => page.evaluate(() => scrollY)).toBeGreaterThan(1000);

    await page.getByRole("link", { name: "docs/webgpu.md", exact: true }).first().click();
    await ready(page, "webgpu");
    const contents = page.getByRole("navigation", { name: "On this page" });
    await contents.getByRole("link", { name: "Limits" }).click();
    await expect.poll(() => top(page, "limits")).toBeLessThan(40);
    expect(await focused(page)).toMatch(/^Limits/);
    expect(page.url()).toMatch(/#\/docs\/webgpu\?at=limits$/);
    await expect.poll(() => contents.locator("[aria-current]").innerText()).toBe("Limits");
    // The same link again, from elsewhere.
    await page.evaluate(() => scrollTo(0, 0));
    await contents.getByRole("link", { name: "Limits" }).click();
    await expect.poll(() => top(page, "limits")).toBeLessThan(40);
    expect(complaints).toEqual([]);
  });

  test("an address leads to a section; one of nothing says so", async () => {
    const { page, complaints } = await visit("#/docs/checkpoints?at=a-strict-reader");
    await ready(page, "checkpoints");
    expect(await top(page, "a-strict-reader")).toBeLessThan(40);
    await page.goto(page.url().replace(/#.*/, "#/docs/nothing"));
    expect(await page.getByRole("alert").innerText()).toContain('there is no page "nothing"');
    await page.getByRole("navigation", { name: "Pages", exact: true }).getByText("jax-js").click();
    await ready(page, "jax");
    expect(complaints).toEqual([]);
  });

  test("the search is found with a key, and used with keys", async () => {
    const { page, complaints, loaded } = await visit("#/docs");
    expect([...loaded].some((path) => path.includes("search"))).toBe(false);
    await page.keyboard.press("/");
    await page.keyboard.type("strict reader");
    await page.getByText("1 found").waitFor({ state: "attached" });
    await page.keyboard.press("ArrowDown");
    expect(await focused(page)).toContain("A strict reader");
    await page.keyboard.press("Enter");
    await ready(page, "checkpoints");
    await expect.poll(() => top(page, "a-strict-reader")).toBeLessThan(40);
    await page.keyboard.press("/");
    await page.keyboard.type("no such thing");
    await page.getByText("Nothing has such a name.").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("navigation", { name: "Pages", exact: true }).waitFor();
    expect(complaints).toEqual([]);
  });

  test("from a guide to a name, to its type, and to a name that was searched for", async () => {
    const { page, complaints } = await visit("#/docs/coming-from-pytorch");
    await page
      .getByRole("article")
      .getByRole("link", { name: "Adam", exact: true })
      .first()
      .click();
    await ready(page, "api/optimizers");
    await expect.poll(() => top(page, "Adam")).toBeLessThan(40);
    const section = page.locator("section", { has: page.locator("#Adam") }).first();
    await section.getByRole("link", { name: "OptimizerOptions" }).click();
    await expect.poll(() => top(page, "OptimizerOptions")).toBeLessThan(40);
    await page.getByRole("textbox", { name: /^Search/ }).fill("clipgradnorm");
    await page.getByRole("link", { name: "clipGradNorm function · downhill", exact: true }).click();
    await ready(page, "api/around-the-step");
    await expect.poll(() => top(page, "clipGradNorm")).toBeLessThan(40);
    expect(complaints).toEqual([]);
  });

  test("only what is read is loaded", async () => {
    const { loaded } = await visit("#/race");
    expect([...loaded].filter((path) => /docs|readme|math/.test(path))).toEqual([]);
  });

  test.each(["light", "dark"] as const)("axe finds nothing serious: %s", async (colorScheme) => {
    const { page } = await visit("#/docs", { colorScheme, bypassCSP: true });
    for (const key of ["readme", "performance", "parity", "api", "api/parameters"]) {
      await page.evaluate((name) => (location.hash = `#/docs/${name}`), key);
      await ready(page, key);
      await expectAccessible(page);
    }
  });
});
