import { Command, Option } from "commander";
import { roles } from "../../server/console/access.ts";
import type { TokenChoice } from "../consoleTools.ts";
import type { Tools } from "../context.ts";
import { parseDuration } from "../options.ts";
import { age } from "../print/age.ts";
import { table } from "../print/table.ts";

const notes = `
Roles: viewer looks at everything; operator also starts, stops, restarts, approves, pauses and resumes; admin does all.
The token is shown once: its file keeps a digest. A running control plane takes up what changes here at once.

Examples:
  aetherv token create terraform --role admin --expires 90d
  aetherv token create wall --role viewer
  aetherv token revoke wall`;

/** `aetherv token`: tokens of file mode for people and machines. */
export const tokenCommand = (tools: Tools): Command =>
  new Command("token")
    .description("Tokens for the console and its API, in file mode")
    .addHelpText("after", notes)
    .addCommand(createCommand(tools))
    .addCommand(listCommand(tools))
    .addCommand(revokeCommand(tools));

const withFile = (command: Command): Command =>
  command.option("--console-tokens <file>", "file of the tokens (default: console-tokens.json of --data)");

const choiceOf = (tools: Tools, { consoleTokens }: { readonly consoleTokens?: string }): TokenChoice => ({
  data: tools.data(),
  ...(consoleTokens === undefined ? {} : { file: consoleTokens }),
});

interface CreateOptions {
  readonly role: string;
  readonly expires?: number;
  readonly consoleTokens?: string;
}

const createCommand = (tools: Tools): Command =>
  withFile(new Command("create"))
    .description("Make a token and print it, this once")
    .argument("<name>", "whose it is, as the audit trail and `token list` name it")
    .addOption(new Option("--role <role>", "what it may do").choices(roles).makeOptionMandatory())
    .option("--expires <time>", "how long it is good, as 12h or 90d (default: until it is revoked)", parseDuration)
    .action(async (name: string, options: CreateOptions) => {
      const { role, expires } = options;
      const token = { name, role, ...(expires === undefined ? {} : { lifeMs: expires }) };
      tools.context.terminal.out(`${await tools.context.console.createToken(choiceOf(tools, options), token)}\n`);
    });

const listCommand = (tools: Tools): Command =>
  withFile(new Command("list"))
    .description("List the tokens by name")
    .action(async (options: { consoleTokens?: string }) => {
      const { context } = tools;
      const tokens = await context.console.tokens(choiceOf(tools, options));
      const rows = tokens.map(({ name, role, createdAt, expiresAt }) => [
        name,
        role,
        age(createdAt, context.now()),
        expiresAt ?? "never",
      ]);
      context.terminal.out(table(["NAME", "ROLE", "AGE", "EXPIRES"], rows));
    });

const revokeCommand = (tools: Tools): Command =>
  withFile(new Command("revoke"))
    .description("End a token at once, with the sessions that it opened")
    .argument("<name>")
    .action(async (name: string, options: { consoleTokens?: string }) => {
      await tools.context.console.revokeToken(choiceOf(tools, options), name);
      tools.context.terminal.out(`token ${name} is revoked\n`);
    });
