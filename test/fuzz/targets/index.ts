import type { Target } from "../fuzzer.ts";
import { pool } from "./pool.ts";
import { replies } from "./replies.ts";
import { report } from "./report.ts";
import { simulator } from "./simulator.ts";
import { yaml } from "./yaml.ts";

/** What needs nothing but this process (and a shell). */
export const targets: readonly Target[] = [yaml, replies, simulator, report, pool];
