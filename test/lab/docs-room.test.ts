/** The Docs room in a real browser: its pages are read, searched and left as people do, and everyone can use it. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { programsIn } from "../../site/docs/blocks.ts";
import { readGuides } from "../../site/docs/guides.ts";
import { bundle } from "../helpers/bundle.ts";
import { expectAccessible, skipped, useLab } from "./browser.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const guides = readGuides(root)
  .filter(({ hasPrograms }) => hasPrograms)
  .map(({ key, text }) => ({ key, programs: programsIn(text) }))
  .filter(({ programs }) => programs.some(({ runs }) => runs !== null));

/** What a program prints in Node. */
async function inNode(code: string): Promise<string> {
  const cache = join(root, "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "program-"));
  try {
    const file = join(folder, "program.mjs");
    writeFileSync(file, await bundle(code));
    return (await promisify(execFile)(process.execPath, [file])).stdout;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Node puts long lists into columns. */
const words = (text: string): string => text.split(/\s+/).filter(Boolean).join(" ");

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
    await page.goto(page.url().replace(/#.*/, "#/docs/constructor"));
    await page.getByText('there is no page "constructor"').waitFor();
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
    await page.route(/\/optimizers-/, async (route) => {
      // Where one scrolls while a page is on its way is no place of that page.
      await page.evaluate(() => scrollBy(0, 50));
      await new Promise((later) => setTimeout(later, 300));
      await route.continue();
    });
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

  describe("programs of the guides run", () => {
    test.each(guides)("in $key, and print what they print in Node", async ({ key, programs }) => {
      const { page, complaints } = await visit(`#/docs/${key}`);
      await ready(page, key);
      let count = 0;
      for (const [i, { code, runs }] of programs.entries()) {
        const place = page.locator(`[data-program="${key}/${i}"]`);
        expect(await place.count(), `a place for program ${i}`).toBe(runs === null ? 0 : 1);
        if (runs === null) continue;
        count += 1;
        await place.getByRole("button", { name: "Run" }).click();
        const status = place.getByRole("status");
        await expect
          .poll(() => status.innerText(), { timeout: 30_000 })
          .toMatch(/^(Done|Ran to its end and printed nothing), in \d+ ms$/);
        const prints = code.includes("console.log");
        const printed = prints ? await place.locator(".output").innerText() : "";
        expect((await status.innerText()).startsWith("Done")).toBe(prints);
        if (runs === "page" && prints) expect(words(printed)).toBe(words(await inNode(code)));
        if (code.includes("close to 1"))
          expect(words(printed)).toMatch(/\b(1|1\.00\d*|0\.99\d*)\b/);
      }
      expect(count).toBe(await page.locator("[data-program]").count());
      expect(complaints).toEqual([]);
    });

    test("are stopped, fail, and come to an end", async () => {
      const { page, complaints } = await visit("#/docs/math");
      await ready(page, "math");
      const place = page.locator('[data-program="math/0"]');
      const status = place.getByRole("status");
      const button = place.getByRole("button");
      await place.evaluate((node) => {
        const press = (): void => node.querySelector("button")!.click();
        press();
        requestAnimationFrame(press);
      });
      await expect.poll(() => status.innerText()).toBe("Stopped");
      expect(await button.innerText()).toBe("Run");

      let answer = "console.log({ a: [1] }); throw new RangeError('too far');";
      await page.route(/assets\/0-[^/]*$/, (route) =>
        route.fulfill({ contentType: "text/javascript", body: answer }),
      );
      await button.click();
      await expect.poll(() => status.innerText()).toBe("Ended by an error");
      expect(await place.locator(".output").innerText()).toBe(
        "{ a: [ 1 ] }\nRangeError: too far\n",
      );

      await page.clock.install();
      answer = "console.log('begun'); for (;;);";
      await button.click();
      await expect.poll(() => place.locator(".output").innerText()).toBe("begun\n");
      expect(await status.innerText()).toBe("Running…");
      await page.clock.fastForward(30_000);
      await expect.poll(() => status.innerText()).toBe("Stopped after 30 seconds");
      expect(complaints).toEqual([]);
    });
  });

  test("only what is read is loaded", async () => {
    const { loaded } = await visit("#/race");
    expect([...loaded].filter((path) => /docs|readme|math/.test(path))).toEqual([]);
  });

  test.each(["light", "dark"] as const)("axe finds nothing serious: %s", async (colorScheme) => {
    const { page } = await visit("#/docs", { colorScheme, bypassCSP: true });
    for (const key of ["performance", "api/parameters"]) {
      await page.evaluate((name) => (location.hash = `#/docs/${name}`), key);
      await ready(page, key);
      await expectAccessible(page);
    }
    await page.goto(page.url().replace(/#.*/, "#/docs/math"));
    await ready(page, "math");
    await page.locator('[data-program="math/2"]').getByRole("button").click();
    await page.locator(".output").waitFor();
    await expectAccessible(page);
  });
});
