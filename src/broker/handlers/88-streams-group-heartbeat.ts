/**
 * StreamsGroupHeartbeat (KIP-1071): a member of a streams group joins, stays or leaves, and hears which tasks it is to
 * run; answered once what it hears is durable, and the topics that its application needs are made. I/O thread.
 */

import { ErrorCode, errorName } from '../../base/error-code.ts';
import {
  defaultStreamsGroupHeartbeatResponse,
  type StreamsGroupHeartbeatRequest,
  type StreamsGroupHeartbeatRequestTopology,
  type StreamsGroupHeartbeatRequestTopologySubtopologiesRepartitionSourceTopics,
  type StreamsGroupHeartbeatResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import { streamsFeature } from '../feature-levels.ts';
import { MemberEpoch } from '../groups/consumer/consumer-member.ts';
import { isRefusal, refusal, type Refusal } from '../groups/consumer/refusal.ts';
import { StreamsStatus, type ConfiguredTopic } from '../groups/streams/configured-topology.ts';
import type { StreamsBeatAnswer } from '../groups/streams/streams-heartbeat.ts';
import type { StreamsBeat } from '../groups/streams/streams-plan.ts';
import { taskFields, taskSetOf, type Tasks } from '../groups/streams/tasks.ts';
import { namedTopics, problemOfTopology, type InternalTopic, type Topology } from '../groups/streams/topology.ts';
import type { ApiHandler, RequestContext } from '../request-context.ts';
import { maxPartitionsPerRequest, messageOf } from '../topic-catalog.ts';
import { isInternalTopic, isStateLogTopic, problemOfTopicName } from '../topic-name.ts';

/** How often members may tell how far they are with their state, in milliseconds, and how far behind counts as caught up. */
const taskOffsetIntervalMs = 60_000;
const acceptableRecoveryLag = 10_000;

export const streamsGroupHeartbeatHandler: ApiHandler<StreamsGroupHeartbeatRequest, StreamsGroupHeartbeatResponse> = {
  apiKey: 88,
  async handle(request, context, broker) {
    const topology = request.topology === null ? null : topologyOf(request.topology);
    const problem = problemOf(request, topology, context, broker);
    if (problem !== null) return refused(problem);
    const { groupId, memberEpoch } = request;
    if (memberEpoch < MemberEpoch.JOINING) return leave(request, broker);
    const answer = broker.groups.streams.beat(groupId, beatOf(request, topology, context));
    if (isRefusal(answer)) return refused(answer);
    const errorCode = await broker.groups.streams.settled(groupId);
    if (errorCode !== ErrorCode.NONE) return refused(unwritten(errorCode));
    const problemOfTopics = await makeTopics(answer.missingTopics, context, broker);
    return responseOf(answer, problemOfTopics, broker.groups.streams.heartbeatIntervalMs(groupId));
  },
};

/** What a response has that says nothing. */
function nothing(): StreamsGroupHeartbeatResponse {
  return { ...defaultStreamsGroupHeartbeatResponse(), status: [], acceptableRecoveryLag: -1 };
}

function refused({ errorCode, message }: Refusal): StreamsGroupHeartbeatResponse {
  return { ...nothing(), errorCode, errorMessage: message };
}

function unwritten(errorCode: ErrorCode): Refusal {
  return refusal(errorCode, 'The change could not be written.');
}

async function leave(
  request: StreamsGroupHeartbeatRequest,
  { groups }: Broker,
): Promise<StreamsGroupHeartbeatResponse> {
  const { groupId, memberId, instanceId, memberEpoch } = request;
  const leaving = { memberId, instanceId, memberEpoch, stopsApplication: request.shutdownApplication };
  const problem = groups.streams.leave(groupId, leaving);
  if (problem !== null) return refused(problem);
  const errorCode = await groups.streams.settled(groupId);
  if (errorCode !== ErrorCode.NONE) return refused(unwritten(errorCode));
  return { ...nothing(), memberId, memberEpoch };
}

const notSupported = refusal(
  ErrorCode.UNSUPPORTED_VERSION,
  'The feature streams.version is off: update it to level 1.',
);

/** What is wrong with the request whatever the group is, or null; in the order in which Kafka looks. */
function problemOf(
  request: StreamsGroupHeartbeatRequest,
  topology: Topology | null,
  context: RequestContext,
  broker: Broker,
): Refusal | null {
  if (broker.topics.image.features.level(streamsFeature) === 0) return notSupported;
  const problem = topology === null ? null : problemOfTopics(topology, context, broker);
  if (problem !== null) return problem;
  if (!broker.groups.isActive) return refusal(ErrorCode.COORDINATOR_NOT_AVAILABLE, 'The broker is stopping.');
  const { memberEpoch } = request;
  if (request.topology?.subtopologies.some(({ sourceTopicRegex }) => sourceTopicRegex.length > 0) === true) {
    return invalid('Regular expressions for source topics are not supported yet.');
  }
  if (isBlank(request.memberId)) return invalid("MemberId can't be empty.");
  if (isBlank(request.groupId)) return invalid("GroupId can't be empty.");
  if (isBlank(request.instanceId)) return invalid("InstanceId can't be empty.");
  if (isBlank(request.rackId)) return invalid("RackId can't be empty.");
  if (memberEpoch === MemberEpoch.JOINING) {
    const problemJoining = problemOfJoin(request, topology);
    if (problemJoining !== null) return problemJoining;
  }
  if (memberEpoch === MemberEpoch.LEAVING_STATIC && request.instanceId === null) {
    return invalid("InstanceId can't be null.");
  }
  if (memberEpoch < MemberEpoch.LEAVING_STATIC) {
    return invalid(`MemberEpoch is ${memberEpoch}, but must be greater than or equal to -2.`);
  }
  const owned = [request.activeTasks, request.standbyTasks, request.warmupTasks];
  if (owned.some((tasks) => tasks === null) && owned.some((tasks) => tasks !== null)) {
    return invalid('If one task-type is non-null, all must be non-null.');
  }
  if (memberEpoch !== MemberEpoch.JOINING && topology !== null) {
    return invalid('Topology can only be provided when (re-)joining.');
  }
  return null;
}

function problemOfJoin(request: StreamsGroupHeartbeatRequest, topology: Topology | null): Refusal | null {
  if (request.rebalanceTimeoutMs === -1) return invalid('RebalanceTimeoutMs must be provided in first request.');
  const tasks = {
    ActiveTasks: request.activeTasks,
    StandbyTasks: request.standbyTasks,
    WarmupTasks: request.warmupTasks,
  };
  for (const [name, fields] of Object.entries(tasks)) {
    if (fields === null || fields.length > 0) return invalid(`${name} must be empty when (re-)joining.`);
  }
  if (topology === null) return invalid('Topology must be non-null when (re-)joining.');
  const problem = problemOfTopology(topology);
  return problem === null ? null : refusal(ErrorCode.STREAMS_INVALID_TOPOLOGY, problem);
}

function problemOfTopics(topology: Topology, context: RequestContext, { authorizer }: Broker): Refusal | null {
  const names = [...namedTopics(topology)];
  const internal = names.filter((name) => isInternalTopic(name) || isStateLogTopic(name));
  if (internal.length > 0) {
    const message = `Use of Kafka internal topics ${internal.join(',')} in a Kafka Streams topology is prohibited.`;
    return refusal(ErrorCode.STREAMS_INVALID_TOPOLOGY, message);
  }
  const illegal = names.filter((name) => problemOfTopicName(name) !== null);
  if (illegal.length > 0) {
    const message = `Topic names ${shown(illegal)} are not valid topic names.`;
    return refusal(ErrorCode.STREAMS_INVALID_TOPOLOGY, message);
  }
  const mayDescribe = (name: string): boolean => allowsOnTopic(authorizer, context, AclOperation.DESCRIBE, name);
  if (names.every(mayDescribe)) return null;
  return refusal(ErrorCode.TOPIC_AUTHORIZATION_FAILED, 'The principal may not describe all topics of the topology.');
}

/** As many names as a person reads. */
const maxShownLength = 1000;

function shown(names: readonly string[]): string {
  const text = names.join(',');
  return text.length <= maxShownLength ? text : `${text.slice(0, maxShownLength)}…`;
}

function invalid(message: string): Refusal {
  return refusal(ErrorCode.INVALID_REQUEST, message);
}

function isBlank(text: string | null): boolean {
  return text !== null && text.trim() === '';
}

function beatOf(
  request: StreamsGroupHeartbeatRequest,
  topology: Topology | null,
  { apiVersion, clientId, connection }: RequestContext,
): StreamsBeat {
  const { clientTags } = request;
  return {
    memberId: request.memberId,
    memberEpoch: request.memberEpoch,
    instanceId: request.instanceId,
    rackId: request.rackId,
    rebalanceTimeoutMs: request.rebalanceTimeoutMs,
    topology,
    owned: ownedTasks(request),
    processId: request.processId,
    endpoint: request.userEndpoint,
    clientTags: clientTags === null ? null : new Map(clientTags.map(({ key, value }) => [key, value])),
    taskOffsets: request.taskOffsets,
    taskEndOffsets: request.taskEndOffsets,
    stopsApplication: request.shutdownApplication,
    endpointEpoch: request.endpointInformationEpoch,
    apiVersion,
    clientId: clientId ?? '',
    clientHost: `/${connection.clientHost}`,
  };
}

function ownedTasks({ activeTasks, standbyTasks, warmupTasks }: StreamsGroupHeartbeatRequest): Tasks | null {
  if (activeTasks === null || standbyTasks === null || warmupTasks === null) return null;
  return { active: taskSetOf(activeTasks), standby: taskSetOf(standbyTasks), warmup: taskSetOf(warmupTasks) };
}

function topologyOf({ epoch, subtopologies }: StreamsGroupHeartbeatRequestTopology): Topology {
  return {
    epoch,
    subtopologies: subtopologies.map((subtopology) => ({
      id: subtopology.subtopologyId,
      sourceTopics: subtopology.sourceTopics,
      repartitionSinkTopics: subtopology.repartitionSinkTopics,
      repartitionSourceTopics: subtopology.repartitionSourceTopics.map(internalTopicOf),
      changelogTopics: subtopology.stateChangelogTopics.map(internalTopicOf),
      copartitionGroups: subtopology.copartitionGroups,
    })),
  };
}

function internalTopicOf({
  name,
  partitions,
  replicationFactor,
  topicConfigs,
}: StreamsGroupHeartbeatRequestTopologySubtopologiesRepartitionSourceTopics): InternalTopic {
  return { name, partitionCount: partitions, replicationFactor, configs: topicConfigs };
}

/** Makes the topics that the application needs. Returns why some could not be, for whoever reads the status, or null. */
async function makeTopics(
  topics: readonly ConfiguredTopic[],
  context: RequestContext,
  broker: Broker,
): Promise<string | null> {
  if (topics.length === 0) return null;
  const mayCreateAll = allowsOnCluster(broker.authorizer, context, AclOperation.CREATE);
  const mayCreate = (name: string): boolean => allowsOnTopic(broker.authorizer, context, AclOperation.CREATE, name);
  const forbidden = mayCreateAll ? [] : topics.map(({ name }) => name).filter((name) => !mayCreate(name));
  if (forbidden.length > 0) return `Unauthorized to CREATE on topics ${shown(forbidden)}.`;
  const partitionCount = topics.reduce((sum, topic) => sum + topic.partitionCount, 0);
  if (partitionCount > maxPartitionsPerRequest) {
    return `Creation failed: the topics have ${partitionCount} partitions together, and may have ${maxPartitionsPerRequest}.`;
  }
  const problems = await Promise.all(topics.map((topic) => problemOfCreation(topic, broker)));
  const failed = problems.filter((problem) => problem !== null);
  return failed.length === 0 ? null : `Creation failed: ${shown(failed)}.`;
}

/** Another member may have had the topic made by now: that is as good. */
async function problemOfCreation(
  { name, partitionCount, replicationFactor, configs }: ConfiguredTopic,
  { topics }: Broker,
): Promise<string | null> {
  const result = await topics.create({
    name,
    partitionCount,
    replicationFactor: replicationFactor === 0 ? -1 : replicationFactor,
    configs: configs.map(({ key, value }) => [key, value] as const),
  });
  const { errorCode } = result;
  if (errorCode === ErrorCode.NONE || errorCode === ErrorCode.TOPIC_ALREADY_EXISTS) return null;
  return `${name} (${messageOf(result) ?? errorName(errorCode)})`;
}

function responseOf(
  answer: StreamsBeatAnswer,
  problemOfTopics: string | null,
  heartbeatIntervalMs: number,
): StreamsGroupHeartbeatResponse {
  const { assigned } = answer;
  return {
    ...nothing(),
    memberId: answer.memberId,
    memberEpoch: answer.memberEpoch,
    heartbeatIntervalMs,
    taskOffsetIntervalMs,
    acceptableRecoveryLag,
    status: answer.statuses.map(({ statusCode, statusDetail }) => {
      const isOfTopics = statusCode === StreamsStatus.MISSING_INTERNAL_TOPICS && problemOfTopics !== null;
      return { statusCode, statusDetail: isOfTopics ? `${statusDetail}; ${problemOfTopics}` : statusDetail };
    }),
    activeTasks: assigned === null ? null : taskFields(assigned.active),
    standbyTasks: assigned === null ? null : taskFields(assigned.standby),
    warmupTasks: assigned === null ? null : taskFields(assigned.warmup),
    endpointInformationEpoch: answer.endpointEpoch,
    partitionsByUserEndpoint: answer.endpointPartitions === null ? null : [...answer.endpointPartitions],
  };
}
