/**
 * The Race room in a real browser: a race is run, set and looked at as people do, and the page complains of nothing,
 * asks nobody else for anything, and can be used by everyone.
 */
import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { serveLab } from "../../src/cli/lab-server.ts";
import { expectAccessible, gzipped, labFolder, noWasm, skipped, tell, useLab } from "./browser.ts";

/** Gzipped, of all that is loaded until the first race is seen. */
const CEILING = 150_000;

describe.skipIf(skipped)("the Race room in Chromium", () => {
  const { visit } = useLab();

  /** A cell of the standings: 0 is the loss, then how it goes, x, y, and gradients. */
  const cell = (page: Page, racer: string, column: number): Promise<string> =>
    page.locator(`tr[data-racer=${racer}] td`).nth(column).innerText();
  const kind = (page: Page, racer: string): Promise<string | null> =>
    page.locator(`tr[data-racer=${racer}]`).getAttribute("data-kind");

  test("a race plays, and ends with Adam at the minimum", async () => {
    const { page, complaints, loaded } = await visit("#/race?speed=1000", {
      reducedMotion: "no-preference",
    });
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);
    expect(await page.title()).toBe("Race · Downhill lab");
    // It plays by itself.
    await page.getByRole("button", { name: "Pause" }).waitFor();
    await page.getByRole("button", { name: "Play again" }).waitFor();
    expect(await page.locator(".scrub b").innerText()).toBe("1500");
    expect(await kind(page, "adam")).toBe("arrived");
    expect(await cell(page, "adam", 2)).toBe("1.000");
    expect(await cell(page, "adam", 3)).toBe("1.000");
    expect(await kind(page, "sgd")).toBe("running");
    expect(await page.getByRole("status").innerText()).toMatch(/^The race is over\. .*Adam: loss/);
    expect(complaints).toEqual([]);

    const total = gzipped(loaded);
    const first = await page.evaluate(
      () => performance.getEntriesByName("first-race")[0]!.startTime,
    );
    tell(
      `The lab's first view: ${(total / 1000).toFixed(1)} kB gzipped; first race after ${first.toFixed(0)} ms.`,
    );
    expect(loaded.size).toBeGreaterThan(5);
    expect(total).toBeLessThan(CEILING);
  });

  test("it can be stopped, gone through step by step, and begun anew", async () => {
    const { page, complaints } = await visit("#/race?surface=ravine&at=0");
    const step = () => page.locator(".scrub b").innerText();
    expect(await step()).toBe("0");
    await page.getByRole("button", { name: "One step on" }).click();
    await page.getByRole("button", { name: "One step on" }).click();
    expect(await step()).toBe("2");
    const early = await cell(page, "sgd", 2);
    await page.getByRole("button", { name: "One step back" }).click();
    expect(await step()).toBe("1");
    expect(await cell(page, "sgd", 2)).not.toBe(early);
    await page.getByRole("slider", { name: /^Step/ }).focus();
    await page.keyboard.press("End");
    expect(await step()).toBe("200");
    await page.keyboard.press("ArrowLeft");
    expect(await step()).toBe("199");
    await expect.poll(() => page.url()).toContain("at=199");
    // Where movement is unwelcome, playing jumps.
    await page.keyboard.press("Home");
    await page.getByRole("button", { name: "Play", exact: true }).click();
    await expect.poll(step).toBe("20");
    await page.getByRole("button", { name: "Pause" }).click();
    await page.getByRole("button", { name: "Reset" }).click();
    expect(await step()).toBe("200");
    expect(complaints).toEqual([]);
  });

  test("the start is dragged, moved with the keys, and typed", async () => {
    const { page, complaints } = await visit("#/race?surface=himmelblau");
    const before = await cell(page, "adam", 2);
    const handle = page.locator(".start-point");
    const box = (await page.locator(".picture").boundingBox())!;
    await handle.hover();
    await page.mouse.down();
    await page.mouse.move(box.x + 0.2 * box.width, box.y + 0.3 * box.height, { steps: 4 });
    await page.mouse.move(box.x + 0.25 * box.width, box.y + 0.25 * box.height);
    await page.mouse.up();
    await page.mouse.move(box.x + 0.9 * box.width, box.y + 0.9 * box.height); // no longer
    const x = page.getByLabel("Start x");
    const y = page.getByLabel("Start y");
    expect(Number(await x.inputValue())).toBeCloseTo(-3, 1);
    expect(Number(await y.inputValue())).toBeCloseTo(2.4, 1);
    await expect.poll(() => cell(page, "adam", 2)).toBe("−2.805");
    expect(before).not.toBe("−2.805");

    await handle.focus();
    await page.keyboard.press("ArrowRight");
    expect(Number(await x.inputValue())).toBeCloseTo(-3 + 0.12, 1);
    await page.keyboard.press("Shift+ArrowDown");
    expect(Number(await y.inputValue())).toBeCloseTo(2.4 - 0.96, 1);
    await x.fill("4");
    await y.fill("-3");
    await expect.poll(() => cell(page, "adam", 2)).toBe("3.584");
    await expect.poll(() => page.url()).toContain("start=4,-3");
    expect(await handle.getAttribute("aria-label")).toContain("Start at 4.000, −3.000");
    expect(complaints).toEqual([]);
  });

  test("hyperparameters are set; what the library refuses, it says; what diverges, shows", async () => {
    const { page, complaints } = await visit("#/race?surface=ravine&racing=sgd,adam");
    const rate = page.getByLabel("SGD: learning rate, as a number");
    await rate.fill("0.205");
    await expect.poll(() => kind(page, "sgd")).toBe("left");
    expect(await cell(page, "sgd", 1)).toMatch(/^left the picture at step \d+$/);
    await rate.fill("1e30");
    await expect.poll(() => kind(page, "sgd")).toBe("diverged");
    await rate.fill("-1");
    await expect.poll(() => kind(page, "sgd")).toBe("refused");
    expect(await page.getByRole("alert").innerText()).toMatch(/^SGD: lr: got -1, expected /);
    await rate.fill("0.1");
    await expect.poll(() => kind(page, "sgd")).toBe("running");
    await rate.press("ArrowUp");
    expect(await rate.inputValue()).toBe("0.125");
    await page.getByRole("slider", { name: "SGD: learning rate" }).press("ArrowRight");
    await expect.poll(() => page.url()).not.toContain("sgd.lr=0.125");

    await page.getByRole("button", { name: "Nesterov" }).click();
    await page.getByRole("button", { name: "Adam", exact: true }).click();
    await expect.poll(() => page.locator("tr[data-racer=nesterov]").count()).toBe(1);
    expect(await page.locator("tr[data-racer=adam]").count()).toBe(0);
    expect(complaints).toEqual([]);
  });

  test("a formula is typed, with a caret where it is wrong", async () => {
    const { page, complaints, loaded } = await visit("#/race?racing=adam,sgd");
    expect([...loaded].some((path) => path.includes("formula"))).toBe(false);
    await page.getByLabel("Surface").selectOption("formula");
    const field = page.getByLabel("f(x, y) =");
    await field.fill("(x - 1)^2 + 3*(y + 0.5)^2");
    await expect.poll(() => cell(page, "adam", 2)).toBe("1.000");
    expect(await cell(page, "adam", 3)).toBe("−0.500");
    await field.fill("(x - 1)^2 + 3*(y + a)^2");
    const alert = page.getByRole("alert");
    await alert.waitFor();
    expect(await alert.innerText()).toContain("Character 20: There is no a.");
    expect(await alert.locator("mark").innerText()).toBe("a");
    expect(await field.getAttribute("aria-invalid")).toBe("true");
    await field.fill("x^2 + y^2");
    await alert.waitFor({ state: "detached" });
    await expect.poll(() => cell(page, "sgd", 3)).toMatch(/^−?0\.000$/);
    await expect.poll(() => page.url()).toContain("formula=x%5E2");
    expect(complaints).toEqual([]);
  });

  test("an address leads to what was set, and links change it", async () => {
    const { page, complaints } = await visit(
      "#/race?surface=formula&formula=x%5E2%2By%5E2&start=1,2&steps=20&racing=adam&adam.lr=0.5&at=7",
    );
    expect(await page.getByLabel("f(x, y) =").inputValue()).toBe("x^2+y^2");
    expect(await page.getByLabel("Start y").inputValue()).toBe("2");
    expect(await page.locator(".scrub b").innerText()).toBe("7");
    expect(await page.getByLabel("Adam: learning rate, as a number").inputValue()).toBe("0.5");
    await page.getByRole("link", { name: "A little too far" }).click();
    await expect.poll(() => kind(page, "sgd")).toBe("left");
    await page.goBack();
    await expect.poll(() => page.getByLabel("Start y").inputValue()).toBe("2");
    expect(complaints).toEqual([]);
  });

  test("without isolation it runs on one thread, and says so", async () => {
    const plain = await serveLab({ folder: labFolder, isolation: false });
    const { page, complaints } = await visit("#/race", { at: plain });
    expect(await page.evaluate(() => crossOriginIsolated)).toBe(false);
    expect(await page.locator(".runs-on summary").innerText()).toContain("WebAssembly, one thread");
    await expect.poll(() => kind(page, "adam")).toBe("arrived");
    expect(complaints).toEqual([]);
    await plain.close();
  });

  test("where a host forbids WebAssembly it runs on the interpreter, and says so", async () => {
    const { page, complaints } = await visit("#/race", { policy: noWasm });
    expect(await page.locator(".runs-on summary").innerText()).toContain("Interpreter");
    await expect.poll(() => kind(page, "adam")).toBe("arrived");
    expect(complaints).toEqual([]);
  });

  test.each(["light", "dark"] as const)("axe finds nothing serious: %s", async (colorScheme) => {
    const { page } = await visit("#/race", { colorScheme, bypassCSP: true });
    await expectAccessible(page);
  });

  test("the theme is switched, and remembered", async () => {
    const { page, complaints } = await visit("#/race", { colorScheme: "light" });
    const ground = () =>
      page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const light = await ground();
    await page.getByRole("button", { name: "Dark theme" }).click();
    const dark = await ground();
    expect(dark).not.toBe(light);
    await page.reload();
    await page.waitForSelector("[data-ready=true]");
    expect(await ground()).toBe(dark);
    await page.getByRole("button", { name: "Light theme" }).click();
    expect(await ground()).toBe(light);
    expect(complaints).toEqual([]);
  });
});
