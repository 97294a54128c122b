import { join } from "node:path";

/** What lies in a data folder. */
export const dataPaths = (data: string) => ({
  store: join(data, "store"),
  journal: join(data, "journal"),
  socket: join(data, "aetherv.sock"),
  log: join(data, "aetherv.log"),
  /** The admin's token for the console. */
  consoleToken: join(data, "console-token"),
  /** Tokens of other people and machines. */
  consoleTokens: join(data, "console-tokens.json"),
  signer: join(data, "signer.json"),
  /** State of one simulated host. */
  simulated: (host: string) => join(data, "simulated", host),
});
