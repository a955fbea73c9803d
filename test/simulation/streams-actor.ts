/**
 * A member of a streams group (KIP-1071) in a simulated run (epoch-member.ts), a process of its own, which joins with its
 * topology and hears which tasks it has. Single thread.
 *
 *   source topic, 3 partitions ─► subtopology 0 ─► repartition topic ─► subtopology 1, with a changelog
 *
 * No active task has two processes at a time, and no process has a task in two roles. At the end one member that joins is to
 * have all tasks.
 */

import { ErrorCode } from '../../src/base/error-code.ts';
import {
  defaultStreamsGroupHeartbeatRequest,
  streamsGroupHeartbeatApi,
  type StreamsGroupHeartbeatRequest,
  type StreamsGroupHeartbeatResponse,
} from '../../src/protocol/generated/index.ts';
import { EpochMember, heartbeatIntervalMs } from './epoch-member.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { World } from './world.ts';

/** As the world's settings have it. */
export const streamsSessionTimeoutMs = 1000;
const sourceName = 'streams-source';
const partitionCount = 3;
const taskCount = 2 * partitionCount;
/** Heartbeats of the last member; it waits for the sessions of those before it. */
const lastBeats = 400;

type TaskFields = NonNullable<StreamsGroupHeartbeatRequest['activeTasks']>;

const internalTopic = (name: string, partitions = 0) => ({ name, partitions, replicationFactor: 0, topicConfigs: [] });
const nothing = {
  sourceTopics: [],
  sourceTopicRegex: [],
  stateChangelogTopics: [],
  repartitionSinkTopics: [],
  repartitionSourceTopics: [],
  copartitionGroups: [],
};

const topology = {
  epoch: 0,
  subtopologies: [
    {
      ...nothing,
      subtopologyId: '0',
      sourceTopics: [sourceName],
      repartitionSinkTopics: ['streams-words-repartition'],
    },
    {
      ...nothing,
      subtopologyId: '1',
      repartitionSourceTopics: [internalTopic('streams-words-repartition')],
      stateChangelogTopics: [internalTopic('streams-counts-changelog')],
    },
  ],
};

/** Makes the topic that the group reads; resolves once it is there. */
export async function createStreamsSource(world: World): Promise<void> {
  const spec = { name: sourceName, partitionCount, replicationFactor: 1, configs: [] };
  for (;;) {
    const { broker } = await world.serving();
    const { topic } = await broker.topics.create(spec);
    if (topic !== null || broker.topics.topic(sourceName) !== null) return;
    await world.sleep(20, sourceName);
  }
}

export class StreamsActor extends EpochMember<StreamsGroupHeartbeatResponse> {
  #active: TaskFields = [];
  #standby: TaskFields = [];

  constructor(world: World, group: string, name: string, isStatic: boolean) {
    const otherFences = [ErrorCode.GROUP_ID_NOT_FOUND];
    super(world, { kind: 'streams', group, name, isStatic, sessionTimeoutMs: streamsSessionTimeoutMs, otherFences });
  }

  /** Joins when all others have gone or will be taken out, and is to have all tasks then. */
  async takeAll(): Promise<void> {
    const { world } = this;
    const { name } = this.options;
    let client: SimulatedClient | null = null;
    for (let i = 0; i < lastBeats && count(this.#active) < taskCount; i++) {
      if (client?.isOpen !== true) client = await world.connect(name);
      await this.beat(client);
      await world.sleep(heartbeatIntervalMs, name);
    }
    if (count(this.#active) < taskCount) {
      world.breakPromise(`${name} is alone, and has ${count(this.#active)} of ${taskCount} tasks of streams`);
    }
    if (client !== null) await this.leave(client);
    client?.cut();
  }

  protected override send(client: SimulatedClient, isJoining: boolean): Promise<StreamsGroupHeartbeatResponse | null> {
    const told = { activeTasks: this.#active, standbyTasks: this.#standby, warmupTasks: [] };
    const joining = { ...told, topology, rebalanceTimeoutMs: streamsSessionTimeoutMs * 2, processId: this.memberId };
    return this.#request(client, { memberEpoch: this.epoch, ...(isJoining ? joining : this.mustTell ? told : {}) });
  }

  protected override sayGoodbye(client: SimulatedClient, memberEpoch: number): Promise<unknown> {
    return this.#request(client, { memberEpoch });
  }

  protected override take({ activeTasks, standbyTasks }: StreamsGroupHeartbeatResponse): void {
    if (activeTasks === null) return;
    const { world } = this;
    const standby = standbyTasks ?? [];
    const next = this.#placesOf(activeTasks);
    for (const place of this.places()) if (!next.includes(place)) world.ownership.release(place, this.memberId);
    const twice = this.#placesOf(standby).find((place) => next.includes(place));
    if (twice !== undefined) world.breakPromise(`${this.memberId} has ${twice} in two roles`);
    if (next.length > 0) world.count('assigned active tasks');
    if (standby.length > 0) world.count('assigned standby tasks');
    this.#active = activeTasks;
    this.#standby = standby;
    this.mustTell = true;
  }

  /** Its active tasks. */
  protected override places(): string[] {
    return this.#placesOf(this.#active);
  }

  protected override forget(): void {
    this.#active = [];
    this.#standby = [];
  }

  #placesOf(tasks: TaskFields): string[] {
    return tasks.flatMap(({ subtopologyId, partitions }) =>
      partitions.map((partition) => `${this.options.group} task ${subtopologyId}_${partition}`),
    );
  }

  #request(
    client: SimulatedClient,
    fields: Partial<StreamsGroupHeartbeatRequest>,
  ): Promise<StreamsGroupHeartbeatResponse | null> {
    const request = {
      ...defaultStreamsGroupHeartbeatRequest(),
      groupId: this.options.group,
      memberId: this.memberId,
      instanceId: this.instanceId,
      ...fields,
    };
    return client.request(streamsGroupHeartbeatApi, request, client.version(streamsGroupHeartbeatApi));
  }
}

function count(tasks: TaskFields): number {
  return tasks.reduce((sum, { partitions }) => sum + partitions.length, 0);
}
