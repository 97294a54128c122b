import { fuzzTest } from "./suite.ts";
import { report } from "./targets/report.ts";

fuzzTest(() => report);
