/**
 * The features that clients and brokers agree on (KIP-584), and the levels that are final. I/O thread.
 *
 *   key ["feature", name]   value {"level": 1}
 *
 * A level that nobody changed is the one that a new Kafka 4.4 cluster begins with.
 */

import { present } from '../base/assert.ts';
import type { KeyedRecord } from './keyed-batch.ts';
import { corrupt, integerField, partRecord, type Fields, type ImagePart } from './metadata-record.ts';

export interface Feature {
  readonly name: string;
  readonly min: number;
  readonly max: number;
  /** The level that is on in a new cluster. */
  readonly initial: number;
  /** The key without whose handler the feature means nothing and is not told; null where it needs none. */
  readonly needs: number | null;
}

/** Without it members of streams groups are told that the version is not supported (KIP-1071). */
export const streamsFeature = 'streams.version';

/** As a Kafka 4.4 has them. */
export const features: readonly Feature[] = [
  { name: 'eligible.leader.replicas.version', min: 0, max: 1, initial: 1, needs: null },
  { name: 'group.version', min: 0, max: 1, initial: 1, needs: 68 },
  { name: 'kraft.version', min: 0, max: 1, initial: 0, needs: null },
  { name: 'metadata.version', min: 7, max: 33, initial: 33, needs: null },
  { name: 'share.version', min: 0, max: 2, initial: 2, needs: 76 },
  { name: streamsFeature, min: 0, max: 1, initial: 1, needs: 88 },
  { name: 'transaction.version', min: 0, max: 2, initial: 2, needs: 26 },
];

const initialLevels: ReadonlyMap<string, number> = new Map(features.map(({ name, initial }) => [name, initial]));

export class FeatureLevels implements ImagePart {
  readonly kind = 'feature';
  readonly #changed = new Map<string, number>();
  #changes = 0;

  /** How often levels have changed, for clients that compare. */
  get epoch(): number {
    return this.#changes;
  }

  /** The level of a feature that is in the table. */
  level(name: string): number {
    return this.#changed.get(name) ?? present(initialLevels.get(name), 'the feature is in the table');
  }

  record(name: string, level: number): KeyedRecord {
    return partRecord(this, [name], { level });
  }

  apply([name]: readonly string[], value: Fields | null): void {
    if (name === undefined) throw corrupt('a key');
    this.#changes++;
    if (value === null) this.#changed.delete(name);
    else this.#changed.set(name, integerField(value, 'level'));
  }

  *snapshot(): Generator<KeyedRecord> {
    for (const [name, level] of this.#changed) yield this.record(name, level);
  }
}
