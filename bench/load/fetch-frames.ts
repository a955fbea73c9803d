/** Fetch requests without a session, encoded for each: they are few beside what they bring. Load thread. */

import { zeroUuid } from '../../src/base/uuid.ts';
import { defaultFetchRequest, fetchApi } from '../../src/protocol/generated/index.ts';
import { encodeRequestHeader } from '../../src/protocol/headers.ts';
import { Writer } from '../../src/protocol/writer.ts';
import { fetchVersion } from './fetch-answer.ts';
import type { JobTarget } from './load-job.ts';
import { webSocketHeader } from './web-socket-frames.ts';

export interface FetchBounds {
  readonly maxWaitMs: number;
  readonly fetchBytes: number;
  readonly partitionFetchBytes: number;
}

export interface FetchPlace {
  readonly partition: number;
  readonly offset: number;
}

export function fetchFrame(
  { topic, transport }: JobTarget,
  bounds: FetchBounds,
  places: readonly FetchPlace[],
): Buffer {
  const partitions = places.map(({ partition, offset }) => ({
    partition,
    currentLeaderEpoch: -1,
    fetchOffset: offset,
    lastFetchedEpoch: -1,
    logStartOffset: -1,
    partitionMaxBytes: bounds.partitionFetchBytes,
    replicaDirectoryId: zeroUuid,
    highWatermark: -1,
  }));
  const writer = new Writer(true);
  const start = { apiKey: fetchApi.apiKey, apiVersion: fetchVersion, correlationId: 0, clientId: 'load' };
  encodeRequestHeader(writer, start, false);
  const request = {
    ...defaultFetchRequest(),
    maxWaitMs: bounds.maxWaitMs,
    minBytes: 1,
    maxBytes: bounds.fetchBytes,
    topics: [{ topic, topicId: zeroUuid, partitions }],
  };
  fetchApi.encodeRequest(writer, request, fetchVersion);
  const frame = Buffer.concat(writer.finish());
  return transport === 'tcp' ? frame : Buffer.concat([webSocketHeader(frame.length), frame]);
}
