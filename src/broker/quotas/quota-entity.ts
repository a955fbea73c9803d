/**
 * Whom a quota is for (KIP-546): a user, a client id, both, or an address; each by name, or as the default of all that
 * have none of their own. Any thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { isIP } from '../ip-address.ts';
import { shownName } from '../shown-name.ts';
import type { ChangeResult } from '../topic-catalog.ts';

export const entityTypes = ['user', 'client-id', 'ip'] as const;
export type EntityType = (typeof entityTypes)[number];

/** The names by type; null is the default. A type that is missing says nothing. */
export type QuotaEntity = ReadonlyMap<EntityType, string | null>;

/** What a quota limits, and whether it has to be a whole number. */
interface QuotaKey {
  readonly isInteger: boolean;
  readonly largest: number;
}

const byteRate: QuotaKey = { isInteger: true, largest: 2 ** 63 };
const userAndClientKeys: ReadonlyMap<string, QuotaKey> = new Map([
  ['producer_byte_rate', byteRate],
  ['consumer_byte_rate', byteRate],
  ['request_percentage', { isInteger: false, largest: Infinity }],
  ['controller_mutation_rate', { isInteger: false, largest: Infinity }],
]);
const addressKeys: ReadonlyMap<string, QuotaKey> = new Map([
  ['connection_creation_rate', { isInteger: true, largest: 2 ** 31 - 1 }],
]);

interface NamedPart {
  readonly entityType: string;
  readonly entityName: string | null;
}

/** One text for each entity, however its parts were ordered. */
export function entityKey(entity: QuotaEntity): string {
  return JSON.stringify(entityTypes.flatMap((type) => (entity.has(type) ? [[type, entity.get(type) ?? null]] : [])));
}

export function isEntityType(type: string): type is EntityType {
  return (entityTypes as readonly string[]).includes(type);
}

/** Checks an entity of AlterClientQuotas, with Kafka's sentences. */
export function parseEntity(parts: readonly NamedPart[]): QuotaEntity | ChangeResult {
  if (parts.length === 0) return invalid('Invalid empty client quota entity');
  const entity = new Map<EntityType, string | null>();
  for (const { entityType, entityName } of parts) {
    if (!isEntityType(entityType)) return invalid(`Unhandled client quota entity type: ${shownName(entityType)}`);
    if (entity.has(entityType)) return invalid(`Invalid client quota entity: ${entityType} stands in it twice`);
    if (entityName === '') return invalid(`Empty ${entityType} not supported`);
    entity.set(entityType, entityName);
  }
  if (!entity.has('ip')) return entity;
  if (entity.size > 1) {
    return invalid('Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId');
  }
  const address = entity.get('ip') ?? null;
  if (address === null || isIP(address)) return entity;
  return invalid(`${shownName(address)} is not a valid IP or resolvable host.`);
}

/** What is wrong with a limit for the entity, or null. */
export function problemOfLimit(entity: QuotaEntity, key: string, value: number): ChangeResult | null {
  const known = (entity.has('ip') ? addressKeys : userAndClientKeys).get(key);
  if (known === undefined) return invalid(`Invalid configuration key ${shownName(key)}`);
  if (!Number.isFinite(value)) return invalid(`Quota ${key} must be a finite number`);
  if (value <= 0) return invalid(`Quota ${key} must be greater than 0`);
  if (!known.isInteger) return null;
  if (value > known.largest) {
    return invalid(`Proposed value for ${key} is too large for a${entity.has('ip') ? 'n INT' : ' LONG'}.`);
  }
  return Number.isInteger(value) ? null : invalid(`${key} cannot be a fractional value.`);
}

export function invalid(message: string): ChangeResult {
  return { errorCode: ErrorCode.INVALID_REQUEST, message };
}
