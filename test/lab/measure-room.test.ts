/**
 * The Measure room in a real browser: small measurements run to their end, and the table says what ran, what did
 * not and why. Nothing here looks at times.
 */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { serveLab } from "../../src/cli/lab-server.ts";
import { expectAccessible, labFolder, noWasm, skipped, useLab } from "./browser.ts";

const patient = { timeout: 20_000 };
const rounds = "optimizer=adam&rounds=2";

interface Saved {
  readonly order: { readonly task: number };
  readonly setting: { readonly isolated: boolean };
  readonly comparison: { readonly rows: readonly { readonly key: string }[] };
}

describe.skipIf(skipped)("the Measure room in Chromium", () => {
  const { visit } = useLab();

  const begin = (page: Page): Promise<void> =>
    page.getByRole("button", { name: "Measure", exact: true }).click();
  const measure = async (page: Page): Promise<void> => {
    await begin(page);
    await page.locator("[data-done=true]").waitFor();
  };
  const cells = (page: Page, row: string): Promise<string[]> =>
    page.locator(`tr[data-row=${row}] > *`).allInnerTexts();
  const isFilled = (texts: readonly string[]): void => {
    expect(texts).toHaveLength(7);
    for (const text of texts.slice(1, 6)) expect(text).toMatch(/\d/);
  };
  const said = async (page: Page): Promise<string> =>
    (await page.locator(".said li").allTextContents()).join("\n");
  const round = (page: Page): Promise<number> =>
    page.locator(".where p").evaluate((text: HTMLElement) => Number(text.dataset["stage"] ?? -1));
  const workers = (page: Page): string[] => page.workers().map((each) => each.url());

  test("the table fills: by hand, on threads and with WebGPU; it can be taken along", async () => {
    const rows = ["plain", "fused-1", "fused", "gpu-fused"];
    const { page, complaints } = await visit(
      `#/measure?${rounds}&size=300000&rows=${rows.join(",")}`,
      { permissions: ["clipboard-read", "clipboard-write"] },
    );
    expect(await page.title()).toBe("Measure · Downhill lab");
    await page.getByLabel("Rounds").fill("3");
    await measure(page);
    for (const row of rows) isFilled(await cells(page, row));
    expect((await cells(page, "plain")).at(-1)).toBe("1x");
    for (const row of ["copy-1", "copy", "gpu-copy"]) {
      expect((await cells(page, row))[4]).toMatch(/\d/);
    }
    expect(await page.locator("tr[data-missing]").count()).toBe(0);
    const text = await said(page);
    expect(text).toContain("After 3 steps all 4 rows agree with the CPU's");
    expect(text).toContain("NO GPU: a processor plays one here.");
    expect(text).toContain("WebGPU: by the GPU's own clock");
    expect(await page.locator(".results").innerText()).toContain("swiftshader");
    expect(await page.locator(".bars .fill").count()).toBe(rows.length);
    expect(await page.locator(".bars .limit").count()).toBe(rows.length);

    const shown = await page
      .locator(".results tr")
      .evaluateAll((lines) => lines.map((line) => [...line.children].map((c) => c.textContent!)));
    await page.getByRole("button", { name: "Copy as Markdown" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    const markdown = await page.evaluate(() => navigator.clipboard.readText());
    const copied = markdown
      .split("\n")
      .filter((line) => line.startsWith("|"))
      .map((line) => line.split("|").slice(1, -1));
    copied.splice(1, 1); // the rule below the head
    expect(copied.map((line) => line.map((cell) => cell.trim()))).toEqual(shown);
    for (const sentence of text.split("\n")) expect(markdown).toContain(`- ${sentence}`);
    expect(markdown).toMatch(/Chromium \d+ on Linux, \d+ cores?, cross-origin isolated/);
    // The address bar follows a little later.
    expect(markdown).toContain(
      `/#/measure?optimizer=adam&size=300000&rows=${rows.join(",")}&rounds=3`,
    );

    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download JSON" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("downhill-bench.json");
    const saved = JSON.parse(readFileSync(await download.path(), "utf8")) as Saved;
    expect(saved.comparison.rows.map(({ key }) => key)).toEqual([
      ...rows,
      "copy-1",
      "copy",
      "gpu-copy",
    ]);
    expect([saved.order.task, saved.setting.isolated]).toEqual([300_000, true]);

    await page.evaluate(() => {
      navigator.clipboard.writeText = () => Promise.reject(new Error("no"));
    });
    await page.getByRole("button", { name: "Copy as Markdown" }).click();
    const area = page.getByRole("textbox", { name: "The result as Markdown" });
    expect(await area.inputValue()).toBe(markdown);
    expect(await page.evaluate(() => getSelection()!.toString())).toContain("| Adam |");
    expect(complaints).toEqual([]);
  });

  test("without isolation the row of several threads says why it is missing", async () => {
    const plain = await serveLab({ folder: labFolder, isolation: false });
    const { page, complaints } = await visit(`#/measure?${rounds}&size=9000&rows=fused-1,fused`, {
      at: plain,
    });
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
    const { page, complaints } = await visit(`#/measure?${rounds}&size=1000&rows=fused-1,fused`);
    await measure(page);
    isFilled(await cells(page, "fused-1"));
    expect((await cells(page, "fused"))[1]).toMatch(/^missing: so small a step calls no other/);
    expect(complaints).toEqual([]);
  });

  test("where a host forbids WebAssembly, it says that the interpreter ran", async () => {
    const { page, complaints } = await visit(`#/measure?${rounds}&size=1000&rows=plain,fused-1`, {
      policy: noWasm,
    });
    await measure(page);
    isFilled(await cells(page, "fused-1"));
    expect(await said(page)).toContain(
      "forbids WebAssembly: Downhill's rows ran on the interpreter",
    );
    expect(complaints).toEqual([]);
  });

  test("cancelling ends all of it, another run may begin, and leaving ends that", async () => {
    const { page, complaints } = await visit(
      "#/measure?size=3000000&rounds=200&rows=fused-1,fused",
    );
    await begin(page);
    await expect.poll(() => round(page), patient).toBeGreaterThan(2);
    expect(workers(page)).toContainEqual(expect.stringMatching(/^blob:/)); // the pool's
    expect(await page.locator("[data-done=true]").count()).toBe(0);
    await page.getByRole("button", { name: "Cancel" }).click();
    await expect.poll(() => workers(page), patient).toEqual([]);
    expect(await said(page)).toMatch(/Stopped after \d+ of 200 rounds\./);
    isFilled(await cells(page, "fused-1"));

    await page.getByLabel("Rounds").fill("1");
    await page.getByLabel("Optimizer").selectOption("sgd");
    await page.getByRole("textbox", { name: "Elements" }).fill("1000");
    await measure(page);
    expect(await page.locator(".chart h2").innerText()).toBe(
      "One step of SGD: one tensor of 1000 elements",
    );
    expect(await said(page)).toContain("1 round in which");
    await expect.poll(() => workers(page), patient).toEqual([]);

    await page.getByRole("textbox", { name: "Elements" }).fill("3000000");
    await page.getByLabel("Rounds").fill("200");
    await begin(page);
    await expect.poll(() => round(page), patient).toBeGreaterThan(0);
    await page.getByRole("link", { name: "Race" }).click();
    const only = [expect.stringContaining("race.worker")];
    await expect.poll(() => workers(page), patient).toEqual(only);
    expect(complaints).toEqual([]);
  });

  test("a run that cannot begin says so, and another one may", async () => {
    const { page } = await visit(`#/measure?${rounds}&size=1000&rows=plain`);
    await measure(page);
    await page.route("**/measure.worker*", (route) => route.abort());
    await begin(page);
    await page.getByRole("heading", { name: "The measurement has stopped" }).waitFor();
    await page.unroute("**/measure.worker*");
    await measure(page);
    expect(await page.getByRole("alert").count()).toBe(0);
    isFilled(await cells(page, "plain"));
  });

  test("what is set stands in the address, and memory is told before", async () => {
    const { page, complaints } = await visit("#/measure?optimizer=momentum&size=33554432");
    const eager = page.getByLabel("TypeScript, operation by operation");
    expect(await page.getByLabel("Optimizer").inputValue()).toBe("momentum");
    expect(await eager.isChecked()).toBe(false);
    expect(await page.locator(".need").innerText()).toMatch(
      /^33,554,432 parameters in 1 tensor\. It will need about [\d.]+ GB of memory and [\d.]+ GB/,
    );
    await page.getByLabel("Parameters").selectOption("mlp");
    expect(await eager.isChecked()).toBe(true);
    await page.getByLabel("Optimizer").selectOption("rmsprop");
    await page.getByLabel("WebGPU, fused").uncheck();
    await page.getByLabel("Rounds").fill("7");
    await expect
      .poll(() => page.url())
      .toMatch(
        /optimizer=rmsprop&size=mlp&rows=temporaries,plain,loop,compile,foreach,fused-1,fused,gpu-written&rounds=7$/,
      );
    await page.getByRole("link", { name: "So few" }).click();
    await expect
      .poll(() => page.getByRole("textbox", { name: "Elements" }).inputValue())
      .toBe("100000");
    expect(complaints).toEqual([]);
  });

  test("axe finds nothing serious, in light and in dark", async () => {
    const { page } = await visit(
      `#/measure?${rounds}&size=9000&rows=plain,fused-1,fused,gpu-fused`,
      {
        bypassCSP: true,
      },
    );
    await measure(page);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      await expectAccessible(page);
    }
  });
});
