#!/usr/bin/env node
// `kubectl aetherv`: kubectl finds it on the PATH by the name kubectl-aetherv.
import { runProcess } from "./process.ts";

await runProcess("kubectl aetherv", process.argv.slice(2));
