/**
 * The requests that scripts/oracle.mjs sends to both brokers, in order. Every scenario makes the topics that it needs,
 * in names from `target.topic`, and takes back what it changed of the broker's settings.
 */

import {
  alterReplicaLogDirs,
  describeLogDirs,
  describeQuorum,
  electLeaders,
  nodes,
  partitionReassignments,
  updateFeatures,
} from './oracle-cluster-steps.mjs';
import {
  classicGroups,
  classicOffsets,
  findCoordinators,
  staticClassicMembers,
} from './oracle-classic-group-steps.mjs';
import { alterConfigs, alterGrammars, describeConfigs, incrementalAlterConfigs } from './oracle-config-steps.mjs';
import { fetches, fetchSessions } from './oracle-fetch-steps.mjs';
import { clientQuotas, listConfigResources, throttling } from './oracle-quota-steps.mjs';
import { deleteRecords, initProducerId, listOffsets, offsetForLeaderEpoch, produce } from './oracle-record-steps.mjs';
import { acls, delegationTokens, sasl, scramCredentials } from './oracle-security-steps.mjs';
import {
  consumerGroupHeartbeat,
  consumerGroupMistakes,
  listedGroups,
  offsetsAtMemberEpochs,
  staticMembers,
  topicRegexes,
} from './oracle-consumer-group-steps.mjs';
import { classicMembersOfConsumerGroups, upgradeAndDowngrade } from './oracle-migration-steps.mjs';
import {
  streamsGroupHeartbeat,
  streamsGroupMistakes,
  streamsOffsets,
  streamsSettings,
  streamsStaticMembers,
  streamsTopologies,
} from './oracle-streams-steps.mjs';
import {
  apiVersions,
  createPartitions,
  createTopics,
  deleteTopics,
  describeCluster,
  describeTopicPartitions,
  metadata,
} from './oracle-topic-steps.mjs';
import {
  addOffsets,
  addPartitions,
  endTransactions,
  fencing,
  initTransactions,
  listTransactions,
  wakeCoordinators,
  writeMarkers,
} from './oracle-transaction-steps.mjs';
import {
  deletedOffsets,
  fencedOffsets,
  transactionalFetch,
  transactionalOffsets,
  transactionalProduce,
} from './oracle-transactional-record-steps.mjs';
import { telemetry } from './oracle-telemetry-steps.mjs';
import { shareGroupState, shareGroupStateInUse } from './oracle-share-state-steps.mjs';
import {
  shareFetch,
  shareGroupHeartbeat,
  shareGroupOffsets,
  shareIsolation,
  shareMemberLeaves,
  shareOverlaps,
} from './oracle-share-steps.mjs';

export const scenarios = [
  { name: 'ApiVersions', run: apiVersions },
  { name: 'DescribeCluster', run: describeCluster },
  { name: 'CreateTopics', run: createTopics },
  { name: 'DeleteTopics', run: deleteTopics },
  { name: 'CreatePartitions', run: createPartitions },
  { name: 'Metadata', run: metadata },
  { name: 'ListOffsets', run: listOffsets },
  { name: 'Produce', run: produce },
  { name: 'Fetch', run: fetches },
  { name: 'Fetch sessions', run: fetchSessions },
  { name: 'InitProducerId', run: initProducerId },
  { name: 'DeleteRecords', run: deleteRecords },
  { name: 'OffsetForLeaderEpoch', run: offsetForLeaderEpoch },
  { name: 'DescribeTopicPartitions', run: describeTopicPartitions },
  { name: 'DescribeConfigs', run: describeConfigs },
  { name: 'AlterConfigs', run: alterConfigs },
  { name: 'IncrementalAlterConfigs', run: incrementalAlterConfigs },
  { name: 'Settings with a grammar', run: alterGrammars },
  { name: 'DescribeLogDirs', run: describeLogDirs },
  { name: 'AlterReplicaLogDirs', run: alterReplicaLogDirs },
  { name: 'ElectLeaders', run: electLeaders },
  { name: 'PartitionReassignments', run: partitionReassignments },
  { name: 'DescribeQuorum', run: describeQuorum },
  { name: 'UpdateFeatures', run: updateFeatures },
  { name: 'Nodes', run: nodes },
  { name: 'ShareGroupState', run: shareGroupState },
  { name: 'Acls', run: acls },
  { name: 'Sasl', run: sasl },
  { name: 'DelegationTokens', run: delegationTokens },
  { name: 'ScramCredentials', run: scramCredentials },
  { name: 'ClientQuotas', run: clientQuotas },
  { name: 'Throttling', run: throttling, isTimed: true },
  { name: 'ListConfigResources', run: listConfigResources },
  { name: 'Telemetry', run: telemetry },
  { name: 'Transactions, coordinators', run: wakeCoordinators },
  { name: 'Transactions, InitProducerId', run: initTransactions },
  { name: 'Transactions, AddPartitionsToTxn', run: addPartitions },
  { name: 'Transactions, AddOffsetsToTxn', run: addOffsets },
  { name: 'Transactions, EndTxn', run: endTransactions },
  { name: 'Transactions, fencing', run: fencing },
  { name: 'Transactions, Produce', run: transactionalProduce },
  { name: 'Transactions, Fetch', run: transactionalFetch },
  { name: 'Transactions, TxnOffsetCommit', run: transactionalOffsets },
  { name: 'Transactions, fenced offsets', run: fencedOffsets },
  { name: 'Transactions, deleted offsets', run: deletedOffsets },
  { name: 'Transactions, ListTransactions', run: listTransactions },
  { name: 'Transactions, WriteTxnMarkers', run: writeMarkers },
  { name: 'FindCoordinator', run: findCoordinators },
  { name: 'ClassicGroup', run: classicGroups },
  { name: 'ClassicGroup static members', run: staticClassicMembers },
  { name: 'ClassicGroup offsets', run: classicOffsets },
  { name: 'ConsumerGroupHeartbeat', run: consumerGroupHeartbeat },
  { name: 'ConsumerGroup mistakes', run: consumerGroupMistakes },
  { name: 'ConsumerGroup static members', run: staticMembers },
  { name: 'ConsumerGroup offsets', run: offsetsAtMemberEpochs },
  { name: 'ConsumerGroup listed', run: listedGroups },
  { name: 'ConsumerGroup regex', run: topicRegexes },
  { name: 'Migration', run: upgradeAndDowngrade },
  { name: 'Migration, mixed', run: classicMembersOfConsumerGroups },
  { name: 'ShareGroupHeartbeat', run: shareGroupHeartbeat },
  { name: 'ShareFetch', run: shareFetch },
  { name: 'ShareFetch after leaving', run: shareMemberLeaves },
  { name: 'ShareAcknowledge overlaps', run: shareOverlaps },
  { name: 'ShareFetch isolation', run: shareIsolation },
  { name: 'ShareGroup offsets', run: shareGroupOffsets },
  { name: 'ShareGroupState in use', run: shareGroupStateInUse },
  { name: 'StreamsGroupHeartbeat', run: streamsGroupHeartbeat },
  { name: 'StreamsGroup mistakes', run: streamsGroupMistakes },
  { name: 'StreamsGroup topologies', run: streamsTopologies },
  { name: 'StreamsGroup static members', run: streamsStaticMembers },
  { name: 'StreamsGroup settings', run: streamsSettings, isTimed: true },
  { name: 'StreamsGroup offsets', run: streamsOffsets },
];
