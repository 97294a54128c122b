import { rm, writeFile } from "node:fs/promises";
import { describe } from "vitest";
import { keyText } from "../../../src/api/resource.ts";
import { apiVersion } from "../../../src/api/kinds.ts";
import { storeContract } from "../../contract/store.ts";
import { FolderRig } from "./rig.ts";

describe("file store", () => {
  storeContract(async () => {
    const rig = await FolderRig.make();
    const store = await rig.start();
    const fileOf = (key: { kind: string; namespace: string; name: string }): string =>
      rig.path(`${keyText(key).replaceAll("/", "_")}.yaml`);
    // One document that stays: an emptied folder is no deletion.
    await rig.write("stays.yaml", `{apiVersion: v1, kind: Secret, metadata: {name: stays}}`, 0o600);
    return {
      store,
      async apply(manifest) {
        const { kind, metadata } = manifest;
        const namespace = kind === "VMHost" ? "" : (metadata.namespace ?? "default");
        await writeFile(fileOf({ kind, namespace, name: metadata.name }), JSON.stringify({ apiVersion, ...manifest }));
        await store.sweep();
      },
      async remove(key) {
        await rm(fileOf(key));
        await rig.pass();
      },
      writes: () => store.counters.objects,
      close: () => Promise.resolve(),
    };
  });
});
