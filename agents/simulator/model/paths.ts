/** Windows paths: compared without regard to case, as NTFS does. */

export const pathKey = (path: string): string => path.toLowerCase();

export const samePath = (a: string, b: string): boolean => pathKey(a) === pathKey(b);

export const join = (...parts: readonly string[]): string =>
  parts.map((part, index) => (index < parts.length - 1 ? part.replace(/\\+$/, "") : part)).join("\\");

export const folderOf = (path: string): string => path.slice(0, Math.max(path.lastIndexOf("\\"), 0));

export const fileName = (path: string): string => path.slice(path.lastIndexOf("\\") + 1);

/** File name without its extension. */
export const stem = (path: string): string => fileName(path).replace(/\.[^.]*$/, "");

export const isUnder = (path: string, folder: string): boolean =>
  pathKey(path).startsWith(`${pathKey(folder).replace(/\\+$/, "")}\\`);

/** What Windows takes for a device in any folder and with any extension. */
const DEVICE = /^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\.|$)/i;
const LONGEST_PART = 255;

/** Whether the text may be one part of a path: no separators, streams, wildcards, dots alone, devices, nor what Windows cuts off at the end. */
export const isPathPart = (text: string): boolean =>
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  !/[\\/:*?"<>|\u0000-\u001f]/.test(text) &&
  !/^\.*$/.test(text) &&
  !/[. ]$/.test(text) &&
  !DEVICE.test(text) &&
  text.length <= LONGEST_PART;

/** A full local path with a drive letter whose parts mean what they say. */
export const isLocalPath = (path: string): boolean => {
  if (!/^[A-Za-z]:\\/.test(path)) return false;
  const rest = path.slice(3).replace(/\\$/, "");
  return rest === "" || rest.split("\\").every(isPathPart);
};

export const SIDECAR = ".aetherv.json";
export const TRASH_FOLDER = "AetherV.Trash";

/** Files of change tracking (backups), which lie beside a disk's file and go with it. */
export const COMPANIONS = [".rct", ".mrt"] as const;

export const isPartial = (path: string): boolean => /\.partial\.vhdx?$/i.test(path);
export const isCheckpointFile = (path: string): boolean => /\.avhdx?$/i.test(path);
export const isTrash = (path: string): boolean => pathKey(path).includes(`\\${TRASH_FOLDER.toLowerCase()}\\`);

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** The last dotted part of a disk file's name before its extension, which is the uid in names that we made. */
export const nameUid = (path: string): string | undefined => /\.([^.\\]+)\.vhdx?$/i.exec(fileName(path))?.[1];

export const looksLikeUid = (text: string): boolean => UUID.test(text);
