/**
 * ElectLeaders: preferred and unclean elections, as a node answers that leads all its partitions: none is needed.
 * I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultElectLeadersResponse,
  type ElectLeadersRequest,
  type ElectLeadersResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler } from '../request-context.ts';
import { shownName } from '../shown-name.ts';

const ElectionType = { PREFERRED: 0, UNCLEAN: 1 } as const;

interface Outcome {
  readonly errorCode: ErrorCode;
  readonly errorMessage: string | null;
}

export const electLeadersHandler: ApiHandler<ElectLeadersRequest, ElectLeadersResponse> = {
  apiKey: 43,
  handle({ electionType, topicPartitions }, context, broker) {
    const refusal = allowsOnCluster(broker.authorizer, context, AclOperation.ALTER)
      ? problemOfType(electionType)
      : { errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED, errorMessage: null };
    const errorCode = refusal?.errorCode ?? ErrorCode.NONE;
    // Asked about all, Kafka names the topics, and of their partitions those that changed leaders.
    const topics =
      topicPartitions ?? [...broker.topics.image.topics()].map(({ name }) => ({ topic: name, partitions: [] }));
    const replicaElectionResults = topics.map(({ topic, partitions }) => ({
      topic,
      partitionResult: partitions.map((partitionId) => ({
        partitionId,
        ...(refusal ?? outcome(topic, partitionId, broker)),
      })),
    }));
    return { ...defaultElectLeadersResponse(), errorCode, replicaElectionResults };
  },
};

function problemOfType(electionType: number): Outcome | null {
  if (electionType === ElectionType.PREFERRED || electionType === ElectionType.UNCLEAN) return null;
  return { errorCode: ErrorCode.INVALID_REQUEST, errorMessage: `Unknown election type ${electionType}` };
}

function outcome(name: string, partition: number, broker: Broker): Outcome {
  const topic = broker.topics.topic(name);
  const missing = (what: string): Outcome => ({
    errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    errorMessage: `No such ${what}`,
  });
  if (topic === null) return missing(`topic as ${shownName(name)}`);
  if (partition < 0 || partition >= topic.partitionCount) return missing(`partition as ${name}-${partition}`);
  return { errorCode: ErrorCode.ELECTION_NOT_NEEDED, errorMessage: 'Leader election not needed for topic partition.' };
}
