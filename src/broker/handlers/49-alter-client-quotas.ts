/**
 * AlterClientQuotas (KIP-546): sets and removes limits of entities. I/O thread. Each entity stands for itself and is
 * changed whole or not at all. Of what stands twice the first counts, and the answer is an error, as in Kafka.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultAlterClientQuotasResponse,
  type AlterClientQuotasRequest,
  type AlterClientQuotasRequestEntries,
  type AlterClientQuotasResponse,
  type AlterClientQuotasResponseEntries,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import type { MetadataImage } from '../metadata-image.ts';
import { invalid, parseEntity, problemOfLimit, type QuotaEntity } from '../quotas/quota-entity.ts';
import type { ApiHandler } from '../request-context.ts';
import { shownName } from '../shown-name.ts';
import { messageOf, type ChangeResult } from '../topic-catalog.ts';

export const alterClientQuotasHandler: ApiHandler<AlterClientQuotasRequest, AlterClientQuotasResponse> = {
  apiKey: 49,
  async handle({ entries, validateOnly }, context, broker) {
    const allowed = allowsOnCluster(broker.authorizer, context, AclOperation.ALTER_CONFIGS);
    const results = [...byEntity(entries).values()].map(async (same): Promise<AlterClientQuotasResponseEntries> => {
      const [entry] = same;
      const result = allowed
        ? await alter(same, validateOnly, broker)
        : { errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED, message: null };
      return { errorCode: result.errorCode, errorMessage: messageOf(result), entity: entry.entity };
    });
    return { ...defaultAlterClientQuotasResponse(), entries: await Promise.all(results) };
  },
};

type Entry = AlterClientQuotasRequestEntries;

/** What is for one entity is answered together. */
function byEntity(entries: readonly Entry[]): Map<string, [Entry, ...Entry[]]> {
  const groups = new Map<string, [Entry, ...Entry[]]>();
  for (const entry of entries) {
    const parts = entry.entity.map(({ entityType, entityName }) => [entityType, entityName]);
    const key = JSON.stringify(parts.toSorted(([a], [b]) => ((a ?? '') < (b ?? '') ? -1 : 1)));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [entry]);
    else group.push(entry);
  }
  return groups;
}

async function alter(
  [entry, ...others]: [Entry, ...Entry[]],
  validateOnly: boolean,
  broker: Broker,
): Promise<ChangeResult> {
  const entity = parseEntity(entry.entity);
  if ('errorCode' in entity) return entity;
  const duplicate = invalid(`Ignoring duplicate entity ${told(entity)}`);
  const keys = new Set(entry.ops.map(({ key }) => key));
  if (keys.size < entry.ops.length) return duplicate;
  for (const { key, value, remove } of entry.ops) {
    const problem = remove ? null : problemOfLimit(entity, key, value);
    if (problem !== null) return problem;
  }
  const result = await broker.changeMetadata((image) => (validateOnly ? [] : recordsOf(entity, entry, image)));
  return others.length > 0 ? duplicate : result;
}

function recordsOf(entity: QuotaEntity, { ops }: Entry, { quotas }: MetadataImage) {
  const before = quotas.of(entity);
  const after = new Map(before);
  for (const { key, value, remove } of ops) {
    if (remove) after.delete(key);
    else after.set(key, value);
  }
  const isSame = after.size === before.size && [...after].every(([key, value]) => before.get(key) === value);
  return isSame ? [] : [quotas.record(entity, after)];
}

/** The entity as Kafka prints it. */
function told(entity: QuotaEntity): string {
  const parts = [...entity].map(([type, name]) => `${type}=${name === null ? 'null' : shownName(name)}`);
  return `ClientQuotaEntity(entries={${parts.join(', ')}})`;
}
