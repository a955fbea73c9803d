/**
 * The log as the broker's parts see it: structured fields and one sentence. Any thread.
 * What writes it (pino, a test's array, nothing) is chosen by whoever starts the broker.
 */

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  debug(fields: LogFields, sentence: string): void;
  info(fields: LogFields, sentence: string): void;
  warn(fields: LogFields, sentence: string): void;
  error(fields: LogFields, sentence: string): void;
}

/** What lines get through, in rising order. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** A log whose level can be changed while lines come. */
export interface LevelledLog {
  level: LogLevel;
}

const ignore = (): void => {};

export const silentLogger: Logger = { debug: ignore, info: ignore, warn: ignore, error: ignore };
