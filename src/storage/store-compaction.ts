/**
 * Which log of a store is compacted next, and how far each has been: `cleaner-offset-checkpoint` in the data directory, in
 * Kafka's format (`topic partition first-dirty-offset`). I/O thread. What is lost of that file costs work and nothing else.
 */

import type { Logger } from '../base/logger.ts';
import { asOffset, type Offset } from '../base/numbers.ts';
import { readCheckpointLines, writeCheckpointLinesLater } from './checkpoint-file.ts';
import type { CompactionSettings, Compactor } from './compactor.ts';
import type { LocalLog } from './local-log.ts';
import type { StoreContext } from './store-context.ts';

export const cleanerCheckpointName = 'cleaner-offset-checkpoint';

export class StoreCompaction {
  readonly #context: StoreContext;
  readonly #compactor: Compactor | null;
  readonly #logs: () => Iterable<LocalLog>;
  /** By `topic partition`; null until it was read. */
  #firstDirty: Map<string, Offset> | null = null;
  /** The last write of the file, which may be under way; never rejects. */
  #saving: Promise<void> = Promise.resolve();

  constructor(context: StoreContext, compactor: Compactor | null, logs: () => Iterable<LocalLog>) {
    this.#context = context;
    this.#compactor = compactor;
    this.#logs = logs;
  }

  /** As `LogStore.compactDirtiest`. */
  async compactDirtiest(settings: CompactionSettings): Promise<boolean> {
    const compactor = this.#compactor;
    if (compactor === null || this.#context.refusal !== null) return false;
    const { clock, logger } = this.#context;
    const nowMs = clock.nowMs();
    const log = this.#dirtiest(nowMs);
    if (log === null) return false;
    const { topic, partition } = log;
    const startedMs = clock.monotonicMs();
    try {
      const result = await log.compact(compactor, settings, nowMs);
      if (result === null) return false;
      logger.info({ topic, partition, ...result, tookMs: clock.monotonicMs() - startedMs }, 'A log was compacted.');
      this.#known().set(keyOf(log), result.firstDirtyOffset);
      await this.#save();
      return true;
    } catch (error) {
      logger.error({ topic, partition, error }, 'A log could not be compacted.');
      return false;
    }
  }

  /** The log of the partition is deleted, and the file says nothing of it once this resolves. */
  async forget(topic: string, partition: number): Promise<void> {
    if (this.#known().delete(keyOf({ topic, partition }))) await this.#save();
  }

  #dirtiest(nowMs: number): LocalLog | null {
    const known = this.#known();
    let [dirtiest, largestRatio]: [LocalLog | null, number] = [null, -1];
    for (const log of this.#logs()) {
      if (!log.config.compactPolicy) continue;
      const need = log.compactionNeed(nowMs, known.get(keyOf(log)) ?? null);
      if (need === null || !need.isDue || need.dirtyRatio <= largestRatio) continue;
      [dirtiest, largestRatio] = [log, need.dirtyRatio];
    }
    return dirtiest;
  }

  #known(): Map<string, Offset> {
    this.#firstDirty ??= readFirstDirty(this.#context);
    return this.#firstDirty;
  }

  async #save(): Promise<void> {
    const { fileSystem, directory, logger } = this.#context;
    this.#saving = this.#saving.then(async () => {
      const lines = Array.from(this.#known(), ([key, offset]) => `${key} ${offset}`);
      try {
        await writeCheckpointLinesLater(fileSystem, `${directory}/${cleanerCheckpointName}`, lines);
      } catch (error) {
        logger.warn({ error }, 'How far logs are compacted could not be written down: some are compacted again.');
      }
    });
    await this.#saving;
  }
}

function keyOf({ topic, partition }: { readonly topic: string; readonly partition: number }): string {
  return `${topic} ${partition}`;
}

function readFirstDirty({
  fileSystem,
  directory,
  logger,
}: Pick<StoreContext, 'fileSystem' | 'directory'> & { readonly logger: Logger }): Map<string, Offset> {
  const known = new Map<string, Offset>();
  try {
    const lines = readCheckpointLines(fileSystem, `${directory}/${cleanerCheckpointName}`) ?? [];
    for (const line of lines) {
      const match = /^(\S{1,249} \d{1,10}) (\d{1,16})$/.exec(line);
      if (match !== null) known.set(match[1]!, asOffset(Number(match[2])));
    }
  } catch (error) {
    logger.warn({ error }, 'How far logs are compacted cannot be read: they are compacted from their begin.');
  }
  return known;
}
