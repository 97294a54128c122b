/** Loaded before everything else (`--import`): changes the sources that a plant names as they are read. */
import { registerHooks } from "node:module";
import { planted } from "./planted.ts";
import { plants } from "./plants.ts";

const name = new URL(import.meta.url).search.slice(1);
const plant = plants.find((one) => one.name === name);
if (!plant) throw new Error(`there is no plant ${name}; there are: ${plants.map((one) => one.name).join(", ")}`);
const root = new URL("../../../", import.meta.url).href;

registerHooks({
  load(url, context, next) {
    const loaded = next(url, context);
    const changes = plant.changes.filter(({ file }) => url === root + file);
    if (changes.length === 0 || loaded.source === undefined || loaded.source === null) return loaded;
    const source = typeof loaded.source === "string" ? loaded.source : new TextDecoder().decode(loaded.source);
    return { ...loaded, source: planted(source, changes) };
  },
});
