import { pino, destination, multistream, type StreamEntry } from "pino";
import pretty from "pino-pretty";
import type { Logger } from "../engine/ports.ts";
import { LogFile } from "./logFile.ts";

export interface LogOptions {
  /** All from info on goes here; from debug on where that is the level of STDERR. */
  readonly file?: string;
  /** Also to STDERR from this level on; absent = not at all. */
  readonly level?: string;
  /** STDERR is a terminal: for people, else JSON. */
  readonly pretty: boolean;
}

export const logLevels = ["debug", "info", "warn", "error"] as const;

/**
 * pino behind the engine's Logger. Redaction is a second line of defence: no secret is given to a logger at all. Throws the system's error
 * where the file can't be made.
 */
export const createLogger = ({ file, level, pretty: forPeople }: LogOptions): Logger => {
  const streams: StreamEntry[] = [];
  const fileLevel = level === "debug" ? "debug" : "info";
  if (file !== undefined) streams.push({ level: fileLevel, stream: new LogFile(file) });
  if (level !== undefined) {
    const stream = forPeople
      ? pretty({ destination: 2, colorize: true, sync: true })
      : destination({ dest: 2, sync: true });
    streams.push({ level: level as (typeof logLevels)[number], stream });
  }
  const log = pino(
    {
      level: streams.length > 0 ? fileLevel : "silent",
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
  };
};
