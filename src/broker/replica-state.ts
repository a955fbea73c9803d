/**
 * What clients are told of a partition's replicas, of which there is one. I/O thread.
 *
 * A partition that takes no writes (its disk failed or is full, or something of it is missing) has none in sync, and its
 * replica is offline, so that tools show it. It keeps its leader, unlike in Kafka, where such a partition has none
 * (leader -1, LEADER_NOT_AVAILABLE): what is there can be read, and clients fetch only where Metadata names a leader. An
 * error beside the leader would not do either: kafkajs then takes none of the topic's partitions. Producers hear of it
 * by KAFKA_STORAGE_ERROR, which they try again, and consumers that have read everything wait there.
 */

import type { Broker } from './broker.ts';
import type { TopicImage } from './metadata-image.ts';

export interface ReplicaState {
  readonly leaderId: number;
  readonly leaderEpoch: number;
  readonly replicaNodes: number[];
  readonly isrNodes: number[];
  readonly offlineReplicas: number[];
}

/** The replicas of a partition that the topic has. */
export function replicaStateOf(topic: TopicImage, partition: number, broker: Broker): ReplicaState {
  const { nodeId, leaderEpoch } = broker;
  const nodes = [nodeId];
  const inSync = broker.topics.refusal(topic, partition) === null;
  return {
    leaderId: nodeId,
    leaderEpoch,
    replicaNodes: nodes,
    isrNodes: inSync ? nodes : [],
    offlineReplicas: inSync ? [] : nodes,
  };
}
