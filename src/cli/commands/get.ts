import { Command, Option } from "commander";
import { kinds, type KindInfo } from "../../api/kinds.ts";
import { keyOf, keyText, type Key, type Resource } from "../../api/resource.ts";
import { ControlError, type ControlPlane } from "../../server/control.ts";
import { withControl, type Tools } from "../context.ts";
import { existing, keysTyped, keyShort, kindTyped } from "../names.ts";
import { headersOf, rowOf, type RowOptions } from "../print/objects.ts";
import { columnWidths, line, table } from "../print/table.ts";
import { documentsToYaml, toJson, toYaml } from "../print/yaml.ts";

interface Options {
  readonly output?: "wide" | "yaml" | "json" | "name";
  readonly watch?: true;
  readonly allNamespaces?: true;
}

const examples = `
Examples:
  aetherv get all                    every kind
  aetherv get avm                    virtual machines (also: vm, virtualmachine, VirtualMachine)
  aetherv get avm web -o yaml        one object with its status
  aetherv get avd,avn -o wide        disks and adapters, all columns
  aetherv get avm --watch            as they change`;

/** `aetherv get`: objects as tables, YAML or JSON. */
export const getCommand = (tools: Tools): Command =>
  new Command("get")
    .description("List objects of one or more kinds, or show single ones")
    .argument("<what>", "kind (short names too), several with commas, KIND/NAME, or all")
    .argument("[names...]", "names of single objects")
    .addOption(new Option("-o, --output <format>", "how to print").choices(["wide", "yaml", "json", "name"]))
    .option("-w, --watch", "go on printing changes until interrupted")
    .option("-A, --all-namespaces", "objects of all namespaces")
    .addHelpText("after", examples)
    .action((what: string, names: string[], options: Options) =>
      // Of a store that is only read, nothing would ever change.
      withControl(tools.context[options.watch ? "connectRunning" : "connect"](tools.where()), (control) =>
        get(tools, control, selection(what, names), options),
      ),
    );

type Selection = { readonly kinds: readonly KindInfo[] } | { readonly words: readonly string[] };

const isAll = (what: string): boolean => what === "all" || what === "aetherv";

const selection = (what: string, names: readonly string[]): Selection => {
  if (isAll(what) && names.length > 0)
    throw new ControlError("Invalid", `"${what}" takes no names`, `give KIND/NAME, as vm/${names[0]}`);
  if (names.length > 0 || what.includes("/")) return { words: [what, ...names] };
  if (isAll(what)) return { kinds };
  return { kinds: what.split(",").map(kindTyped) };
};

const get = async (tools: Tools, control: ControlPlane, selected: Selection, options: Options): Promise<void> => {
  const objects = await find(tools, control, selected, options);
  print(tools, objects, selected, options);
  if (options.watch) await follow(tools, control, { first: objects, options, selected });
};

const find = async (
  tools: Tools,
  control: ControlPlane,
  selected: Selection,
  options: Options,
): Promise<Resource[]> => {
  if ("words" in selected)
    return Promise.all(keysTyped(selected.words, tools.namespace()).map((key) => existing(control, key)));
  const found: Resource[] = [];
  for (const info of selected.kinds) {
    const everywhere = options.allNamespaces === true || info.scope === "Cluster";
    found.push(...(await control.list(info.kind, everywhere ? undefined : tools.namespace())));
  }
  return found;
};

const print = (tools: Tools, objects: readonly Resource[], selected: Selection, options: Options): void => {
  const { out, err } = tools.context.terminal;
  const single = "words" in selected && objects.length === 1;
  switch (options.output) {
    case "yaml":
      return out(single ? toYaml(objects[0]) : documentsToYaml(objects));
    case "json":
      return out(toJson(single ? objects[0] : { apiVersion: "v1", kind: "List", items: objects }));
    case "name":
      return out(objects.map((object) => `${keyShort(keyOf(object))}\n`).join(""));
    case "wide":
    case undefined:
      if (objects.length === 0) return err(emptyText(tools, options));
      return out(tables(tools, objects, options));
    default:
      return options.output satisfies never;
  }
};

const emptyText = (tools: Tools, options: Options): string =>
  options.allNamespaces
    ? "No objects found.\n"
    : `No objects found in namespace ${tools.namespace()} (-A shows all).\n`;

const rowOptions = (tools: Tools, options: Options, qualified: boolean): RowOptions => ({
  wide: options.output === "wide",
  namespaces: options.allNamespaces === true,
  qualified,
  now: tools.context.now(),
  colours: tools.colours,
});

/** One table a kind, a blank line between them. */
const tables = (tools: Tools, objects: readonly Resource[], options: Options): string => {
  const byKind = Map.groupBy(objects, (object) => object.kind);
  const settings = rowOptions(tools, options, byKind.size > 1);
  return [...byKind]
    .map(([kind, of]) => {
      const shown = kind === "VMHost" ? { ...settings, namespaces: false } : settings;
      return table(
        headersOf(kind, shown),
        of.map((object) => rowOf(object, shown)),
      );
    })
    .join("\n");
};

interface Following {
  readonly first: readonly Resource[];
  readonly options: Options;
  readonly selected: Selection;
}

/** Prints each change as one more row. */
const follow = async (tools: Tools, control: ControlPlane, { first, options, selected }: Following): Promise<void> => {
  const wanted = new Set(
    "words" in selected ? first.map((object) => object.kind) : selected.kinds.map((one) => one.kind),
  );
  const names = "words" in selected ? new Set(first.map((object) => keyText(keyOf(object)))) : undefined;
  const drawn = first.map((object) => rowOf(object, rowOptions(tools, options, wanted.size > 1)));
  const seen = new Map(first.map((object) => [keyText(keyOf(object)), object.metadata.resourceVersion]));
  const shows = (key: Key): boolean =>
    (names?.has(keyText(key)) ?? true) &&
    (options.allNamespaces === true || key.namespace === "" || key.namespace === tools.namespace());
  for await (const { type, key, object } of control.watch([...wanted], tools.context.signal)) {
    if (key === undefined || !shows(key)) continue;
    if (type === "removed") tools.context.terminal.err(`${keyShort(key)} is gone\n`);
    if (!object || seen.get(keyText(key)) === object.metadata.resourceVersion) continue;
    seen.set(keyText(key), object.metadata.resourceVersion);
    printChange(tools, object, { options, qualified: wanted.size > 1, drawn });
  }
};

interface Shown {
  readonly options: Options;
  readonly qualified: boolean;
  /** The rows of the table above, whose columns go on where only one kind is shown. */
  readonly drawn: readonly (readonly string[])[];
}

const printChange = (tools: Tools, object: Resource, { options, qualified, drawn }: Shown): void => {
  const { out } = tools.context.terminal;
  if (options.output === "yaml") return out(`---\n${toYaml(object)}`);
  if (options.output === "json") return out(`${JSON.stringify(object)}\n`);
  if (options.output === "name") return out(`${keyShort(keyOf(object))}\n`);
  const settings = rowOptions(tools, options, qualified);
  const row = rowOf(object, settings);
  out(`${line(row, columnWidths([headersOf(object.kind, settings), ...(qualified ? [] : drawn), row]))}\n`);
};
