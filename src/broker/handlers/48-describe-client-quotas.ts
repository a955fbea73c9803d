/**
 * DescribeClientQuotas (KIP-546): the quotas of the entities that a filter takes. I/O thread.
 * Each component of the filter names one type: exactly this name, the default, or any. A strict filter takes no entity
 * that has further types.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultDescribeClientQuotasResponse,
  type DescribeClientQuotasRequest,
  type DescribeClientQuotasResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import { invalid, isEntityType, type EntityType, type QuotaEntity } from '../quotas/quota-entity.ts';
import type { ApiHandler } from '../request-context.ts';
import { shownName } from '../shown-name.ts';
import type { ChangeResult } from '../topic-catalog.ts';

const MatchType = { EXACT: 0, DEFAULT: 1, ANY: 2 } as const;

/** What an entity has to be called in each type: a name, null for the default, undefined for whatever. */
type Filter = ReadonlyMap<EntityType, string | null | undefined>;

export const describeClientQuotasHandler: ApiHandler<DescribeClientQuotasRequest, DescribeClientQuotasResponse> = {
  apiKey: 48,
  handle({ components, strict }, context, broker) {
    const refuse = ({ errorCode, message }: ChangeResult): DescribeClientQuotasResponse => ({
      ...defaultDescribeClientQuotasResponse(),
      errorCode,
      errorMessage: message,
      entries: null,
    });
    if (!allowsOnCluster(broker.authorizer, context, AclOperation.DESCRIBE_CONFIGS)) {
      return refuse({ errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED, message: null });
    }
    const filter = parseFilter(components);
    if ('errorCode' in filter) return refuse(filter);
    const entries = [...broker.topics.image.quotas.entries()]
      .filter(({ entity }) => matches(entity, filter, strict))
      .map(({ entity, limits }) => ({
        entity: [...entity].map(([entityType, entityName]) => ({ entityType, entityName })),
        values: [...limits].map(([key, value]) => ({ key, value })),
      }));
    return { ...defaultDescribeClientQuotasResponse(), errorMessage: '', entries };
  },
};

function parseFilter(components: DescribeClientQuotasRequest['components']): Filter | ChangeResult {
  const filter = new Map<EntityType, string | null | undefined>();
  for (const { entityType, matchType, match } of components) {
    if (entityType === '') return invalid('Invalid empty entity type.');
    if (!isEntityType(entityType)) {
      const message = `Unsupported entity type ${shownName(entityType)}`;
      return { errorCode: ErrorCode.UNSUPPORTED_VERSION, message };
    }
    if (filter.has(entityType)) return invalid(`Entity type ${entityType} cannot appear more than once in the filter.`);
    if (matchType === MatchType.EXACT && match === null) {
      return invalid('Request specified MATCH_TYPE_EXACT, but set match string to null.');
    }
    if (matchType === MatchType.DEFAULT && match !== null) {
      return invalid('Request specified MATCH_TYPE_DEFAULT, but also specified a match string.');
    }
    if (matchType === MatchType.ANY && match !== null) {
      return invalid('Request specified MATCH_TYPE_SPECIFIED, but also specified a match string.');
    }
    if (matchType < MatchType.EXACT || matchType > MatchType.ANY) return invalid(`Unknown match type ${matchType}`);
    filter.set(entityType, matchType === MatchType.ANY ? undefined : match);
  }
  if (filter.has('ip') && filter.size > 1) {
    return invalid(
      'Invalid entity filter component combination. IP filter component should not be used with user or clientId filter component.',
    );
  }
  return filter;
}

function matches(entity: QuotaEntity, filter: Filter, strict: boolean): boolean {
  if (strict && (entity.size !== filter.size || filter.size === 0)) return false;
  for (const [type, name] of filter) {
    if (!entity.has(type) || (name !== undefined && entity.get(type) !== name)) return false;
  }
  return true;
}
