/**
 * The settings of resources that exist by having some: consumer groups and subscriptions of client metrics. I/O thread.
 *
 *   key [kind, name]   value {"configs": {"interval.ms": "5000", …}}
 *
 * Values are checked before they come here (config-change.ts).
 */

import type { KeyedRecord } from './keyed-batch.ts';
import { corrupt, partRecord, textsField, type Fields, type ImagePart } from './metadata-record.ts';

const none: ReadonlyMap<string, string> = new Map();

export class ResourceConfigs implements ImagePart {
  readonly kind: string;
  readonly #configs = new Map<string, ReadonlyMap<string, string>>();
  #changes = 0;

  constructor(kind: string) {
    this.kind = kind;
  }

  /** Rises with every change. */
  get changes(): number {
    return this.#changes;
  }

  /** The resources that have settings, by name. */
  entries(): IterableIterator<[name: string, configs: ReadonlyMap<string, string>]> {
    return this.#configs.entries();
  }

  /** The resource's own settings; none where it has none. */
  of(name: string): ReadonlyMap<string, string> {
    return this.#configs.get(name) ?? none;
  }

  /** The record that gives the resource these settings; none take it away. */
  record(name: string, configs: ReadonlyMap<string, string>): KeyedRecord {
    return partRecord(this, [name], configs.size === 0 ? null : { configs: Object.fromEntries(configs) });
  }

  apply([name]: readonly string[], value: Fields | null): void {
    if (name === undefined) throw corrupt('a key');
    this.#changes++;
    if (value === null) this.#configs.delete(name);
    else this.#configs.set(name, textsField(value, 'configs'));
  }

  *snapshot(): Generator<KeyedRecord> {
    for (const [name, configs] of this.#configs) yield this.record(name, configs);
  }
}
