import type { Locator, Page } from "playwright-core";

/** A form as somebody fills it in; fields go by the path that the server has for them. */
export class Form {
  readonly page: Page;
  constructor(page: Page) {
    this.page = page;
  }

  static async open(page: Page, address: string): Promise<Form> {
    await page.goto(address);
    await page.locator("form.editor").waitFor();
    return new Form(page);
  }

  field(path: string): Locator {
    return this.page.locator(`[data-path="${path}"]`);
  }

  control(path: string): Locator {
    return this.field(path).locator("input, select, textarea").first();
  }

  /** Opens the section of this title. */
  async section(title: string): Promise<void> {
    const heading = this.page.getByRole("heading", { name: title, exact: true });
    const details = this.page.locator("details.section", { has: heading });
    if ((await details.getAttribute("open")) === null) await heading.click();
  }

  async fill(path: string, text: string): Promise<void> {
    await this.control(path).fill(text);
  }

  async select(path: string, value: string): Promise<void> {
    await this.control(path).selectOption(value);
  }

  async switch(path: string, on: boolean): Promise<void> {
    await this.control(path).setChecked(on);
  }

  /** One of the ways that exclude each other, by its words. */
  async choose(path: string, words: string): Promise<void> {
    await this.field(path).getByRole("radio", { name: words }).check();
  }

  /** A size as people type it: the number, and its unit by itself. */
  async size(path: string, text: string): Promise<void> {
    const [, amount = "", unit = ""] = /^(\d+)(Mi|Gi|Ti)$/.exec(text) ?? [];
    await this.field(path).locator("select").selectOption(unit);
    await this.fill(path, amount);
  }

  /** Adds one to a list of texts, or a row of name and value. */
  async add(path: string, ...texts: readonly string[]): Promise<void> {
    const field = this.field(path);
    await field.getByRole("button", { name: /^Add/ }).click();
    const inputs = field.locator(".with-unit").last().locator("input");
    for (const [index, text] of texts.entries()) await inputs.nth(index).fill(text);
  }

  async save(): Promise<void> {
    await this.page.getByRole("button", { name: /^(Save|Create)$/ }).click();
  }

  /** Saves, and waits until the page of the object is shown. */
  async saved(path: string): Promise<void> {
    await this.save();
    await this.page.waitForURL(`**${path}`);
  }

  /** What stands at a field against its value. */
  async faultAt(path: string): Promise<string> {
    return (await this.field(path).locator("p.error").textContent()) ?? "";
  }

  get plan(): Locator {
    return this.page.locator("aside .plan");
  }
}
