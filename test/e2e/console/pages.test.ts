import { rm, writeFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { until } from "../rig.ts";
import { browserPath, ConsoleRig, violations, type View } from "./rig.ts";

const long = 240_000;
const hostile = `<img src=x onerror="document.title='pwned'">`;

/** What is written into objects must come out as text, wherever it is shown. */
const hostileMachine = `
apiVersion: aetherv.io/v1alpha1
kind: VirtualMachine
metadata:
  name: hostile-with-a-very-long-name-that-goes-on-until-no-more-fits
  labels: { tier: odd }
spec:
  host: hv1
  notes: '${hostile.replaceAll("'", "''")}'
  cpu: { count: 1 }
  memory: { startup: 512Mi }
  powerState: Stopped
---
apiVersion: aetherv.io/v1alpha1
kind: VirtualDisk
metadata: { name: broken }
spec:
  host: hv1
  source: { type: Image, image: no-such-image }
`;

const pages = [
  ["/", "Overview"],
  ["/hosts", "Hosts"],
  ["/hosts/hv1", "hv1"],
  ["/hosts/hv1?tab=inventory", "hv1"],
  ["/hosts/hv1?tab=machines", "hv1"],
  ["/hosts/hv1?tab=history", "hv1"],
  ["/vms", "Virtual machines"],
  ["/vms/default/web", "web"],
  ["/vms/default/web?tab=hardware", "web"],
  ["/vms/default/web?tab=disks", "web"],
  ["/vms/default/web?tab=adapters", "web"],
  ["/vms/default/web?tab=guest", "web"],
  ["/vms/default/web?tab=pending", "web"],
  ["/vms/default/web?tab=history", "web"],
  ["/vms/default/web?tab=yaml", "web"],
  ["/vms/default/hostile-with-a-very-long-name-that-goes-on-until-no-more-fits", "hostile-with-a-very-long-name"],
  ["/disks", "Disks"],
  ["/disks/default/web-system", "web-system"],
  ["/disks/default/broken", "broken"],
  ["/adapters", "Network adapters"],
  ["/adapters/default/web-lan", "web-lan"],
  ["/deployments", "Deployments"],
  ["/deployments/default/shop", "shop"],
  ["/deployments/default/shop?tab=parts", "shop"],
  ["/topology", "Topology"],
  ["/jobs", "Jobs"],
  ["/events", "Events"],
] as const;

const views: readonly (readonly [string, View])[] = [
  ["light", { theme: "light" }],
  ["dark", { theme: "dark" }],
  ["a phone", { theme: "light", width: 390, height: 844 }],
];

/** Goes to a page as a link does, without loading everything again. */
const go = (page: Page, path: string): Promise<unknown> =>
  page.evaluate(`history.pushState(null, "", ${JSON.stringify(path)}); dispatchEvent(new PopStateEvent("popstate"))`);

const homeOf = async (machine: string, { rig }: ConsoleRig): Promise<string> => {
  const status = (await rig.object("VirtualMachine", machine))?.status as { host?: string } | undefined;
  if (status?.host === undefined) throw new Error(`${machine} has no host`);
  return status.host;
};

describe("pages of the console", { timeout: long }, () => {
  let console_: ConsoleRig;

  beforeAll(async () => {
    if (browserPath === undefined) return;
    // Documents that go missing stay so for the whole test.
    console_ = await ConsoleRig.start({ factor: 0.02 }, "--deletion-delay", "1h");
    await console_.rig.ready(undefined, 150_000);
    await writeFile(console_.rig.path("hostile.yaml"), hostileMachine);
    await console_.rig.admin("add-vm", "hv1", hostile);
    await until(
      "the hostile objects are seen",
      async () => {
        const host = await console_.rig.object("VMHost", "hv1");
        const disk = await console_.rig.object("VirtualDisk", "broken");
        return JSON.stringify(host?.status).includes("<img") && JSON.stringify(disk?.status ?? "").includes("Stalled");
      },
      60_000,
    );
  }, long);
  afterAll(async () => console_?.dispose(), 60_000);
  beforeEach((context) => {
    if (browserPath === undefined) context.skip("no chromium on this machine");
  });

  describe.each(views)("in %s", (_, view) => {
    it("shows every page without an error, with nothing that axe calls serious, and takes text for text", async () => {
      const { page, faults } = await console_.page("viewer", view);
      await page.goto(console_.address("/"));
      const found: string[] = [];
      for (const [path, heading] of pages) {
        await go(page, path);
        await page.getByRole("heading", { level: 1, name: heading }).waitFor();
        await until("the content is there", async () => (await page.locator(".skeleton").count()) === 0);
        found.push(...(await violations(page)).map((violation) => `${path}: ${violation}`));
        expect(await page.locator("main img").count(), `${path}: an image of somebody's text`).toBe(0);
        const wide = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth");
        expect(wide, `${path}: wider than the window`).toBe(0);
      }
      expect(found).toEqual([]);
      expect(faults).toEqual([]);
      await page.context().close();
    });
  });

  it("shows hostile names as they are", async () => {
    const { page, faults } = await console_.page("viewer");
    await page.goto(console_.address("/hosts/hv1?tab=machines"));
    await page.getByRole("cell", { name: hostile, exact: true }).waitFor();
    await page.goto(console_.address("/vms/default/hostile-with-a-very-long-name-that-goes-on-until-no-more-fits"));
    await page.getByText(hostile, { exact: true }).waitFor();
    expect(await page.title()).not.toContain("pwned");
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it("lists what needs attention: refused and missing documents, stalled objects, offline hosts, changes that wait", async () => {
    const { rig } = console_;
    // Either host may have got the machine: the other one goes away.
    const home = await homeOf("web", console_);
    const away = home === "hv1" ? "hv2" : "hv1";
    await rig.edit("web.yaml", "count: 2", "count: 3");
    await rm(rig.path("legacy.yaml"));
    await writeFile(
      rig.path("bad.yaml"),
      "apiVersion: aetherv.io/v1alpha1\nkind: VirtualMachine\nmetadata: { name: bad }\nspec: {}\n",
    );
    await rig.admin("offline", away);
    const { page, faults } = await console_.page("admin");
    await page.goto(console_.address("/"));
    const panel = page.getByRole("region", { name: "Needs attention" });
    for (const text of [/bad\.yaml:/, "Document missing", "disk broken", "Offline", "Awaits approval"])
      await panel.getByText(text).first().waitFor({ timeout: 60_000 });

    await panel.getByRole("link", { name: "virtual machine web" }).click();
    await page.getByRole("tab", { name: /Pending changes/ }).click();
    expect(new URL(page.url()).searchParams.get("tab")).toBe("pending");
    const changes = page.getByRole("region", { name: "Changes" });
    await changes.getByText("spec.cpu.count").waitFor();
    await page.getByText("Needs the machine off: it is shut down, changed and started again.").waitFor();
    await changes.getByRole("button", { name: "Approve…" }).click();
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /Approve/ })
      .click();
    // It is shut down, changed and started meanwhile.
    await page.getByText("Nothing waits").waitFor({ timeout: 180_000 });
    const { vms } = await rig.inventory(home);
    expect(vms.find(({ name }) => name === "web")?.cpu.count).toBe(3);
    await rig.admin("online", away);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it("takes an approval while the host is away, says what it waits for, and the loop makes the change once it is back", async () => {
    const { rig } = console_;
    const home = await homeOf("web", console_);
    await rig.edit("web.yaml", "count: 3", "count: 4");
    const { page, faults } = await console_.page("admin");
    await page.goto(console_.address("/vms/default/web?tab=pending"));
    const changes = page.getByRole("region", { name: "Changes" });
    await changes.getByText("spec.cpu.count").waitFor();
    await rig.admin("offline", home);
    await page.getByText("Unknown", { exact: true }).waitFor();
    await page.getByText(/does not answer: .* it said last: the simulated host is offline$/).waitFor();
    await changes.getByRole("button", { name: "Approve…" }).click();
    await page
      .getByRole("dialog")
      .getByRole("button", { name: /Approve/ })
      .click();
    await page.getByText("Approved: they are made as soon as the host answers.").waitFor();
    expect(await changes.getByRole("button", { name: "Approve…" }).isDisabled()).toBe(true);
    expect(await violations(page)).toEqual([]);
    await rig.admin("online", home);
    await page.getByText("Nothing waits").waitFor({ timeout: 120_000 });
    const { vms } = await rig.inventory(home);
    expect(vms.find(({ name }) => name === "web")?.cpu.count).toBe(4);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it("shows a change on a host within a second of the control plane knowing it", async () => {
    const { page, faults } = await console_.page("viewer");
    await page.goto(console_.address("/hosts/hv1?tab=machines"));
    await page.getByRole("cell", { name: hostile, exact: true }).waitFor();
    // The page's own clock tells both moments: when a second stream says it, when it can be read.
    await page.evaluate(`{
      const seen = (window.seen = { told: 0, shown: 0 });
      new EventSource("/v1/watch?kinds=VMHost").onmessage = ({ data }) => {
        if (seen.told === 0 && data.includes("newcomer")) seen.told = performance.now();
      };
      new MutationObserver(() => {
        if (seen.shown === 0 && document.body.textContent.includes("newcomer")) seen.shown = performance.now();
      }).observe(document.body, { subtree: true, childList: true, characterData: true });
    }`);
    await console_.rig.admin("add-vm", "hv1", "newcomer");
    await page.getByRole("cell", { name: "newcomer", exact: true }).waitFor();
    const seen = (): Promise<{ told: number; shown: number }> => page.evaluate("window.seen");
    await until("both were told", async () => (await seen()).told > 0 && (await seen()).shown > 0);
    const { told, shown } = await seen();
    expect(shown - told).toBeLessThan(1000);
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it("follows a deployment step by step, and its clone's progress", async () => {
    const { rig } = console_;
    for (const host of ["hv1", "hv2"]) await rig.admin("latency", host, "1");
    const { page, faults } = await console_.page("viewer");
    const jobs = await page.context().newPage();
    await jobs.goto(console_.address("/jobs"));
    await page.goto(console_.address("/deployments/default/watched"));
    await page.getByText("There is no deployment watched").waitFor();
    await writeFile(
      rig.path("watched.yaml"),
      `
apiVersion: aetherv.io/v1alpha1
kind: ManagedDeployment
metadata: { name: watched }
spec:
  virtualMachine:
    osFamily: Linux
    cpu: { count: 1 }
    memory: { startup: 512Mi }
    boot: { order: [{ type: Disk, name: system }] }
  disks:
    - { name: system, spec: { source: { type: Image, image: windows-server-2025 } } }
  networkAdapters: []
`,
    );
    const steps = page.getByRole("list", { name: "Steps" });
    await steps.getByRole("listitem").filter({ hasText: "Disks" }).filter({ hasText: "Active" }).waitFor();
    // A clone of 11 GiB takes some seconds on this host: its percentage moves on both pages.
    const row = jobs.getByRole("row").filter({ hasText: "watched-system" }).first();
    await row.locator("progress[value]").first().waitFor();
    await row.getByRole("link").first().click();
    await jobs.getByRole("heading", { level: 1 }).filter({ hasText: "disk" }).waitFor();
    await jobs.getByText("Running", { exact: true }).first().waitFor();
    await jobs.getByText("Done", { exact: true }).first().waitFor({ timeout: 90_000 });
    await steps
      .getByRole("listitem")
      .filter({ hasText: "Virtual machine" })
      .filter({ hasText: "Done" })
      .waitFor({ timeout: 90_000 });
    for (const host of ["hv1", "hv2"]) await rig.admin("latency", host, "0.02");
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it("finds everything from the keyboard, and moves the focus to what it found", async () => {
    const { page, faults } = await console_.page("viewer");
    await page.goto(console_.address("/vms"));
    await page.getByRole("link", { name: "web", exact: true }).waitFor();
    await page.keyboard.press("/");
    const search = page.getByRole("combobox", { name: "Search pages and objects" });
    await search.fill("db-data");
    await page
      .getByRole("option", { name: /db-data/ })
      .first()
      .waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "db-data" }).waitFor();
    expect(new URL(page.url()).pathname).toBe("/disks/default/db-data");
    expect(await page.evaluate("document.activeElement.tagName")).toBe("H1");
    expect(await page.title()).toBe("db-data – AetherV");

    await page.keyboard.press("Control+k");
    await search.fill("no such thing at all");
    await page.getByText("Nothing found").waitFor();
    await page.keyboard.press("Escape");
    await search.waitFor({ state: "detached" });
    await page.goBack();
    await page.getByRole("heading", { level: 1, name: "Virtual machines" }).waitFor();

    await page.goto(console_.address("/vms/default/web"));
    await page.getByRole("tab", { name: "Overview" }).focus();
    await page.keyboard.press("ArrowRight");
    expect(await page.getByRole("tab", { name: "Hardware" }).getAttribute("aria-selected")).toBe("true");
    expect(await page.evaluate("document.activeElement.textContent.trim()")).toBe("Hardware");

    await page.goto(console_.address("/topology"));
    const node = page.getByRole("link", { name: /web-data/ });
    await node.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "web-data" }).waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it("keeps filter and order in the address", async () => {
    const { page, faults } = await console_.page("viewer");
    await page.goto(console_.address("/disks?q=data&sort=-size"));
    const names = async (): Promise<readonly string[]> => page.locator("tbody a.name").allTextContents();
    await until("two rows are shown", async () => (await names()).length === 3);
    expect(await names()).toEqual(["db-data", "web-data", "shop-data"]);
    await page.getByRole("button", { name: "Name" }).click();
    expect(await names()).toEqual(["db-data", "shop-data", "web-data"]);
    expect(await page.getByRole("columnheader", { name: "Name" }).getAttribute("aria-sort")).toBe("ascending");
    await page.getByRole("combobox", { name: "Host" }).selectOption({ index: 1 });
    const { searchParams } = new URL(page.url());
    expect([searchParams.get("q"), searchParams.get("sort"), searchParams.get("host")]).toEqual([
      "data",
      "name",
      "hv1",
    ]);
    await page.reload();
    await until("the same rows come back", async () => (await names()).length > 0);
    expect(await page.getByRole("searchbox").inputValue()).toBe("data");
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it("tells a viewer why nothing can be made here", async () => {
    const { page, faults } = await console_.page("viewer");
    await page.goto(console_.address("/vms"));
    const button = page.getByRole("button", { name: "New virtual machine" });
    expect(await button.getAttribute("aria-disabled")).toBe("true");
    expect(await button.getAttribute("title")).toMatch(/viewer/);
    await button.click({ force: true });
    expect(new URL(page.url()).pathname).toBe("/vms");
    expect(faults).toEqual([]);
    await page.context().close();
  });

  it("asks for a new login over the page when the session ends, and goes on where it was", async () => {
    const { page, context } = await console_.page("admin");
    await page.goto(console_.address("/vms?q=web"));
    await page.getByRole("link", { name: "web", exact: true }).waitFor();
    await page.getByRole("link", { name: "web", exact: true }).click();
    await page.getByRole("tab", { name: "YAML" }).click();
    await page.getByRole("region", { name: "Manifest" }).getByText("kind: VirtualMachine").waitFor();
    await context.clearCookies();
    await page.getByRole("radio", { name: "Everything (JSON)" }).check();
    const dialog = page.getByRole("dialog", { name: "Your session has ended" });
    await dialog.getByLabel(/Access token/).fill("wrong");
    await dialog.getByRole("button", { name: "Log in" }).click();
    await dialog.getByText("This token is not accepted.").waitFor();
    await dialog.getByLabel(/Access token/).fill(await console_.token("admin"));
    await dialog.getByRole("button", { name: "Log in" }).click();
    await dialog.waitFor({ state: "hidden" });
    // The request that was refused has been made again, and the page is where it was.
    await page.getByRole("region", { name: "Manifest" }).getByText('"observedGeneration"').first().waitFor();
    expect(await page.getByRole("tab", { name: "YAML" }).getAttribute("aria-selected")).toBe("true");
    await page.goBack();
    expect(await page.getByRole("searchbox").inputValue()).toBe("web");
    await page.context().close();
  });

  it("says that the connection is lost, and takes it up again with what changed meanwhile", async () => {
    const { page } = await console_.page("viewer");
    await page.goto(console_.address("/hosts/hv1?tab=machines"));
    await page.getByRole("cell", { name: hostile, exact: true }).waitFor();
    await page.route("**/v1/watch*", (route) => route.abort());
    const { port } = new URL(console_.url);
    await console_.rig.stop();
    await page.getByText("Connection lost.").waitFor();
    await page.getByRole("cell", { name: hostile, exact: true }).waitFor();
    await console_.rig.start("--deletion-delay", "1h", "--console-address", `127.0.0.1:${port}`);
    await console_.rig.admin("add-vm", "hv1", "meanwhile");
    await page.unroute("**/v1/watch*");
    await page.getByRole("button", { name: "Connect now" }).click();
    // Sessions do not outlive the process: the login comes over the page.
    const dialog = page.getByRole("dialog", { name: "Your session has ended" });
    await dialog.getByLabel(/Access token/).fill(await console_.token("viewer"));
    await dialog.getByRole("button", { name: "Log in" }).click();
    await page.getByRole("cell", { name: "meanwhile", exact: true }).waitFor();
    await page.getByText("Connection lost.").waitFor({ state: "detached" });
    await page.context().close();
  });

  it("logs in by the link that `aetherv console` prints, and takes the token out of the address", async () => {
    const context = await console_.browser.newContext();
    const page = await context.newPage();
    await page.goto(console_.address("/vms"));
    await page.getByLabel(/Access token/).waitFor();
    await page.goto(console_.address(`/login#token=${await console_.token("admin")}`));
    await page.getByRole("heading", { level: 1, name: "Overview" }).waitFor();
    expect(page.url()).toBe(console_.address("/"));
    await page.getByRole("button", { name: /Account/ }).click();
    await page.getByRole("menuitem", { name: "Log out" }).click();
    await page.getByLabel(/Access token/).waitFor();
    await context.close();
  });

  it("looks as asked for, and keeps that", async () => {
    const { page } = await console_.page("viewer");
    await page.goto(console_.address("/"));
    const theme = (): Promise<unknown> => page.evaluate("document.documentElement.dataset.theme");
    expect(await theme()).toBe("light");
    await page.getByRole("button", { name: "Colours" }).click();
    await page.getByRole("menuitemradio", { name: "Dark" }).click();
    expect(await theme()).toBe("dark");
    await page.reload();
    await page.getByRole("heading", { level: 1 }).waitFor();
    expect(await theme()).toBe("dark");
    await page.context().close();
  });
});
