import { fileURLToPath } from "node:url";
import type { AgentProgram } from "../../../src/transports/local/process.ts";

const root = new URL("../../../", import.meta.url);

/** Node 24 of node_modules: the machine's own may be older and not run .ts files. */
export const node = fileURLToPath(new URL("node_modules/.bin/node", root));

/** The scripted agent of test/fixtures/agents in one of its modes. */
export const agentProgram = (mode: string): AgentProgram => ({
  command: node,
  args: [fileURLToPath(new URL("test/fixtures/agents/scripted.ts", root)), mode],
  sessionArgs: ["--session"],
});

export const simulatorProgramOf = (state: string, host: string): AgentProgram => ({
  command: node,
  args: [fileURLToPath(new URL("agents/simulator/main.ts", root)), "--state", state, "--host", host],
  sessionArgs: ["--session"],
});
