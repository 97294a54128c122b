import { writeFile } from "node:fs/promises";
import { afterEach, expect, it } from "vitest";
import type { VirtualMachine } from "../../src/api/generated/types.ts";
import { Rig, small, until } from "./rig.ts";

let rig: Rig | undefined;
afterEach(() => rig?.dispose());

const guest = `
  guest:
    localAdministrator: { name: operator, passwordSecretRef: { name: web-admin, key: password } }`;

const secret = (password: string): string =>
  `apiVersion: v1\nkind: Secret\nmetadata: { name: web-admin }\nstringData: { password: ${password} }\n`;

it(
  "a rotated Secret reaches a running guest before Secrets would be read again anyway",
  { timeout: 200_000 },
  async () => {
    const files = small("web");
    const web = files["web.yaml"]?.replace("\n---", `${guest}\n---`) ?? "";
    const plane = await Rig.make({ manifests: { ...files, "web.yaml": web }, hosts: ["hv1"] });
    rig = plane;
    const declare = (password: string) => writeFile(plane.path("secret.yaml"), secret(password), { mode: 0o600 });
    const applied = (generation: number): Promise<void> =>
      until(
        `generation ${generation} is applied`,
        async () => {
          const vm = (await plane.object("VirtualMachine", "web")) as VirtualMachine | undefined;
          return vm?.status?.guest?.appliedGeneration === generation;
        },
        // They are read every five minutes.
        90_000,
      );
    await declare("first-password");
    await plane.start();
    await applied(1);
    await declare("second-password");
    await applied(2);
    expect(plane.said).not.toContain("-password");
  },
);
