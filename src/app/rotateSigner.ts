import type { SignerReport } from "../cli/clusterTools.ts";
import { requireSigner, rotateFileSigner } from "./signer.ts";
import { dataPaths } from "./paths.ts";
import { openStore } from "./plane.ts";

/** Changes a data folder's key that signs guest configurations, with the folder locked: a control plane at work would go on with the old one. */
export const rotateSigner = async (data: string): Promise<SignerReport> => {
  const { signer } = dataPaths(data);
  // First, so that a wrong folder is not made.
  await requireSigner(signer);
  const lock = await openStore(data);
  try {
    return await rotateFileSigner(signer);
  } finally {
    await lock.close();
  }
};
