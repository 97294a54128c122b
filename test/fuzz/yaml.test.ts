import { fuzzTest } from "./suite.ts";
import { yaml } from "./targets/yaml.ts";

fuzzTest(() => yaml);
