/**
 * Which API keys and versions are told to clients, and which are served. Any thread.
 *
 * Told is what a default Apache Kafka 4.4 tells: every codec's versions up to the newest stable one, except that
 *   - Produce is told from 0 and served from 3: librdkafka reads from the low bound that batches may be compressed;
 *   - telemetry is served but not told, since without a receiver for metrics clients should not begin with it.
 * It does not hold feature levels, nor build the ApiVersions response.
 */

import type { ApiCodec } from './api-codec.ts';
import { ApiKey, apis } from './generated/index.ts';

/** One row of an ApiVersions response; both versions inclusive. */
export interface AdvertisedApi {
  readonly apiKey: number;
  readonly minVersion: number;
  readonly maxVersion: number;
}

const untold: ReadonlySet<number> = new Set([ApiKey.GetTelemetrySubscriptions, ApiKey.PushTelemetry]);

/** What clients are told, in rising order of keys. */
export const advertisedApis: readonly AdvertisedApi[] = [...apis.values()]
  .filter(({ apiKey }) => !untold.has(apiKey))
  .map(({ apiKey, minVersion, stableVersion }) => ({
    apiKey,
    minVersion: apiKey === ApiKey.Produce ? 0 : minVersion,
    maxVersion: stableVersion,
  }));

/** The codec for a request of that key and version; null where it is not served (UNSUPPORTED_VERSION). */
export function servedApi(apiKey: number, version: number): ApiCodec | null {
  const api = apis.get(apiKey);
  return api !== undefined && version >= api.minVersion && version <= api.stableVersion ? api : null;
}
