import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { pino, destination, multistream, type StreamEntry } from "pino";
import pretty from "pino-pretty";
import type { Logger } from "../engine/ports.ts";

export interface LogOptions {
  /** All from debug on goes here. */
  readonly file?: string;
  /** Also to STDERR from this level on; absent = not at all. */
  readonly level?: string;
  /** STDERR is a terminal: for people, else JSON. */
  readonly pretty: boolean;
}

export const logLevels = ["debug", "info", "warn", "error"] as const;

/** Throws the system's error where the file can't be made: pino would tell it as an event, too late. */
const openLog = (file: string): ReturnType<typeof destination> => {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  closeSync(openSync(file, "a", 0o600));
  const stream = destination({ dest: file, sync: false, mode: 0o600 });
  // A full disk costs lines of the log, not the control plane.
  stream.on("error", () => undefined);
  return stream;
};

/** pino behind the engine's Logger. Redaction is a second line of defence: no secret is given to a logger at all. */
export const createLogger = ({ file, level, pretty: forPeople }: LogOptions): Logger & { flush(): void } => {
  const streams: StreamEntry[] = [];
  const fileStream = file === undefined ? undefined : openLog(file);
  if (fileStream) streams.push({ level: "debug", stream: fileStream });
  if (level !== undefined) {
    const stream = forPeople
      ? pretty({ destination: 2, colorize: true, sync: true })
      : destination({ dest: 2, sync: true });
    streams.push({ level: level as (typeof logLevels)[number], stream });
  }
  const log = pino(
    {
      level: streams.length > 0 ? "debug" : "silent",
      base: {},
      formatters: { level: (label) => ({ level: label }) },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      redact: ["*.password", "*.privateKey", "*.passphrase", "*.secret", "password", "privateKey"],
      serializers: { error: pino.stdSerializers.err },
    },
    multistream(streams),
  );
  return {
    debug: (fields, text) => log.debug(fields, text),
    info: (fields, text) => log.info(fields, text),
    warn: (fields, text) => log.warn(fields, text),
    error: (fields, text) => log.error(fields, text),
    flush: () => {
      try {
        fileStream?.flushSync();
      } catch {
        // Nothing was written yet, or the file is not open yet: there is nothing to flush.
      }
    },
  };
};
