/**
 * A member of a streams group as a test drives it, heartbeat by heartbeat. It remembers its epoch and its tasks, and
 * gives up at once what it is told to, unless the test says otherwise.
 */

import { ErrorCode } from '../../../../src/base/error-code.ts';
import {
  offsetCommitApi,
  streamsGroupDescribeApi,
  streamsGroupHeartbeatApi,
  type StreamsGroupDescribeResponseGroups,
  type StreamsGroupHeartbeatRequest,
  type StreamsGroupHeartbeatRequestTopology,
  type StreamsGroupHeartbeatRequestTopologySubtopologies,
  type StreamsGroupHeartbeatResponse,
} from '../../../../src/protocol/generated/index.ts';
import type { TopicImage } from '../../../../src/broker/metadata-image.ts';
import type { BrokerHarness, FakeConnection, RequestWire } from '../../broker-harness.ts';

/** Targets are made at most once in so long, unless a setting says otherwise. */
export const assignmentIntervalMs = 1000;
/** A new group waits so long for more members, unless a setting says otherwise. */
export const initialDelayMs = 3000;

type TasksOfMember = Pick<StreamsGroupHeartbeatRequest, 'activeTasks' | 'standbyTasks' | 'warmupTasks'>;

const nothing: TasksOfMember = { activeTasks: [], standbyTasks: [], warmupTasks: [] };

export function subtopology(
  subtopologyId: string,
  sourceTopics: readonly string[],
  more: Partial<StreamsGroupHeartbeatRequestTopologySubtopologies> = {},
): StreamsGroupHeartbeatRequestTopologySubtopologies {
  return {
    subtopologyId,
    sourceTopics: [...sourceTopics],
    sourceTopicRegex: [],
    stateChangelogTopics: [],
    repartitionSinkTopics: [],
    repartitionSourceTopics: [],
    copartitionGroups: [],
    ...more,
  };
}

export function internalTopic(
  name: string,
  partitions = 0,
): { name: string; partitions: number; replicationFactor: number; topicConfigs: { key: string; value: string }[] } {
  return { name, partitions, replicationFactor: 0, topicConfigs: [] };
}

/** Words are counted: lines are read, and words by a key of their own over a repartition topic. */
export const wordCount: StreamsGroupHeartbeatRequestTopology = {
  epoch: 0,
  subtopologies: [
    subtopology('0', ['lines'], { repartitionSinkTopics: ['app-words-repartition'] }),
    subtopology('1', [], {
      repartitionSourceTopics: [
        { ...internalTopic('app-words-repartition'), topicConfigs: [{ key: 'cleanup.policy', value: 'delete' }] },
      ],
      stateChangelogTopics: [
        { ...internalTopic('app-counts-changelog'), topicConfigs: [{ key: 'cleanup.policy', value: 'compact' }] },
      ],
    }),
  ],
};

export interface TestStreamsOptions {
  readonly groupId?: string;
  readonly instanceId?: string;
  readonly processId?: string;
  readonly topology?: StreamsGroupHeartbeatRequestTopology;
  readonly rebalanceTimeoutMs?: number;
  readonly endpoint?: { readonly host: string; readonly port: number };
}

export class TestStreamsMember {
  readonly id: string;
  readonly options: TestStreamsOptions;
  harness: RequestWire;
  connection: FakeConnection;
  epoch = 0;
  tasks: TasksOfMember = nothing;
  /** What it last said that it has. */
  #said: StreamsGroupHeartbeatRequest['activeTasks'] = null;

  constructor(harness: RequestWire, id: string, options: TestStreamsOptions = {}) {
    this.harness = harness;
    this.id = id;
    this.options = options;
    this.connection = harness.connect();
  }

  get groupId(): string {
    return this.options.groupId ?? 'app';
  }

  /** Its tasks of one role, as `subtopology_partition`. */
  named(role: keyof TasksOfMember = 'activeTasks'): string[] {
    return (this.tasks[role] ?? []).flatMap(({ subtopologyId, partitions }) =>
      partitions.map((partition) => `${subtopologyId}_${partition}`),
    );
  }

  join(more: Partial<StreamsGroupHeartbeatRequest> = {}): Promise<StreamsGroupHeartbeatResponse> {
    const { topology = wordCount, processId = this.id, rebalanceTimeoutMs = 20_000, endpoint = null } = this.options;
    this.epoch = 0;
    this.tasks = nothing;
    const described = { topology, processId, rebalanceTimeoutMs, userEndpoint: endpoint, clientTags: [] };
    return this.send({ ...described, ...nothing, ...more });
  }

  /** A heartbeat with nothing new, and one more with its tasks where it has not said that yet. */
  async beat(): Promise<StreamsGroupHeartbeatResponse> {
    const response = await this.send();
    if (response.errorCode !== ErrorCode.NONE || this.#said === this.tasks.activeTasks) return response;
    return this.send(this.tasks);
  }

  async send(fields: Partial<StreamsGroupHeartbeatRequest> = {}): Promise<StreamsGroupHeartbeatResponse> {
    const response = await this.harness.request(
      streamsGroupHeartbeatApi,
      1,
      {
        groupId: this.groupId,
        memberId: this.id,
        memberEpoch: this.epoch,
        instanceId: this.options.instanceId ?? null,
        activeTasks: null,
        standbyTasks: null,
        warmupTasks: null,
        ...fields,
      },
      this.connection,
    );
    if (response.errorCode !== ErrorCode.NONE) return response;
    if (fields.activeTasks !== undefined) this.#said = fields.activeTasks;
    this.epoch = response.memberEpoch;
    if (response.activeTasks !== null) {
      const { activeTasks, standbyTasks, warmupTasks } = response;
      this.tasks = { activeTasks, standbyTasks, warmupTasks };
    }
    return response;
  }

  leave(memberEpoch = -1): Promise<StreamsGroupHeartbeatResponse> {
    return this.send({ memberEpoch });
  }

  async commit(topic: TopicImage, partitionIndex: number, epoch = this.epoch): Promise<number> {
    const partition = { partitionIndex, committedOffset: 1, committedLeaderEpoch: -1, committedMetadata: '' };
    const response = await this.harness.request(
      offsetCommitApi,
      10,
      {
        groupId: this.groupId,
        memberId: this.id,
        generationIdOrMemberEpoch: epoch,
        topics: [{ topicId: topic.id, name: '', partitions: [partition] }],
      },
      this.connection,
    );
    return response.topics[0]!.partitions[0]!.errorCode;
  }
}

export async function describeStreams(
  harness: RequestWire,
  groupId = 'app',
): Promise<StreamsGroupDescribeResponseGroups> {
  const { groups } = await harness.request(streamsGroupDescribeApi, 1, { groupIds: [groupId] });
  return groups[0]!;
}

/** Members take turns until all have come to the group's epoch. Fails where they do not within a few rounds. */
export async function reconcileStreams(harness: BrokerHarness, members: readonly TestStreamsMember[]): Promise<void> {
  const groupId = members[0]!.groupId;
  for (let round = 0; round < 8; round++) {
    harness.clock.advance(assignmentIntervalMs);
    for (const member of members) {
      const { errorCode, errorMessage } = await member.beat();
      if (errorCode !== ErrorCode.NONE) throw new Error(`member ${member.id} hears ${errorCode}: ${errorMessage}`);
    }
    if ((await describeStreams(harness, groupId)).groupState === 'Stable') return;
  }
  throw new Error('the group does not become stable');
}

/** A stable group of `count` members. */
export async function stableStreams(
  harness: BrokerHarness,
  count: number,
  options: TestStreamsOptions = {},
): Promise<TestStreamsMember[]> {
  const members = Array.from({ length: count }, (_, i) => new TestStreamsMember(harness, `m${i}`, options));
  for (const member of members) await member.join();
  harness.clock.advance(initialDelayMs);
  await reconcileStreams(harness, members);
  return members;
}

/** All active tasks that the members have, in order. */
export function allTasks(members: readonly TestStreamsMember[]): string[] {
  return members.flatMap((member) => member.named()).toSorted();
}

/** The first `count` tasks of a subtopology. */
export function tasksOf(id: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${id}_${i}`);
}
