/**
 * Has compacted topics compacted: looks every `log.cleaner.backoff.ms` which partitions need it, and goes on while some do.
 * I/O thread; the work itself is done by the store's compactor. Settings are read anew each time, so that changes count at
 * once.
 */

import type { Clock, Timer } from '../base/clock.ts';
import type { CompactionSettings } from '../storage/compactor.ts';
import type { LogStore } from '../storage/partition-log.ts';
import type { BrokerConfig } from './broker-config.ts';

/** The largest batch, as it lies in the file and inflated, that any topic takes. */
const maxBatchBytes = 64 * 1024 * 1024;
/** A map for fewer keys would read the log too often. */
const smallestMapBytes = 1024 * 1024;
/** The memory that WebAssembly addresses holds batches, too. */
const largestMapBytes = 2 ** 31;
const smallestBufferBytes = 64 * 1024;
const largestBufferBytes = 64 * 1024 * 1024;

export interface LogCleanerOptions {
  readonly store: LogStore;
  readonly config: BrokerConfig;
  readonly clock: Clock;
  /** Opens the logs of all compacted topics. */
  readonly openLogs: () => void;
}

export class LogCleaner {
  readonly #options: LogCleanerOptions;
  #timer: Timer | null = null;
  #closed = false;

  constructor(options: LogCleanerOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, config } = this.#options;
    this.#timer = clock.setTimer(Math.max(config.number('log.cleaner.backoff.ms'), 1), () => {
      void this.#compactAll().then(() => {
        if (!this.#closed) this.start();
      });
    });
  }

  /** Nothing begins any more; the store ends what is under way when it closes. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #compactAll(): Promise<void> {
    const { config, openLogs } = this.#options;
    if (!config.boolean('log.cleaner.enable')) return;
    openLogs();
    const threads = Math.max(config.number('log.cleaner.threads'), 1);
    await Promise.all(Array.from({ length: threads }, () => this.#compactWhileDue()));
  }

  async #compactWhileDue(): Promise<void> {
    while (!this.#closed && (await this.#options.store.compactDirtiest(compactionSettings(this.#options.config))));
  }
}

/** Kafka's `log.cleaner.*`, of which each thread gets its share. */
export function compactionSettings(config: BrokerConfig): CompactionSettings {
  const threads = Math.max(config.number('log.cleaner.threads'), 1);
  const bytesPerSecond = config.number('log.cleaner.io.max.bytes.per.second');
  return {
    mapBytes: bounded(config.number('log.cleaner.dedupe.buffer.size') / threads, smallestMapBytes, largestMapBytes),
    loadFactor: bounded(config.number('log.cleaner.io.buffer.load.factor'), 0.01, 0.99),
    bufferBytes: bounded(
      config.number('log.cleaner.io.buffer.size') / threads,
      smallestBufferBytes,
      largestBufferBytes,
    ),
    maxBytesPerSecond: Math.max(bytesPerSecond / threads, 1),
    maxBatchBytes,
  };
}

function bounded(value: number, least: number, most: number): number {
  const whole = least < 1 ? value : Math.floor(value);
  return Math.min(Math.max(whole, least), most);
}
