#!/usr/bin/env node
// kubectl asks it, by the name kubectl_complete-aetherv, for the words that may follow `kubectl aetherv`.
import { runProcess } from "./process.ts";

await runProcess("kubectl aetherv", ["__complete", "--", ...process.argv.slice(2)]);
// Cobra's ShellCompDirectiveNoFileComp.
process.stdout.write(":4\n");
