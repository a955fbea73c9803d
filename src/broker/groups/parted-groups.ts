/**
 * Groups whose state stands in records of several parts (epochs, members, targets, …), as bytes: nobody reads them before
 * the next start. I/O thread.
 */

import type { KeyedRecord } from '../keyed-batch.ts';

/** The values of a group's records, by what they are about and then by name; a part that a group has once has no name. */
export type GroupValues<Part> = ReadonlyMap<Part, ReadonlyMap<string, Uint8Array>>;

/** What a record is about; `name` is a member id, or what else there are several of, and empty for what there is once. */
export interface PartKey<Part> {
  readonly group: string;
  readonly part: Part;
  readonly name: string;
}

export class PartedGroups<Part> {
  readonly #groups = new Map<string, Map<Part, Map<string, Uint8Array>>>();

  ids(): IterableIterator<string> {
    return this.#groups.keys();
  }

  has(group: string): boolean {
    return this.#groups.has(group);
  }

  /** The records of the group, or null where it has none. */
  values(group: string): GroupValues<Part> | null {
    return this.#groups.get(group) ?? null;
  }

  apply({ group, part, name }: PartKey<Part>, value: Uint8Array | null): void {
    let parts = this.#groups.get(group);
    if (value !== null) {
      if (parts === undefined) this.#groups.set(group, (parts = new Map()));
      const values = parts.get(part);
      if (values === undefined) parts.set(part, new Map([[name, value]]));
      else values.set(name, value);
      return;
    }
    const values = parts?.get(part);
    if (parts === undefined || values === undefined) return;
    values.delete(name);
    if (values.size === 0) parts.delete(part);
    if (parts.size === 0) this.#groups.delete(group);
  }

  /** The records that rebuild this state. */
  *snapshot(keys: { of(part: Part, group: string, name: string): Uint8Array }): Generator<KeyedRecord> {
    for (const { group, part, name, value } of this.all()) yield { key: keys.of(part, group, name), value };
  }

  /** All values with what they are about. */
  *all(): Generator<PartKey<Part> & { readonly value: Uint8Array }> {
    for (const [group, parts] of this.#groups) {
      for (const [part, values] of parts) for (const [name, value] of values) yield { group, part, name, value };
    }
  }
}
