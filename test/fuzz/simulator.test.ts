import { fuzzTest } from "./suite.ts";
import { simulator } from "./targets/simulator.ts";

fuzzTest(() => simulator);
