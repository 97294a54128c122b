import { test } from "vitest";
import { shells } from "../unit/guest-linux/rig.ts";
import { fuzzTest } from "./suite.ts";
import { pool } from "./targets/pool.ts";

if (shells.some(({ name, there }) => name === "dash" && there)) fuzzTest(() => pool);
else test("the Linux agent's reader of pools", ({ skip }) => skip("no dash on this machine"));
