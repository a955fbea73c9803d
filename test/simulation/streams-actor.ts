/**
 * A member of a streams group (KIP-1071) in a simulated run, a process of its own: joins with its topology, hears which
 * tasks it has, gives up what it is told to, sometimes leaves for good or for a while, sleeps too long or vanishes. Single
 * thread.
 *
 *   source topic, 3 partitions ─► subtopology 0 ─► repartition topic ─► subtopology 1, with a changelog
 *   join ─► heartbeat … ─► fenced, unknown, cut off: give up all, join again
 *
 * No active task has two processes at a time (ownership-ledger.ts), and no process has a task in two roles. At the end one
 * member that joins is to have all tasks.
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import {
  defaultStreamsGroupHeartbeatRequest,
  streamsGroupHeartbeatApi,
  type StreamsGroupHeartbeatRequest,
} from '../../src/protocol/generated/index.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { World } from './world.ts';

/** As the world's settings have it. */
export const streamsSessionTimeoutMs = 1000;
const heartbeatIntervalMs = 100;
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

export class StreamsActor {
  readonly #world: World;
  readonly #group: string;
  readonly #name: string;
  readonly #isStatic: boolean;
  #incarnation = 0;
  #epoch = 0;
  #active: TaskFields = [];
  #standby: TaskFields = [];
  /** Whether the broker has not heard yet what the member has. */
  #mustTell = false;

  constructor(world: World, group: string, name: string, isStatic: boolean) {
    this.#world = world;
    this.#group = group;
    this.#name = name;
    this.#isStatic = isStatic;
  }

  /** Is a member, again and again, until the world ends. */
  async run(): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    let client: SimulatedClient | null = null;
    while (!world.isEnding) {
      if (client?.isOpen !== true) client = await world.connect(this.#name);
      const isHeard = await this.#beat(client);
      if (isHeard && random.chance(0.02)) await this.#leave(client);
      else if (random.chance(0.01)) this.#vanish(client);
      await world.sleep(random.chance(0.02) ? streamsSessionTimeoutMs * 2 : this.#pauseMs(), this.#name);
    }
    client?.cut();
  }

  /** Joins when all others have gone or will be taken out, and is to have all tasks then. */
  async takeAll(): Promise<void> {
    const world = this.#world;
    let client: SimulatedClient | null = null;
    for (let i = 0; i < lastBeats && count(this.#active) < taskCount; i++) {
      if (client?.isOpen !== true) client = await world.connect(this.#name);
      await this.#beat(client);
      await world.sleep(heartbeatIntervalMs, this.#name);
    }
    if (count(this.#active) < taskCount) {
      world.breakPromise(`${this.#name} is alone, and has ${count(this.#active)} of ${taskCount} tasks of streams`);
    }
    if (client !== null) await this.#leave(client);
    client?.cut();
  }

  get #memberId(): string {
    return `${this.#name}-${this.#incarnation}`;
  }

  #pauseMs(): number {
    return heartbeatIntervalMs / 2 + this.#world.scheduler.random.below(heartbeatIntervalMs);
  }

  async #beat(client: SimulatedClient): Promise<boolean> {
    const world = this.#world;
    const sentMs = world.scheduler.nowMs;
    const isJoining = this.#epoch === 0;
    const told = { activeTasks: this.#active, standbyTasks: this.#standby, warmupTasks: [] };
    const joining = { ...told, topology, rebalanceTimeoutMs: streamsSessionTimeoutMs * 2, processId: this.#memberId };
    const response = await client.request(
      streamsGroupHeartbeatApi,
      this.#request({ memberEpoch: this.#epoch, ...(isJoining ? joining : this.#mustTell ? told : {}) }),
      client.version(streamsGroupHeartbeatApi),
    );
    if (response === null) return false;
    if (response.errorCode !== ErrorCode.NONE) {
      world.count(`streams heartbeat: ${errorName(response.errorCode as ErrorCode)}`);
      this.#refused(response.errorCode);
      return false;
    }
    if (isJoining) world.count('joined a streams group');
    if (response.memberEpoch < this.#epoch) world.breakPromise(`${this.#memberId} went back to an earlier epoch`);
    this.#epoch = response.memberEpoch;
    this.#mustTell = false;
    if (response.activeTasks !== null) this.#take(response.activeTasks, response.standbyTasks ?? []);
    for (const place of this.#places()) {
      const untilMs = sentMs + streamsSessionTimeoutMs;
      const problem = world.ownership.claim(place, this.#memberId, untilMs, world.scheduler.nowMs);
      if (problem !== null) world.breakPromise(problem);
    }
    return true;
  }

  #request(fields: Partial<StreamsGroupHeartbeatRequest>): StreamsGroupHeartbeatRequest {
    return {
      ...defaultStreamsGroupHeartbeatRequest(),
      groupId: this.#group,
      memberId: this.#memberId,
      instanceId: this.#isStatic ? this.#name : null,
      ...fields,
    };
  }

  /** The active tasks, as the ledger knows them. */
  #places(active = this.#active): string[] {
    return active.flatMap(({ subtopologyId, partitions }) =>
      partitions.map((partition) => `${this.#group} task ${subtopologyId}_${partition}`),
    );
  }

  /** What is not in the assignment any more is given up before the broker hears of it. */
  #take(active: TaskFields, standby: TaskFields): void {
    const world = this.#world;
    const next = this.#places(active);
    for (const place of this.#places()) if (!next.includes(place)) world.ownership.release(place, this.#memberId);
    const twice = this.#places(standby).find((place) => next.includes(place));
    if (twice !== undefined) world.breakPromise(`${this.#memberId} has ${twice} in two roles`);
    if (next.length > 0) world.count('assigned active tasks');
    if (standby.length > 0) world.count('assigned standby tasks');
    this.#active = active;
    this.#standby = standby;
    this.#mustTell = true;
  }

  #refused(errorCode: number): void {
    if (!fences.has(errorCode)) return;
    this.#giveUp();
    if (errorCode === ErrorCode.FENCED_INSTANCE_ID || errorCode === ErrorCode.UNRELEASED_INSTANCE_ID) {
      this.#incarnation++;
    }
  }

  #giveUp(): void {
    for (const place of this.#places()) this.#world.ownership.release(place, this.#memberId);
    this.#active = [];
    this.#standby = [];
    this.#epoch = 0;
    this.#mustTell = false;
  }

  async #leave(client: SimulatedClient): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    const memberEpoch = this.#isStatic && random.chance(0.7) ? -2 : -1;
    const request = this.#request({ memberEpoch });
    this.#giveUp();
    await client.request(streamsGroupHeartbeatApi, request, client.version(streamsGroupHeartbeatApi));
    this.#incarnation++;
    world.count(memberEpoch === -2 ? 'paused in a streams group' : 'left a streams group');
    await world.sleep(random.below(500), this.#name);
  }

  /** It is gone without a word; another takes its place. */
  #vanish(client: SimulatedClient): void {
    this.#giveUp();
    client.cut();
    this.#incarnation++;
    this.#world.count('vanished from a streams group');
  }
}

function count(tasks: TaskFields): number {
  return tasks.reduce((sum, { partitions }) => sum + partitions.length, 0);
}

const fences = new Set<number>([
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.FENCED_MEMBER_EPOCH,
  ErrorCode.FENCED_INSTANCE_ID,
  ErrorCode.UNRELEASED_INSTANCE_ID,
  ErrorCode.GROUP_ID_NOT_FOUND,
]);
