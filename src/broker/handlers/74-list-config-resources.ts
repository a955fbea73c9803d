/**
 * ListConfigResources (KIP-1142): what has settings, by type; the older version knows subscriptions of client metrics
 * alone. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultListConfigResourcesResponse,
  type ListConfigResourcesRequest,
  type ListConfigResourcesResponse,
  type ListConfigResourcesResponseConfigResources,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { ConfigResource } from '../config-resource.ts';
import type { ApiHandler } from '../request-context.ts';

const listed: readonly number[] = Object.values(ConfigResource);

export const listConfigResourcesHandler: ApiHandler<ListConfigResourcesRequest, ListConfigResourcesResponse> = {
  apiKey: 74,
  handle({ resourceTypes }, context, broker) {
    const response = defaultListConfigResourcesResponse();
    if (!allowsOnCluster(broker.authorizer, context, AclOperation.DESCRIBE_CONFIGS)) {
      return { ...response, errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED };
    }
    const wanted = new Set(context.apiVersion === 0 ? [ConfigResource.CLIENT_METRICS] : resourceTypes);
    for (const type of wanted) {
      if (!listed.includes(type)) return { ...response, errorCode: ErrorCode.UNSUPPORTED_VERSION };
    }
    // No types means all.
    const types = wanted.size === 0 ? listed : [...wanted];
    return { ...response, configResources: types.flatMap((type) => [...resourcesOf(type, broker)]) };
  },
};

function* resourcesOf(resourceType: number, broker: Broker): Generator<ListConfigResourcesResponseConfigResources> {
  const { image } = broker.topics;
  const names =
    resourceType === ConfigResource.TOPIC
      ? Array.from(image.topics(), ({ name }) => name)
      : resourceType === ConfigResource.GROUP
        ? Array.from(image.groupConfigs.entries(), ([name]) => name)
        : resourceType === ConfigResource.CLIENT_METRICS
          ? Array.from(image.clientMetrics.entries(), ([name]) => name)
          : [String(broker.nodeId)];
  for (const resourceName of names) yield { resourceType, resourceName };
}
