import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { LocalTransport } from "./process.ts";

/** The simulator's program: beside the sources as .ts, in dist/ as .js. */
export const simulatorProgram = (): string => {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  const path = fileURLToPath(new URL(`../../../agents/simulator/main.${extension}`, import.meta.url));
  if (!existsSync(path)) throw new Error(`the simulator's program ${path} is missing: the installation is incomplete`);
  return path;
};

/** A simulated host whose state lies in the folder `state`; its agent runs under this same Node. */
export const simulatorTransport = (host: { readonly name: string; readonly state: string }): LocalTransport =>
  new LocalTransport({
    command: process.execPath,
    args: [simulatorProgram(), "--state", host.state, "--host", host.name],
    sessionArgs: ["--session"],
  });
