/**
 * AlterReplicaLogDirs: moves replicas between log directories. I/O thread.
 * There is one directory, so a replica can only be told to be where it is.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultAlterReplicaLogDirsResponse,
  type AlterReplicaLogDirsRequest,
  type AlterReplicaLogDirsResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { logDirectory } from '../log-directory.ts';
import type { ApiHandler } from '../request-context.ts';

export const alterReplicaLogDirsHandler: ApiHandler<AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse> = {
  apiKey: 34,
  handle({ dirs }, context, broker) {
    const allowed = allowsOnCluster(broker.authorizer, context, AclOperation.ALTER);
    // A partition that is named for several directories is answered once, for the last.
    const byTopic = new Map<string, Map<number, ErrorCode>>();
    for (const { path, topics } of dirs) {
      for (const { name, partitions } of topics) {
        const codes = byTopic.get(name) ?? new Map<number, ErrorCode>();
        byTopic.set(name, codes);
        for (const partition of partitions) {
          codes.set(
            partition,
            allowed ? outcome(path, name, partition, broker) : ErrorCode.CLUSTER_AUTHORIZATION_FAILED,
          );
        }
      }
    }
    const results = [...byTopic].map(([topicName, codes]) => ({
      topicName,
      partitions: [...codes].map(([partitionIndex, errorCode]) => ({ partitionIndex, errorCode })),
    }));
    return { ...defaultAlterReplicaLogDirsResponse(), results };
  },
};

function outcome(path: string, name: string, partition: number, broker: Broker): ErrorCode {
  if (path !== logDirectory(broker)) return ErrorCode.LOG_DIR_NOT_FOUND;
  const topic = broker.topics.topic(name);
  const exists = topic !== null && partition >= 0 && partition < topic.partitionCount;
  return exists ? ErrorCode.NONE : ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
}
