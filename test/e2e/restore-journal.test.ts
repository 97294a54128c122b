import { rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Rig, small, until } from "./rig.ts";

let rig: Rig;

beforeEach(async () => {
  rig = await Rig.make({ manifests: small("web"), hosts: ["hv1"] });
});
afterEach(() => rig.dispose());

it(
  "fetches the ends of jobs from the agents when the journal was lost, and does nothing again",
  { timeout: 120_000 },
  async () => {
    await rig.start();
    await rig.ready(4);
    const before = await rig.jobs();
    const machine = (await rig.inventory("hv1")).vms.map(({ id, startedAt }) => ({ id, startedAt }));
    await rig.stop();
    // As an emptyDir that went with its pod.
    await rm(join(rig.data, "journal"), { recursive: true });
    await rig.start();
    await rig.ready(4);
    await until("the journal tells of the machine's and the disk's making", async () => {
      const made = (await rig.jobs()).map(({ id, operation, key, status }) => ({
        id,
        operation,
        name: key.name,
        status,
      }));
      if (["vm.create", "disk.clone"].every((operation) => made.some((one) => one.operation === operation)))
        return true;
      throw new Error(JSON.stringify(made));
    });
    const after = await rig.jobs();
    for (const { id, operation, status, host, uid } of after)
      expect(before.find((one) => one.id === id)).toMatchObject({
        operation,
        status,
        host,
        ...(/^nic|attach/.test(operation) ? {} : { uid }),
      });
    expect((await rig.inventory("hv1")).vms.map(({ id, startedAt }) => ({ id, startedAt }))).toEqual(machine);
  },
);
