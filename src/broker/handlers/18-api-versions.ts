/**
 * ApiVersions: what this broker serves, with Kafka's ranges, and its features. I/O thread.
 * Only keys with a handler are advertised, and a feature only where the keys that it needs are. A version of ApiVersions
 * that is not known never comes here (dispatcher.ts).
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { ServerCodec } from '../../protocol/api-codec.ts';
import {
  defaultApiVersionsResponse,
  type ApiVersionsRequest,
  type ApiVersionsResponse,
} from '../../protocol/generated/index.ts';
import type { Broker } from '../broker.ts';
import { features } from '../feature-levels.ts';
import type { ApiHandler, RequestContext } from '../request-context.ts';

export const apiVersionsKey = 18;
export const produceKey = 0;

/** KIP-511: what a client may call itself. */
const softwareName = /^[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?$/;

/** `advertised` gives the codecs of the keys that are served, in ascending order. */
export function apiVersionsHandler(
  advertised: () => readonly ServerCodec[],
): ApiHandler<ApiVersionsRequest, ApiVersionsResponse> {
  return {
    apiKey: apiVersionsKey,
    handle(request, context, broker) {
      const errorCode = problemOf(request, context, broker);
      // Who must not go on here is not told what there would be.
      if (errorCode !== ErrorCode.NONE) return { ...defaultApiVersionsResponse(), errorCode };
      const apis = advertised();
      const apiKeys = apis.map(({ apiKey, minVersion, stableVersion }) => ({
        apiKey,
        // librdkafka takes the versions of Produce for the compressions that the broker knows, so Kafka names them from
        // 0, though it serves none below 3.
        minVersion: apiKey === produceKey ? 0 : minVersion,
        maxVersion: stableVersion,
      }));
      const served = new Set(apis.map(({ apiKey }) => apiKey));
      const levels = broker.topics.image.features;
      const known = features.filter(({ needs }) => needs === null || served.has(needs));
      return {
        ...defaultApiVersionsResponse(),
        apiKeys,
        supportedFeatures: known
          // Before version 4 a client takes a minimum of 0 for an error.
          .filter(({ min }) => min > 0 || context.apiVersion >= 4)
          .map(({ name, min, max }) => ({ name, minVersion: min, maxVersion: max })),
        finalizedFeaturesEpoch: levels.epoch,
        finalizedFeatures: known
          .map(({ name }) => ({ name, level: levels.level(name) }))
          .filter(({ level }) => level > 0)
          .map(({ name, level }) => ({ name, maxVersionLevel: level, minVersionLevel: level })),
      };
    },
  };
}

function problemOf(request: ApiVersionsRequest, { apiVersion, connection }: RequestContext, broker: Broker): ErrorCode {
  if (apiVersion < 3) return ErrorCode.NONE;
  const { clientSoftwareName, clientSoftwareVersion, clusterId, nodeId } = request;
  if (!softwareName.test(clientSoftwareName) || !softwareName.test(clientSoftwareVersion)) {
    return ErrorCode.INVALID_REQUEST;
  }
  connection.clientSoftwareName = clientSoftwareName;
  connection.clientSoftwareVersion = clientSoftwareVersion;
  // KIP-1242: the client believes it talks to another cluster or node, and should start anew from its first addresses.
  const elsewhere =
    (clusterId !== null && clusterId !== broker.clusterId) || (nodeId !== -1 && nodeId !== broker.nodeId);
  return elsewhere ? ErrorCode.REBOOTSTRAP_REQUIRED : ErrorCode.NONE;
}
