/**
 * The Measure room in a real browser: small measurements run to their end, and the table says what ran, what did
 * not and why. Nothing here looks at times.
 */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { serveLab } from "../../src/cli/lab-server.ts";
import { expectAccessible, labFolder, skipped, useLab } from "./browser.ts";

const patient = { timeout: 20_000 };
const small = "#/measure?optimizer=adam&size=300000&rounds=2";

describe.skipIf(skipped)("the Measure room in Chromium", () => {
  const { visit } = useLab();

  const measure = async (page: Page): Promise<void> => {
    await page.getByRole("button", { name: "Measure", exact: true }).click();
    await page.locator("[data-done=true]").waitFor();
  };
  const cells = (page: Page, row: string): Promise<string[]> =>
    page.locator(`tr[data-row=${row}] > *`).allInnerTexts();
  const isFilled = (texts: readonly string[]): void => {
    expect(texts[0]).not.toBe("");
    for (const text of texts.slice(1, 6)) expect(text).toMatch(/\d/);
  };
  const round = (page: Page): Promise<number> =>
    page.locator(".where p").evaluate((text: HTMLElement) => Number(text.dataset["stage"] ?? -1));
  const said = (page: Page): Promise<string> => page.locator(".said").innerText();

  test("the table fills: by hand, on threads and with WebGPU; all rows agree", async () => {
    const rows = ["plain", "fused-1", "fused", "gpu-fused"];
    const { page, complaints } = await visit(`${small}&rows=${rows.join(",")}`);
    expect(await page.title()).toBe("Measure · Downhill lab");
    await measure(page);
    for (const row of rows) isFilled(await cells(page, row));
    expect((await cells(page, "plain")).at(-1)).toBe("1x");
    for (const row of ["copy-1", "copy", "gpu-copy"])
      expect(await cells(page, row)).toHaveLength(7);
    expect(await page.locator("tr[data-missing]").count()).toBe(0);
    const text = await said(page);
    expect(text).toContain("After 3 steps all 4 rows agree with the CPU's");
    expect(text).toContain("NO GPU: a processor plays one here.");
    expect(text).toContain("WebGPU: by the GPU's own clock");
    expect(await page.locator(".results").innerText()).toContain("swiftshader");
    expect(await page.locator(".bars .bar").count()).toBe(rows.length);
    expect(await page.locator(".bars .limit").count()).toBe(rows.length);
    expect(complaints).toEqual([]);
  });

  test("without isolation the row of several threads says why it is missing", async () => {
    const plain = await serveLab({ folder: labFolder, isolation: false });
    const { page, complaints } = await visit(`${small}&rows=plain,fused-1,fused`, { at: plain });
    expect(await page.locator(".choice", { hasText: "several threads" }).innerText()).toContain(
      "Will be missing: threads share memory",
    );
    await measure(page);
    isFilled(await cells(page, "fused-1"));
    expect((await cells(page, "fused"))[1]).toMatch(
      /^missing: threads share memory, .* cross-origin isolated .*“downhill lab” sends the headers/,
    );
    expect(await page.locator("tr[data-row=copy]").count()).toBe(0);
    expect(await page.locator(".results").innerText()).toContain("not cross-origin isolated");
    expect(complaints).toEqual([]);
    await plain.close();
  });

  test("so few parameters call no other thread, and the row says so", async () => {
    const { page, complaints } = await visit("#/measure?size=1000&rounds=1&rows=fused-1,fused");
    await measure(page);
    isFilled(await cells(page, "fused-1"));
    expect((await cells(page, "fused"))[1]).toMatch(/^missing: so small a step calls no other/);
    expect(complaints).toEqual([]);
  });

  test("cancelling ends all of it, and another run may begin", async () => {
    const { page, complaints } = await visit(
      "#/measure?size=3000000&rounds=200&rows=plain,fused-1,fused",
    );
    await page.getByRole("button", { name: "Measure", exact: true }).click();
    await expect.poll(() => round(page), patient).toBeGreaterThan(2);
    expect(page.workers().length).toBeGreaterThan(1); // the pool's thread as well
    expect(await page.locator("[data-done=true]").count()).toBe(0);
    await page.getByRole("button", { name: "Cancel" }).click();
    await expect.poll(() => page.workers().length, patient).toBe(0);
    expect(await said(page)).toMatch(/Stopped after \d+ of 200 rounds\./);
    isFilled(await cells(page, "fused-1"));
    await page.getByLabel("Rounds").fill("1");
    await page.getByLabel("Optimizer").selectOption("sgd");
    await measure(page);
    expect(await page.locator(".results h2").innerText()).toBe(
      "One step of SGD: one tensor of 3000000 elements",
    );
    expect(await said(page)).toContain("1 rounds");
    expect(await page.locator("[data-stage]").count()).toBe(0);
    await expect.poll(() => page.workers().length, patient).toBe(0);
    expect(complaints).toEqual([]);
  });

  test("leaving the room ends the run", async () => {
    const { page, complaints } = await visit("#/measure?size=3000000&rounds=200&rows=plain");
    await page.getByRole("button", { name: "Measure", exact: true }).click();
    await expect.poll(() => round(page), patient).toBeGreaterThan(0);
    await page.getByRole("link", { name: "Race" }).click();
    await page.locator(".race").waitFor();
    await expect
      .poll(() => page.workers().map((each) => each.url()), patient)
      .toEqual([expect.stringContaining("race.worker")]);
    expect(complaints).toEqual([]);
  });

  test("the result is copied as Markdown, with the figures of the table, and saved as JSON", async () => {
    const { page, complaints } = await visit(`${small}&rows=plain,fused-1`, {
      permissions: ["clipboard-read", "clipboard-write"],
    });
    await measure(page);
    await page.getByRole("button", { name: "Copy as Markdown" }).click();
    await page.getByText("Copied.").waitFor();
    const markdown = await page.evaluate(() => navigator.clipboard.readText());
    const shown = await page
      .locator(".results tbody tr")
      .evaluateAll((rows) =>
        rows.map((row) => [...row.children].map((cell) => cell.textContent!.trim())),
      );
    const copied = markdown
      .split("\n")
      .filter((line) => line.startsWith("| "))
      .map((line) =>
        line
          .split("|")
          .slice(1, -1)
          .map((text) => text.trim()),
      );
    expect(copied.slice(2)).toEqual(shown);
    expect(copied[0]![0]).toBe("Adam");
    expect(markdown).toContain("all 2 rows agree");
    expect(markdown).toMatch(/Chromium \d+ on Linux, \d+ cores?, cross-origin isolated/);
    expect(markdown).toContain(page.url());

    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download JSON" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("downhill-bench.json");
    const saved = JSON.parse(readFileSync(await download.path(), "utf8")) as Saved;
    expect(saved.comparison.rows.map(({ key }) => key)).toEqual([
      "plain",
      "fused-1",
      "copy-1",
      "copy",
    ]);
    expect(saved.order.task).toBe(300_000);
    expect(complaints).toEqual([]);
  });

  test("where pages may not copy, the text is there to be copied by hand", async () => {
    const { page, complaints } = await visit(`${small}&rows=plain`);
    await page.evaluate(() => {
      navigator.clipboard.writeText = () => Promise.reject(new Error("no"));
    });
    await measure(page);
    await page.getByRole("button", { name: "Copy as Markdown" }).click();
    const area = page.getByRole("textbox", { name: "The result as Markdown" });
    expect(await area.inputValue()).toContain("| TypeScript, plain loop");
    expect(await page.evaluate(() => getSelection()!.toString())).toContain("| TypeScript, plain");
    expect(complaints).toEqual([]);
  });

  test("what is set stands in the address, and memory is told before", async () => {
    const { page, complaints } = await visit("#/measure?optimizer=momentum&size=33554432");
    expect(await page.getByLabel("Optimizer").inputValue()).toBe("momentum");
    expect(await page.getByLabel("TypeScript, operation by operation").isChecked()).toBe(false);
    expect(await page.locator(".need").innerText()).toMatch(
      /^33,554,432 parameters in 1 tensor\. It will need about [\d.]+ GB of memory and [\d.]+ GB/,
    );
    await page.getByLabel("Parameters").selectOption("mlp");
    expect(await page.getByLabel("TypeScript, operation by operation").isChecked()).toBe(true);
    await page.getByLabel("Optimizer").selectOption("rmsprop");
    await page.getByLabel("WebGPU, fused").uncheck();
    await page.getByLabel("Rounds").fill("7");
    await expect
      .poll(() => page.url())
      .toMatch(
        /optimizer=rmsprop&size=mlp&rows=temporaries,plain,loop,compile,foreach,fused-1,fused,gpu-written&rounds=7$/,
      );
    await page.getByRole("link", { name: "So few" }).click();
    await expect.poll(() => page.getByLabel("Elements").inputValue()).toBe("100000");
    expect(complaints).toEqual([]);
  });

  test.each(["light", "dark"] as const)("axe finds nothing serious: %s", async (colorScheme) => {
    const { page } = await visit(`${small}&rows=plain,fused,gpu-fused`, {
      colorScheme,
      bypassCSP: true,
    });
    await measure(page);
    await expectAccessible(page);
  });
});

interface Saved {
  readonly order: { readonly task: number };
  readonly comparison: { readonly rows: readonly { readonly key: string }[] };
}
