#!/usr/bin/env node
import { runProcess } from "./process.ts";

await runProcess("aetherv", process.argv.slice(2));
