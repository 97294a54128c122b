import { join } from "node:path";

/** What lies in a data folder. */
export const dataPaths = (data: string) => ({
  store: join(data, "store"),
  journal: join(data, "journal"),
  socket: join(data, "aetherv.sock"),
  log: join(data, "aetherv.log"),
  signer: join(data, "signer.json"),
  /** State of one simulated host. */
  simulated: (host: string) => join(data, "simulated", host),
});
