#!/usr/bin/env node
import { runCli } from "../cli/program.ts";
import { processContext } from "./context.ts";

const ending = new AbortController();
let asked = 0;
for (const name of ["SIGINT", "SIGTERM"] as const)
  process.on(name, () => {
    ending.abort();
    asked += 1;
    // Who asks three times means it.
    if (asked >= 3) process.exit(130);
  });
// A closed pipe (`aetherv get all | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

process.exitCode = await runCli(process.argv.slice(2), processContext(process.env, ending.signal));
