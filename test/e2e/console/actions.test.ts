import { readFile, writeFile } from "node:fs/promises";
import type { Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Resource } from "../../../src/api/resource.ts";
import type { VmState } from "../../../src/protocol/generated/types.ts";
import { small, until } from "../rig.ts";
import { browserPath, ConsoleRig, openPage, violations, whyNoBrowser } from "./rig.ts";

const long = 240_000;
const machines = ["web", "db", "mail", "cache", "log"] as const;

describe.skipIf(browserPath === undefined)(`actions of the console${whyNoBrowser}`, { timeout: long }, () => {
  let rig: ConsoleRig;

  beforeAll(async () => {
    rig = await ConsoleRig.start({ manifests: small(...machines), factor: 0.02, hosts: ["hv1"] });
    await rig.rig.ready(1 + 3 * machines.length, 120_000);
  }, long);
  afterAll(() => rig.dispose());

  const object = (kind: string, name: string): Promise<Resource | undefined> => rig.rig.object(kind, name);
  const onHost = async (name: string): Promise<VmState | undefined> =>
    (await rig.rig.inventory("hv1")).vms.find((vm) => vm.name === name);
  const isOnHost = (name: string, state: VmState["state"]): Promise<void> =>
    until(`${name} is ${state}`, async () => (await onHost(name))?.state === state, 90_000);
  const file = (name: string): Promise<string> => readFile(rig.rig.path(`${name}.yaml`), "utf8");

  /** Opens the menu of a row (or of the object's page); the items in it. */
  const menu = async (page: Page, name: string): Promise<Locator> => {
    await page.getByRole("button", { name: `Actions for ${name}`, exact: true }).click();
    const open = page.getByRole("menu", { name: `Actions for ${name}`, exact: true });
    await open.getByRole("menuitem").first().waitFor();
    return open;
  };
  const choose = async (page: Page, name: string, title: string): Promise<void> => {
    await (await menu(page, name)).getByRole("menuitem", { name: title, exact: true }).click();
  };
  const list = async (page: Page, path: string): Promise<void> => {
    await page.goto(rig.address(path));
    await page.locator("tbody tr").first().waitFor();
  };

  it("shuts a machine down and starts it again, in the file and on the host", async () => {
    const { page } = await rig.page();
    await list(page, "/vms");
    const items = await menu(page, "web");
    const start = items.getByRole("menuitem", { name: /^Start/ });
    expect(await start.getAttribute("aria-disabled")).toBe("true");
    expect(await start.textContent()).toContain("It runs.");
    await items.getByRole("menuitem", { name: /^Shut down/ }).click();
    const dialog = page.getByRole("dialog", { name: "Shut down web?" });
    expect(await violations(page)).toEqual([]);
    await dialog.getByRole("button", { name: "Shut down" }).click();
    await dialog.waitFor({ state: "hidden" });
    expect((await object("VirtualMachine", "web"))?.spec).toMatchObject({ powerState: "Stopped" });
    expect(await file("web")).toContain("powerState: Stopped");
    await isOnHost("web", "Off");
    await page.getByRole("row", { name: /web/ }).getByText("Stopped").waitFor();
    await choose(page, "web", "Start");
    await isOnHost("web", "Running");
    expect(await file("web")).toContain("powerState: Running");
  });

  it("turns off, saves and restarts, each said before", async () => {
    const { page } = await rig.page();
    await page.goto(rig.address("/vms/default/db"));
    await choose(page, "db", "Turn off…");
    const off = page.getByRole("dialog", { name: "Turn off db?" });
    await off.getByText("what the guest has not written is lost").waitFor();
    await off.getByRole("button", { name: "Turn off" }).click();
    await isOnHost("db", "Off");
    expect((await object("VirtualMachine", "db"))?.spec).toMatchObject({
      powerState: "Stopped",
      shutdown: { mode: "TurnOff" },
    });
    await page.getByRole("main").getByText("Stopped").first().waitFor();
    await choose(page, "db", "Start");
    await isOnHost("db", "Running");
    await until("the console knows", async () => {
      const status = (await object("VirtualMachine", "db"))?.status as { powerState?: string };
      return status.powerState === "Running";
    });
    const before = (await onHost("db"))?.startedAt;
    await choose(page, "db", "Restart…");
    await page.getByRole("dialog", { name: "Restart db?" }).getByRole("button", { name: "Restart" }).click();
    await until("it began anew", async () => {
      const now = await onHost("db");
      return now?.state === "Running" && now.startedAt !== before;
    });
    await until("it is done", async () => {
      const { status } = (await object("VirtualMachine", "db")) ?? {};
      return (status as { powerState?: string }).powerState === "Running";
    });
    await choose(page, "db", "Save its state…");
    await page.getByRole("dialog", { name: "Save db?" }).getByRole("button", { name: "Save" }).click();
    await isOnHost("db", "Saved");
  });

  it("shows what waits before it is approved", async () => {
    const text = await file("mail");
    await writeFile(rig.rig.path("mail.yaml"), text.replace("cpu: { count: 2 }", "cpu: { count: 3 }"));
    const { page } = await rig.page();
    await page.goto(rig.address("/vms/default/mail"));
    await page.getByRole("button", { name: "Approve changes…" }).click();
    const dialog = page.getByRole("dialog", { name: "Approve the changes of mail?" });
    await dialog.getByText("spec.cpu.count").waitFor();
    await dialog.getByText("Restart", { exact: true }).waitFor();
    expect(await violations(page)).toEqual([]);
    expect((await onHost("mail"))?.cpu.count).toBe(2);
    await dialog.getByRole("button", { name: "Approve" }).click();
    await until("it has three", async () => (await onHost("mail"))?.cpu.count === 3, 90_000);
    await isOnHost("mail", "Running");
    await page.getByRole("button", { name: "Approve changes…" }).waitFor({ state: "detached" });
  });

  it("pauses an object's jobs and lets them go on", async () => {
    const { page } = await rig.page();
    await page.goto(rig.address("/disks/default/cache-system"));
    await choose(page, "cache-system", "Pause its jobs");
    const paused = async (): Promise<string | undefined> =>
      (await object("VirtualDisk", "cache-system"))?.metadata.annotations?.["aetherv.io/paused"];
    await until("it is paused", async () => (await paused()) === "true");
    await choose(page, "cache-system", "Resume its jobs");
    await until("it goes on", async () => (await paused()) === undefined);
  });

  it("does to all that are ticked what makes sense for each", async () => {
    const { page } = await rig.page();
    await list(page, "/vms");
    for (const name of ["cache", "log", "db"])
      await page.getByRole("checkbox", { name: `Select default/${name}` }).check();
    await page.getByRole("button", { name: "Actions for 3 chosen" }).click();
    await page.getByRole("menuitem", { name: /^Shut down… \(3\)/ }).waitFor();
    // One of them is saved already.
    await page.getByRole("menuitem", { name: /^Save its state… \(2\)/ }).click();
    const dialog = page.getByRole("dialog", { name: "Save 2 objects?" });
    await dialog.getByRole("listitem").first().waitFor();
    expect(await dialog.getByRole("listitem").allTextContents()).toEqual(["default/cache", "default/log"]);
    await dialog.getByRole("button", { name: "Save" }).click();
    await isOnHost("cache", "Saved");
    await isOnHost("log", "Saved");
  });

  it("gives a viewer every action with the reason why not, and an operator those of power", async () => {
    const viewer = await rig.page("viewer");
    await list(viewer.page, "/vms");
    const items = await menu(viewer.page, "web");
    for (const item of await items.getByRole("menuitem").all()) {
      expect(await item.getAttribute("aria-disabled")).toBe("true");
      expect(await item.textContent()).toMatch(/viewer/);
    }
    await items.getByRole("menuitem", { name: /^Shut down/ }).click({ force: true });
    expect(await viewer.page.getByRole("dialog").count()).toBe(0);
    const create = viewer.page.getByRole("button", { name: "New virtual machine" });
    expect(await create.getAttribute("aria-disabled")).toBe("true");
    const operator = await rig.page("operator");
    await list(operator.page, "/vms");
    const offered = await menu(operator.page, "web");
    expect(await offered.getByRole("menuitem", { name: /^Shut down/ }).getAttribute("aria-disabled")).toBeNull();
    expect(await offered.getByRole("menuitem", { name: /^Delete/ }).textContent()).toMatch(/operator/);
    expect(await offered.getByRole("menuitem", { name: /^Edit/ }).getAttribute("aria-disabled")).toBe("true");
  });

  it("deletes by the typed name alone, says what is kept, and brings a disk back from the trash", async () => {
    const { page } = await rig.page();
    await page.goto(rig.address("/vms/default/log"));
    await choose(page, "log", "Delete…");
    const machine = page.getByRole("dialog", { name: "Delete log?" });
    await machine.getByText("its disks stay with their own objects").waitFor();
    expect(await violations(page)).toEqual([]);
    const submit = machine.getByRole("button", { name: "Delete", exact: true });
    await machine.getByRole("textbox").fill("lo");
    expect(await submit.getAttribute("aria-disabled")).toBe("true");
    await machine.getByRole("textbox").press("Enter");
    await machine.getByRole("textbox").fill("log");
    await submit.click();
    await machine.waitFor({ state: "hidden" });
    await until("it is gone", async () => (await object("VirtualMachine", "log")) === undefined, 90_000);
    await until("on the host, too", async () => (await onHost("log")) === undefined, 90_000);
    expect(await object("VirtualDisk", "log-system")).toBeDefined();
    expect(await file("log")).not.toContain("kind: VirtualMachine");

    await page.goto(rig.address("/disks/default/log-system"));
    await choose(page, "log-system", "Delete…");
    const disk = page.getByRole("dialog", { name: "Delete log-system?" });
    await disk.getByText("the disk goes to the trash, kept 24h").waitFor();
    await disk.getByRole("textbox").fill("log-system");
    await disk.getByRole("button", { name: "Delete", exact: true }).click();
    await until("it is gone", async () => (await object("VirtualDisk", "log-system")) === undefined, 90_000);
    await page.goto(rig.address("/trash"));
    const [entry] = await rig.rig.client.trash();
    await page
      .getByRole("row", { name: /log-system/ })
      .getByRole("button", { name: "Restore log-system" })
      .click();
    await page.getByText("log-system is back:").waitFor();
    expect(await rig.rig.client.trash()).toEqual([]);
    const { disks } = await rig.rig.inventory("hv1");
    await until("its file is back", async () => {
      const now = disks.length > 0 ? (await rig.rig.inventory("hv1")).disks : [];
      return now.some(({ path }) => path.startsWith(entry?.originalPath.replace(/\.vhdx$/, "") ?? "none"));
    });
  });

  it("leaves a machine on its host when it is only to be forgotten", async () => {
    const { page } = await rig.page();
    await page.goto(rig.address("/vms/default/cache"));
    await choose(page, "cache", "Delete…");
    const dialog = page.getByRole("dialog", { name: "Delete cache?" });
    await dialog.getByRole("checkbox", { name: /Leave what it has/ }).check();
    await dialog.getByRole("textbox").fill("cache");
    await dialog.getByRole("button", { name: "Delete", exact: true }).click();
    await until("it is forgotten", async () => (await object("VirtualMachine", "cache")) === undefined, 90_000);
    expect((await onHost("cache"))?.state).toBe("Saved");
  });

  it("holds many deletions until somebody confirms them by name", async () => {
    const { page } = await rig.page();
    await list(page, "/disks");
    await page.getByRole("checkbox", { name: "Select all" }).check();
    const chosen = (await rig.rig.client.list("VirtualDisk")).length;
    await page.getByRole("button", { name: `Actions for ${chosen} chosen` }).click();
    await page.getByRole("menuitem", { name: `Delete… (${chosen})` }).click();
    const dialog = page.getByRole("dialog", { name: `Delete ${chosen} objects?` });
    await dialog.getByRole("textbox").fill(`delete ${chosen}`);
    await dialog.getByRole("button", { name: "Delete", exact: true }).click();
    await dialog.waitFor({ state: "hidden" });
    await list(page, "/adapters");
    await page.getByRole("checkbox", { name: "Select all" }).check();
    const adapters = (await rig.rig.client.list("NetworkAdapter")).length;
    await page.getByRole("button", { name: `Actions for ${adapters} chosen` }).click();
    await page.getByRole("menuitem", { name: `Delete… (${adapters})` }).click();
    const second = page.getByRole("dialog", { name: `Delete ${adapters} objects?` });
    await second.getByRole("textbox").fill(`delete ${adapters}`);
    await second.getByRole("button", { name: "Delete", exact: true }).click();
    await second.waitFor({ state: "hidden" });
    const held = async (): Promise<readonly Resource[]> =>
      [...(await rig.rig.client.list("VirtualDisk")), ...(await rig.rig.client.list("NetworkAdapter"))].filter(
        ({ status }) => (status as { deletionBatch?: string } | undefined)?.deletionBatch !== undefined,
      );
    // The number to type is that of all: none may join them any more.
    await until(
      "the guard holds them, all that it will",
      async () => {
        const count = (await held()).length;
        if (count <= 3) return false;
        await new Promise((resolve) => setTimeout(resolve, 2_000));
        return (await held()).length === count;
      },
      90_000,
    );
    const before = await held();
    const [one] = before;
    const kind = one?.kind ?? "";
    const name = one?.metadata.name ?? "";
    await page.goto(rig.address(`/${kind === "NetworkAdapter" ? "adapters" : "disks"}/default/${name}`));
    await choose(page, name, "Confirm the deletion…");
    const confirm = page.getByRole("dialog", { name: /deletions go\?$/ });
    await confirm.getByText("they may be a mistake").waitFor();
    const word = /Type (delete \d+) to confirm/.exec((await confirm.textContent()) ?? "")?.[1] ?? "";
    await confirm.getByRole("textbox").fill(word);
    await confirm.getByRole("button", { name: "Delete", exact: true }).click();
    await confirm.waitFor({ state: "hidden" });
    // A disk that a running machine has goes on waiting, for the machine: the guard has let all of them go.
    const batch = (one?.status as { deletionBatch?: string } | undefined)?.deletionBatch;
    const reasonOf = ({ status }: Resource): string | undefined =>
      (status as { conditions?: readonly { type: string; reason: string }[] }).conditions?.find(
        ({ type }) => type === "Stalled",
      )?.reason;
    for (const { kind: of, metadata } of before)
      await until(
        `${metadata.name} is let go`,
        async () => {
          const now = await object(of, metadata.name);
          if (now === undefined) return true;
          return (
            now.metadata.annotations?.["aetherv.io/confirm-delete"] === batch && reasonOf(now) !== "MassDeleteGuard"
          );
        },
        60_000,
      );
  });

  it("says so where a dialog's code is gone, as after an upgrade of the control plane", async () => {
    const { page } = await openPage(rig.browser, rig.url, await rig.token("admin"));
    await list(page, "/vms");
    await page.route("**/assets/ActionDialog-*", (route) => route.fulfill({ status: 404, body: "" }));
    await choose(page, "web", "Shut down…");
    await page.getByRole("dialog", { name: "Load the page again" }).waitFor();
  });

  it("raised no error in any page", () => expect(rig.faults).toEqual([]));
});
