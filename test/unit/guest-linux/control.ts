import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { KvpItem } from "../../../src/guest/format.ts";
import { configItems, sha256Hex } from "../../../src/guest/format.ts";
import { guestKeyOf } from "../../../src/guest/keys.ts";
import { payloadText } from "../../../src/guest/payload.ts";
import type { Line } from "../../../src/guest/payload.ts";
import { reportOf } from "../../../src/guest/report.ts";
import { seal } from "../../../src/guest/seal.ts";
import { openSigner, signerItems } from "../../../src/guest/signer.ts";
import type { Keys } from "../../../scripts/guest/keys.ts";
import { poolFile, poolItems, repository } from "./rig.ts";

const keys = JSON.parse(readFileSync(join(repository, "test/fixtures/guest/keys.json"), "utf8")) as Keys;

export const vmId = "7f2c5a86-9d1e-4b3a-8f60-0d9be1c47a52";

/** Pool 3 as the host fills it. */
export const parameters = (id = vmId): Buffer =>
  poolFile([
    { key: "HostName", value: "hv1" },
    { key: "VirtualMachineId", value: id.toUpperCase() },
  ]);

/** What the guest reports in the bytes of its pool file, as the control plane reads it; undefined while nothing whole is there. */
export const heard = (pool: Buffer) => {
  if (pool.length % 2560 !== 0) return undefined;
  const found = reportOf(Object.fromEntries(poolItems(pool).map(({ key, value }) => [key, value])));
  return found.at === "heard" ? found.report : undefined;
};

interface Sealing {
  /** The signer, a name in keys.json. */
  readonly by?: "one" | "two";
  readonly vm?: string;
}

/** Seals a configuration for the key that a guest published; the items of pool 0. */
export const sealedItems = async (
  spki: string,
  generation: number,
  lines: readonly Line[],
  { by = "one", vm = vmId }: Sealing = {},
): Promise<{ readonly items: readonly KvpItem[]; readonly hash: string }> => {
  const key = guestKeyOf(spki);
  if (!key) throw new Error("the guest published no key");
  const signer = await openSigner({ ...keys.signers[by], digestKey: btoa("d".repeat(32)), handovers: [] });
  const head: readonly Line[] = [
    ["format", "1"],
    ["vm", vm],
    ["generation", String(generation)],
    ["os", "Linux"],
  ];
  const sealed = await seal(signer, { vmId: vm, generation, key }, payloadText([...head, ...lines]));
  return { items: [...signerItems(signer), ...configItems(generation, sealed)], hash: sha256Hex(sealed) };
};
