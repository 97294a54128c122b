#!/usr/bin/env node
import { runCli } from "../cli/program.ts";
import { processContext } from "./context.ts";

const ending = new AbortController();
let isRun = false;
let asked = 0;
for (const [name, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  process.on(name, () => {
    ending.abort();
    asked += 1;
    // A control plane waits for its jobs; who asks three times means it. Whatever else still works by now is not waited for.
    if (asked >= 3) process.exit(code);
    if (!isRun) setTimeout(() => process.exit(code), 500).unref();
  });
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    // A closed pipe (`aetherv get all | head`) is no failure; nor does it end a control plane.
    if (!isRun) process.exit(0);
  });

const context = processContext(process.env, ending.signal, () => (isRun = true));
process.exitCode = await runCli(process.argv.slice(2), context);
