import { fuzzTest } from "./suite.ts";
import { replies } from "./targets/replies.ts";

fuzzTest(() => replies);
