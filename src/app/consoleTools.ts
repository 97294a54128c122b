import { mkdir } from "node:fs/promises";
import type { ConsoleTools, TokenChoice } from "../cli/consoleTools.ts";
import { isRole } from "../server/console/access.ts";
import { answers, SocketClient } from "../server/client.ts";
import { ControlError } from "../server/control.ts";
import { adminToken, TokenFile } from "./console/tokens.ts";
import { dataPaths } from "./paths.ts";

const fileOf = ({ data, file }: TokenChoice): TokenFile => new TokenFile(file ?? dataPaths(data).consoleTokens);

/** The console's way in, by the files of the data folder. */
export const consoleTools: ConsoleTools = {
  async link(data) {
    const { socket, consoleToken } = dataPaths(data);
    const status = (await answers(socket)) ? await new SocketClient(socket).status() : undefined;
    if (status?.console === undefined)
      throw new ControlError(
        "Unavailable",
        `no console is served from ${data}`,
        "start one with `aetherv run --files DIR --console-address 127.0.0.1:8480`, or name its data folder with --data",
      );
    return `${status.console}login#token=${await adminToken(consoleToken)}`;
  },

  async tokens(choice) {
    return (await fileOf(choice).list()).map(({ sha256: _, ...token }) => token);
  },

  async createToken(choice, { name, role, lifeMs }) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$/.test(name))
      throw new ControlError("Invalid", `"${name}" is no name`, "letters, digits, '.', '_', '@' and '-', at most 63");
    if (!isRole(role)) throw new ControlError("Invalid", `"${role}" is no role`);
    await mkdir(choice.data, { recursive: true, mode: 0o700 });
    const now = Date.now();
    return fileOf(choice).create({
      name,
      role,
      createdAt: new Date(now).toISOString(),
      ...(lifeMs === undefined ? {} : { expiresAt: new Date(now + lifeMs).toISOString() }),
    });
  },

  revokeToken: (choice, name) => fileOf(choice).revoke(name),
};
