/**
 * What a planted bug is, and the tools that several of them are made with. Any thread.
 */

import type { AppendListener, AppendOptions, LogStore, PartitionLog } from '../../src/storage/partition-log.ts';
import type { Profile } from './profile.ts';
import type { PlantedBug } from './simulation.ts';
import { WrappedLogStore, WrappedPartitionLog } from './wrapped-log-store.ts';

/** A planted bug, and what of a run's problems shows that it was found. */
export interface ExpectedBug extends PlantedBug {
  readonly found: RegExp;
  /** What runs have to be like for it to be met soon. */
  readonly profile?: Partial<Profile>;
}

export function inLogs(wrap: (log: PartitionLog) => PartitionLog): (store: LogStore) => LogStore {
  return (store) => new WrappedLogStore(store, wrap);
}

/** Wraps the logs of that topic alone. */
export function onlyIn(topic: string, wrap: (log: PartitionLog) => PartitionLog): (log: PartitionLog) => PartitionLog {
  return (log) => (log.topic === topic ? wrap(log) : log);
}

/** acks=all is answered, and read, as soon as it is written. */
export class EarlyAnswers extends WrappedPartitionLog {
  override append(batch: Uint8Array, options: AppendOptions, listener: AppendListener): void {
    super.append(batch, { ...options, durability: options.durability === 'none' ? 'none' : 'written' }, listener);
  }
}
