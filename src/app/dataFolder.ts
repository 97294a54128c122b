import { ControlError } from "../server/control.ts";

const words: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOSPC: "no space is left",
  ENOTDIR: "it, or what it lies in, is a file",
  EEXIST: "it is a file",
  ERR_FS_EISDIR: "a folder lies where aetherv.sock belongs",
};

/** The error and its causes, outermost first. */
const chain = (error: unknown): Error[] => (error instanceof Error ? [error, ...chain(error.cause)] : []);

const codeOf = (error: Error): string => String((error as NodeJS.ErrnoException).code ?? "");

/** What went wrong with a data folder, for people: the system's own reasons become a ControlError, others stay. */
export const folderError = (data: string, error: unknown): unknown => {
  if (error instanceof ControlError) return error;
  const errors = chain(error);
  const why = errors.flatMap((one) => words[codeOf(one)] ?? [])[0];
  const broken = errors.find((one) => codeOf(one).startsWith("LEVEL_"));
  if (why === undefined && broken)
    return new ControlError(
      "Unavailable",
      errors[0]?.message ?? "",
      "put a backup into a new one: aetherv backup --help",
    );
  if (why === undefined) return error;
  return new ControlError("Unavailable", `the data folder ${data} cannot be used: ${why}`, "name another with --data");
};

/** Does `work` on the data folder. */
export const onFolder = async <T>(data: string, work: () => Promise<T>): Promise<T> => {
  try {
    return await work();
  } catch (error) {
    throw folderError(data, error);
  }
};
