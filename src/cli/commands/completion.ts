import { Argument, Command, Option } from "commander";
import { kinds } from "../../api/kinds.ts";
import { withControl, type Tools, type Where } from "../context.ts";
import { kindNamed } from "../names.ts";

const scripts = {
  bash: `_aetherv() {
  local IFS=$'\\n'
  COMPREPLY=( $(aetherv __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null) )
  [[ \${COMPREPLY[0]-} == */ ]] && compopt -o nospace
}
complete -o default -F _aetherv aetherv
`,
  zsh: `#compdef aetherv
_aetherv() {
  local -a found
  found=( \${(f)"$(aetherv __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"} )
  if (( \${#found} )); then compadd -a found; else _files; fi
}
compdef _aetherv aetherv
`,
  fish: `function __aetherv_complete
  set -l words (commandline -opc) (commandline -ct)
  aetherv __complete -- $words[2..-1] 2>/dev/null
end
complete -c aetherv -a '(__aetherv_complete)'
`,
} as const;

const notes = `
Examples:
  source <(aetherv completion bash)            now, in this shell
  aetherv completion zsh > ~/.zfunc/_aetherv   for good
  aetherv completion fish > ~/.config/fish/completions/aetherv.fish`;

/** `aetherv completion`: a script for the shell, which asks `aetherv __complete` for words. */
export const completionCommand = (tools: Tools): Command =>
  new Command("completion")
    .description("Print the completion script of a shell")
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(scripts)))
    .addHelpText("after", notes)
    .action((shell: keyof typeof scripts) => tools.context.terminal.out(scripts[shell]));

/** Hidden: prints the words that may stand at the place of the last one. */
export const completeCommand = (tools: Tools, program: () => Command): Command =>
  new Command("__complete")
    .argument("[words...]")
    .allowUnknownOption()
    .action(async (words: string[]) => {
      const found = await candidates(tools, program(), words);
      if (found.length > 0) tools.context.terminal.out(`${found.join("\n")}\n`);
    });

const candidates = async (tools: Tools, program: Command, words: readonly string[]): Promise<readonly string[]> => {
  const typed = words.at(-1) ?? "";
  const line = read(program, words.slice(0, -1));
  const all = await wordsAfter(tools, line, typed);
  return [...new Set(all)].filter((word) => word.startsWith(typed)).sort();
};

const wordsAfter = async (tools: Tools, line: Line, typed: string): Promise<readonly string[]> => {
  const { command, open, positionals } = line;
  if (open) return open.argChoices ?? [];
  if (typed.startsWith("-")) return optionsOf(command).flatMap(({ long }) => (long ? [long] : []));
  if (command.commands.length > 0)
    return command.commands.map((one) => one.name()).filter((name) => !name.startsWith("__"));
  const choices = command.registeredArguments[positionals.length]?.argChoices;
  return choices ?? (await objectWords(tools, line, typed));
};

/** A command line up to the word that is being typed. */
interface Line {
  readonly command: Command;
  readonly positionals: readonly string[];
  /** Values of options, by their long names. */
  readonly values: ReadonlyMap<string, string>;
  /** The option whose value is being typed. */
  readonly open?: Option;
}

const read = (program: Command, words: readonly string[]): Line => {
  let command = program;
  const positionals: string[] = [];
  const values = new Map<string, string>();
  let open: Option | undefined;
  for (const word of words) {
    const [name = "", inline] = word.split("=", 2);
    const next = command.commands.find((one) => one.name() === word);
    if (open) {
      values.set(open.long ?? "", word);
      open = undefined;
    } else if (word.startsWith("-")) {
      const option = optionsOf(command).find(({ long, short }) => long === name || short === name);
      if (inline !== undefined) values.set(name, inline);
      else if (option?.required) open = option;
    } else if (next) command = next;
    else positionals.push(word);
  }
  return { command, positionals, values, ...(open ? { open } : {}) };
};

const help = new Option("--help");

/** Those of the command and of all above it. */
const optionsOf = (command: Command): readonly Option[] => [
  ...command.options,
  ...(command.parent ? optionsOf(command.parent) : [help]),
];

const takesObjects: ReadonlySet<string> = new Set(
  "get describe events approve restart pause resume orphan reclaim confirm-delete explain".split(" "),
);

/** As `tools.where`, with the options of the line that is being typed. */
const whereTyped = (tools: Tools, values: Line["values"]): Where => {
  const [data, kubeconfig, context] = ["--data", "--kubeconfig", "--context"].map((name) => values.get(name));
  if (data !== undefined) return { at: "data", data };
  if (kubeconfig === undefined && context === undefined) return tools.where();
  return {
    at: "cluster",
    cluster: { ...tools.cluster(), ...(kubeconfig && { kubeconfig }), ...(context && { context }) },
  };
};

const objectWords = async (
  tools: Tools,
  { command, positionals, values }: Line,
  typed: string,
): Promise<readonly string[]> => {
  if (!takesObjects.has(command.name())) return [];
  const [kindWord] = typed.includes("/") ? typed.split("/") : positionals;
  const info = kindWord === undefined ? undefined : kindNamed(kindWord);
  if (!info) {
    const names = kinds.flatMap((one) => [one.singular, ...one.shortNames]);
    if (command.name() === "explain") return names;
    return command.name() === "get" ? ["all", ...names] : names.map((name) => `${name}/`);
  }
  if (command.name() === "explain") return [];
  const namespace = info.scope === "Cluster" ? undefined : (values.get("--namespace") ?? tools.namespace());
  const objects = await withControl(tools.context.connect(whereTyped(tools, values)), (control) =>
    control.list(info.kind, namespace),
  );
  const prefix = typed.includes("/") ? `${kindWord}/` : "";
  return objects.map((object) => `${prefix}${object.metadata.name}`);
};
