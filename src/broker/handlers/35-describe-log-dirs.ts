/**
 * DescribeLogDirs: how large the partitions in the log directory are, and how large the disk is. I/O thread.
 * Asked about all, it opens every partition, as its size is not known before.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultDescribeLogDirsResponse,
  type DescribeLogDirsRequest,
  type DescribeLogDirsResponse,
  type DescribeLogDirsResponseResultsTopics,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { logDirectory } from '../log-directory.ts';
import type { ApiHandler } from '../request-context.ts';

/** Where the system does not say how large a disk is. */
const unknownBytes = -1;

export const describeLogDirsHandler: ApiHandler<DescribeLogDirsRequest, DescribeLogDirsResponse> = {
  apiKey: 35,
  async handle({ topics }, context, broker) {
    if (!allowsOnCluster(broker.authorizer, context, AclOperation.DESCRIBE)) {
      return { ...defaultDescribeLogDirsResponse(), errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED };
    }
    const wanted = topics === null ? everything(broker) : named(topics, broker);
    const found: DescribeLogDirsResponseResultsTopics[] = [];
    for (const [name, partitions] of wanted) {
      const described = [...partitions].flatMap((index) => describe(name, index, broker));
      if (described.length > 0) found.push({ name, partitions: described });
    }
    const { totalBytes, freeBytes } = await spaceOf(broker);
    const result = {
      errorCode: ErrorCode.NONE,
      logDir: logDirectory(broker),
      topics: found,
      totalBytes,
      usableBytes: freeBytes,
      isCordoned: false,
    };
    return { ...defaultDescribeLogDirsResponse(), results: [result] };
  },
};

function everything(broker: Broker): Map<string, Iterable<number>> {
  const wanted = new Map<string, Iterable<number>>();
  for (const { name, partitionCount } of broker.topics.image.topics()) {
    wanted.set(name, Array(partitionCount).keys());
  }
  return wanted;
}

/** A partition that stands twice is told once. */
function named(topics: NonNullable<DescribeLogDirsRequest['topics']>, broker: Broker): Map<string, Set<number>> {
  const wanted = new Map<string, Set<number>>();
  for (const { topic, partitions } of topics) {
    if (broker.topics.topic(topic) === null) continue;
    const indexes = wanted.get(topic) ?? new Set<number>();
    for (const partition of partitions) indexes.add(partition);
    wanted.set(topic, indexes);
  }
  return wanted;
}

function describe(name: string, partitionIndex: number, broker: Broker) {
  const found = broker.findPartition(broker.topics.topic(name), partitionIndex);
  if (found === null) return [];
  return [{ partitionIndex, partitionSize: found.log.sizeBytes, offsetLag: 0, isFutureKey: false }];
}

async function spaceOf(broker: Broker): Promise<{ readonly totalBytes: number; readonly freeBytes: number }> {
  try {
    return await broker.store.space();
  } catch (error) {
    broker.logger.warn({ error }, 'The size of the disk could not be read.');
    return { totalBytes: unknownBytes, freeBytes: unknownBytes };
  }
}
