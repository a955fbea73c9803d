/**
 * The client quotas that are set. I/O thread.
 *
 *   key ["client-quota", "user", "=alice", "client-id", ""]   value {"limits": {"producer_byte_rate": 1048576}}
 *        a name stands behind "=", the default is ""
 *
 * Limits are checked before they come here (quota-entity.ts); client-quotas.ts enforces them.
 */

import type { KeyedRecord } from '../keyed-batch.ts';
import { corrupt, partRecord, type Fields, type ImagePart } from '../metadata-record.ts';
import { entityKey, entityTypes, isEntityType, type EntityType, type QuotaEntity } from './quota-entity.ts';

export type Limits = ReadonlyMap<string, number>;

export interface EntityQuotas {
  readonly entity: QuotaEntity;
  readonly limits: Limits;
}

const none: Limits = new Map();

export class QuotaImage implements ImagePart {
  readonly kind = 'client-quota';
  readonly #quotas = new Map<string, EntityQuotas>();
  #changes = 0;

  /** Whether there is any quota at all. */
  get isEmpty(): boolean {
    return this.#quotas.size === 0;
  }

  /** Rises with every change. */
  get changes(): number {
    return this.#changes;
  }

  entries(): IterableIterator<EntityQuotas> {
    return this.#quotas.values();
  }

  /** The limits of exactly this entity. */
  of(entity: QuotaEntity): Limits {
    return this.#quotas.get(entityKey(entity))?.limits ?? none;
  }

  /** The record that gives the entity these limits; none take it away. */
  record(entity: QuotaEntity, limits: Limits): KeyedRecord {
    const names = entityTypes.flatMap((type) => {
      const name = entity.get(type);
      return name === undefined ? [] : [type, name === null ? '' : `=${name}`];
    });
    return partRecord(this, names, limits.size === 0 ? null : { limits: Object.fromEntries(limits) });
  }

  apply(names: readonly string[], value: Fields | null): void {
    const entity = entityOf(names);
    const key = entityKey(entity);
    this.#changes++;
    if (value === null) this.#quotas.delete(key);
    else this.#quotas.set(key, { entity, limits: limitsOf(value) });
  }

  *snapshot(): Generator<KeyedRecord> {
    for (const { entity, limits } of this.#quotas.values()) yield this.record(entity, limits);
  }
}

function entityOf(names: readonly string[]): QuotaEntity {
  const entity = new Map<EntityType, string | null>();
  for (let i = 0; i < names.length; i += 2) {
    const [type, name] = [names[i], names[i + 1]];
    if (type === undefined || name === undefined || !isEntityType(type)) throw corrupt('a key');
    entity.set(type, name === '' ? null : name.slice(1));
  }
  return entity;
}

function limitsOf({ limits }: Fields): Limits {
  if (typeof limits !== 'object' || limits === null) throw corrupt('the field limits');
  const checked = new Map<string, number>();
  for (const [key, limit] of Object.entries(limits)) {
    if (typeof limit !== 'number' || !(limit > 0)) throw corrupt('the field limits');
    checked.set(key, limit);
  }
  return checked;
}
