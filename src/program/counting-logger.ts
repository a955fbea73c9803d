/** A log that counts its lines by level on their way to the real one, so that metrics can show them. Any thread. */

import type { LogFields, Logger } from '../base/logger.ts';

export class CountingLogger implements Logger {
  readonly counts = { debug: 0, info: 0, warn: 0, error: 0 };
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  debug(fields: LogFields, sentence: string): void {
    this.counts.debug++;
    this.#logger.debug(fields, sentence);
  }

  info(fields: LogFields, sentence: string): void {
    this.counts.info++;
    this.#logger.info(fields, sentence);
  }

  warn(fields: LogFields, sentence: string): void {
    this.counts.warn++;
    this.#logger.warn(fields, sentence);
  }

  error(fields: LogFields, sentence: string): void {
    this.counts.error++;
    this.#logger.error(fields, sentence);
  }
}
