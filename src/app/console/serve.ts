import { fileURLToPath } from "node:url";
import type { ConsoleChoice } from "../../cli/context.ts";
import type { ConsoleDoor } from "../../server/console/access.ts";
import { consoleApp } from "../../server/console/app.ts";
import { isLoopback } from "../../server/console/security.ts";
import { ControlError } from "../../server/control.ts";
import type { ControlServer } from "../../server/server.ts";
import { toText } from "../../stores/files/edit/text.ts";
import { keysIn } from "../doors.ts";
import type { Parts } from "../parts.ts";
import { version } from "../version.ts";

export interface ConsoleServer extends ControlServer {
  /** For people of this machine. */
  readonly url: string;
}

/** Of the sources `npm run build` puts the page beside the built programs. */
const pageFolder = (): string =>
  fileURLToPath(
    new URL(import.meta.url.endsWith(".ts") ? "../../../dist/console" : "../../../console", import.meta.url),
  );

/** Beyond this machine, tokens travel encrypted or not at all. */
export const refuseOpen = ({ host, tlsFolder }: ConsoleChoice): void => {
  if (isLoopback(host) || tlsFolder !== undefined) return;
  throw new ControlError(
    "Invalid",
    `--console-address ${host} can be reached from other machines, where tokens would be read by others on the way`,
    "give --console-tls-dir with tls.crt and tls.key, or listen on 127.0.0.1",
  );
};

export const serveConsole = async (
  address: ConsoleChoice,
  door: ConsoleDoor,
  { clock, log }: Pick<Parts, "clock" | "log">,
): Promise<ConsoleServer> => {
  refuseOpen(address);
  const { host, port, tlsFolder, names } = address;
  const tls = tlsFolder === undefined ? undefined : await keysIn(tlsFolder, "--console-tls-dir");
  const app = await consoleApp({
    door,
    version,
    page: pageFolder(),
    hosts: [...names, ...(isWildcard(host) ? [] : [host])],
    tls,
    now: () => clock.now(),
    render: (objects) => objects.map((object) => toText(object)).join("---\n"),
    log,
  });
  try {
    await app.listen({ host, port });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ControlError("Unavailable", `the console cannot listen on ${host}:${port}: ${why}`);
  }
  const bound = app.server.address();
  const at = typeof bound === "object" ? (bound?.port ?? port) : port;
  const url = `${tls ? "https" : "http"}://${urlHost(host)}:${at}/`;
  log.info({ url }, "the console listens");
  return { url, close: () => app.close() };
};

const isWildcard = (host: string): boolean => host === "0.0.0.0" || host === "::";

const urlHost = (host: string): string => {
  if (isWildcard(host)) return "localhost";
  return host.includes(":") ? `[${host}]` : host;
};
