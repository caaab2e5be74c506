/** The frame around the rooms in a real browser: one gets from one to the other, and finds things as they were. */
import { describe, expect, test } from "vitest";
import { skipped, useLab } from "./browser.ts";

describe.skipIf(skipped)("the frame of the lab in Chromium", () => {
  const { visit } = useLab();

  test("a room that is slow to load does not come after the one that was asked for later", async () => {
    const { page, complaints } = await visit("#/race?surface=beale");
    let arrived = (): void => {};
    const late = new Promise<void>((resolve) => (arrived = resolve));
    await page.route("**/docs-room*.js", async (request) => {
      await new Promise((over) => setTimeout(over, 500));
      await request.continue();
      arrived();
    });
    await page.getByRole("link", { name: "Docs", exact: true }).click();
    await page.getByRole("link", { name: "Write", exact: true }).click();
    await late;
    await page.waitForTimeout(300);
    await expect.poll(() => page.title()).toBe("Write · Downhill lab");
    expect(await page.locator("h1").innerText()).toBe("Write your own");
    await page.getByRole("link", { name: "Docs", exact: true }).click();
    await expect.poll(() => page.locator("article h1").innerText()).toBe("Downhill");
    expect(complaints).toEqual([]);
  });

  test("one comes back to what was set", async () => {
    const { page, complaints } = await visit("#/race?surface=beale&steps=77");
    await page.getByRole("link", { name: "Train", exact: true }).click();
    await page.getByLabel("Epochs").fill("3");
    await page.getByRole("link", { name: "Race", exact: true }).click();
    await expect.poll(() => page.locator(".scrub").innerText()).toContain("of 77");
    expect(await page.getByLabel("Surface").inputValue()).toBe("beale");
    await page.getByRole("link", { name: "Train", exact: true }).click();
    await expect.poll(() => page.getByLabel("Epochs").inputValue()).toBe("3");
    await expect.poll(() => page.url()).toContain("#/train?epochs=3");
    // The name leads to where one begins.
    await page.getByRole("link", { name: "Downhill lab" }).click();
    await expect.poll(() => page.getByLabel("Surface").inputValue()).toBe("rosenbrock");
    expect(complaints).toEqual([]);
  });
});
