/**
 * The program's log: structured lines on standard error, JSON where it is piped, readable on a terminal. I/O thread.
 * pino writes them. It is loaded a moment after the first line, since loading it takes as long as half a start, and the
 * first clients should not wait for it; lines wait instead. A reader that is slow costs lines, never the broker's time.
 */

import { setTimeout } from 'node:timers/promises';
import type { DestinationStream } from 'pino';
import { logLevels, type LevelledLog, type LogFields, type Logger, type LogLevel } from '../base/logger.ts';

type LineLevel = Exclude<LogLevel, 'silent'>;

interface Line {
  readonly level: LineLevel;
  readonly fields: LogFields;
  readonly sentence: string;
  readonly timeMs: number;
}

/** pino over standard error. */
interface Sink {
  write(line: Line): void;
  /** Resolves once all is written. */
  end(): Promise<void>;
}

const standardError = 2;
/** What a slow reader may leave unread before lines are dropped, in bytes. */
const unreadBytes = 4 * 1024 * 1024;
const closeWithinMs = 300;
const loadAfterMs = 100;

export class ProgramLog implements Logger, LevelledLog {
  #threshold: number;
  readonly #isForPerson: () => boolean;
  #waiting: Line[] = [];
  #sink: Sink | null = null;
  #loading: Promise<void> | null = null;
  #closed = false;
  /** Ends the wait before loading. */
  readonly #hurry = new AbortController();

  /** `isForPerson`, at a terminal, is asked once, when the first line is due. */
  constructor(level: LogLevel, isForPerson: () => boolean) {
    this.#threshold = logLevels.indexOf(level);
    this.#isForPerson = isForPerson;
  }

  /** The lowest level whose lines are written. */
  get level(): LogLevel {
    return logLevels[this.#threshold]!;
  }

  set level(level: LogLevel) {
    this.#threshold = logLevels.indexOf(level);
  }

  debug(fields: LogFields, sentence: string): void {
    this.#line('debug', fields, sentence);
  }

  info(fields: LogFields, sentence: string): void {
    this.#line('info', fields, sentence);
  }

  warn(fields: LogFields, sentence: string): void {
    this.#line('warn', fields, sentence);
  }

  error(fields: LogFields, sentence: string): void {
    this.#line('error', fields, sentence);
  }

  /** Takes no more lines; resolves once those that came have been written, or with false where nobody reads them. */
  async close(): Promise<boolean> {
    this.#closed = true;
    this.#hurry.abort();
    await this.#loading;
    if (this.#sink === null) return true;
    const giveUp = new AbortController();
    const { signal } = giveUp;
    const written = await Promise.race([
      this.#sink.end().then(() => true),
      setTimeout(closeWithinMs, false, { signal }).catch(() => false),
    ]);
    giveUp.abort();
    return written;
  }

  #line(level: LineLevel, fields: LogFields, sentence: string): void {
    if (this.#closed || logLevels.indexOf(level) < this.#threshold) return;
    const line = { level, fields, sentence, timeMs: Date.now() };
    if (this.#sink !== null) return this.#sink.write(line);
    this.#waiting.push(line);
    this.#loading ??= this.#load();
  }

  async #load(): Promise<void> {
    await setTimeout(loadAfterMs, undefined, { signal: this.#hurry.signal, ref: false }).catch(() => {});
    const sink = await openSink(this.#isForPerson());
    for (const line of this.#waiting.splice(0)) sink.write(line);
    this.#sink = sink;
  }
}

async function openSink(pretty: boolean): Promise<Sink> {
  const { pino, stdSerializers } = await import('pino');
  const destination = pino.destination({ fd: standardError, sync: false, maxLength: unreadBytes });
  // Standard error has gone; there is nobody to tell.
  destination.on('error', () => {});
  let target: DestinationStream = destination;
  if (pretty) {
    const { prettyFactory } = await import('pino-pretty');
    const format = prettyFactory({ colorize: true, translateTime: 'SYS:HH:MM:ss.l' });
    target = { write: (line) => void destination.write(format(line)) };
  }
  let timeMs = 0;
  const logger = pino(
    {
      level: 'debug',
      // One process writes this; its id and the machine's name would only repeat.
      base: null,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: stdSerializers.errWithCause },
      timestamp: () => `,"time":"${new Date(timeMs).toISOString()}"`,
    },
    target,
  );
  return {
    write: (line) => {
      ({ timeMs } = line);
      logger[line.level](line.fields, line.sentence);
    },
    end: () => {
      const closed = new Promise<void>((resolve) => destination.once('close', resolve));
      destination.end();
      return closed;
    },
  };
}
