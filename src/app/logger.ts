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

/** pino behind the engine's Logger. Redaction is a second line of defence: no secret is given to a logger at all. */
export const createLogger = ({ file, level, pretty: forPeople }: LogOptions): Logger & { flush(): void } => {
  const streams: StreamEntry[] = [];
  const fileStream =
    file === undefined ? undefined : destination({ dest: file, mkdir: true, sync: false, mode: 0o600 });
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
