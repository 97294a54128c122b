import { Argument, Command } from "commander";
import { kinds } from "../../api/kinds.ts";
import { withControl, type Tools } from "../context.ts";
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
  const before = words.slice(0, -1).filter((word) => !word.startsWith("-"));
  const command = descend(program, before);
  const all = typed.startsWith("-")
    ? optionsOf(command)
    : command.commands.length > 0
      ? command.commands.map((one) => one.name()).filter((name) => !name.startsWith("__"))
      : await objectWords(tools, command.name(), before.slice(1), typed);
  return [...new Set(all)].filter((word) => word.startsWith(typed)).sort();
};

const descend = (program: Command, words: readonly string[]): Command => {
  let at = program;
  for (const word of words) {
    const next = at.commands.find((one) => one.name() === word);
    if (!next) return at;
    at = next;
  }
  return at;
};

const optionsOf = (command: Command): readonly string[] => {
  const chain = command.parent ? [command, command.parent] : [command];
  return ["--help", ...chain.flatMap((one) => one.options).flatMap((option) => (option.long ? [option.long] : []))];
};

const takesObjects: ReadonlySet<string> = new Set(
  "get describe events approve restart pause resume orphan reclaim confirm-delete explain".split(" "),
);

const objectWords = async (
  tools: Tools,
  command: string,
  before: readonly string[],
  typed: string,
): Promise<readonly string[]> => {
  if (!takesObjects.has(command)) return [];
  const [kindWord] = typed.includes("/") ? typed.split("/") : before;
  const info = kindWord === undefined ? undefined : kindNamed(kindWord);
  if (!info) {
    const names = kinds.flatMap((one) => [one.singular, ...one.shortNames]);
    return command === "get" || command === "explain" ? ["all", ...names] : names.map((name) => `${name}/`);
  }
  const objects = await withControl(tools.context.connect(tools.data()), (control) => control.list(info.kind));
  const prefix = typed.includes("/") ? `${kindWord}/` : "";
  return objects.map((object) => `${prefix}${object.metadata.name}`);
};
