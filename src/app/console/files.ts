import type { ConsoleChoice } from "../../cli/context.ts";
import type { ControlPlane } from "../../server/control.ts";
import { ManifestEditor } from "../../stores/files/edit/editor.ts";
import type { FileStore } from "../../stores/files/store.ts";
import type { Parts } from "../parts.ts";
import { dataPaths } from "../paths.ts";
import { fileDoor } from "./fileDoor.ts";
import { FileObjects } from "./fileObjects.ts";
import { serveConsole, type ConsoleServer } from "./serve.ts";
import { adminToken, TokenFile } from "./tokens.ts";

interface FileConsoleParts extends Parts {
  readonly data: string;
  readonly store: FileStore;
  readonly control: ControlPlane;
}

/** The console of file mode: edits go back into the files. */
export const openFileConsole = async (
  choice: ConsoleChoice,
  { data, store, control, clock, random, log }: FileConsoleParts,
): Promise<ConsoleServer> => {
  const paths = dataPaths(data);
  const door = fileDoor({
    objects: new FileObjects({ store, editor: new ManifestEditor(store, () => random.ulid()) }),
    control,
    tokens: new TokenFile(choice.tokens ?? paths.consoleTokens),
    adminToken: await adminToken(paths.consoleToken),
    now: () => clock.now(),
  });
  return serveConsole(choice, door, { clock, log });
};
