/**
 * An administrator in a simulated run: creates the topics that others use, creates and deletes topics of one name again
 * and again, deletes records, changes settings. Single thread.
 * It tells the ledger what it wants before it asks, since what it asks for may happen without an answer.
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import type { Uuid } from '../../src/base/uuid.ts';
import {
  createTopicsApi,
  defaultCreateTopicsRequest,
  defaultDeleteRecordsRequest,
  defaultDeleteTopicsRequest,
  defaultIncrementalAlterConfigsRequest,
  defaultMetadataRequest,
  deleteRecordsApi,
  deleteTopicsApi,
  incrementalAlterConfigsApi,
  metadataApi,
} from '../../src/protocol/generated/index.ts';
import type { SimulatedClient } from './simulated-client.ts';
import { partitionsOf, type Topic } from './topic-ledger.ts';
import type { World } from './world.ts';

const setOperation = 0;
const topicResource = 2;

export class AdminActor {
  readonly #world: World;
  readonly #name = 'admin';
  #client: SimulatedClient | null = null;

  constructor(world: World) {
    this.#world = world;
  }

  /** Creates the topics of the run; resolves once all are there. */
  async createTopics(): Promise<void> {
    const { random } = this.#world.scheduler;
    for (let i = 0; i < this.#world.profile.topics; i++) {
      const configs = new Map<string, string>();
      if (random.chance(0.3)) configs.set('retention.bytes', String(4096 + random.below(16_384)));
      if (random.chance(0.15)) configs.set('retention.ms', String(500 + random.below(2000)));
      if (random.chance(0.15)) configs.set('millrace.sync', 'interval');
      await this.#create(`topic${i}`, 1 + random.below(3), configs, false);
    }
  }

  /** Does this and that until the world ends. */
  async run(): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    while (!world.isEnding) {
      await world.sleep(world.drawMs(150), this.#name);
      const drawn = random.below(10);
      if (drawn < 4) await this.#deleteRecords();
      else if (drawn < 6) await this.#alter();
      else if (drawn < 8) await this.#create('victim', 1 + random.below(2), new Map(), true);
      else await this.#deleteVictim();
    }
    this.#client?.cut();
  }

  async #connected(): Promise<SimulatedClient> {
    if (this.#client?.isOpen !== true) this.#client = await this.#world.connect(this.#name);
    return this.#client;
  }

  async #create(
    name: string,
    partitionCount: number,
    configs: ReadonlyMap<string, string>,
    needsIds: boolean,
  ): Promise<void> {
    const world = this.#world;
    const known = world.topics.all.some((topic) => topic.name === name && topic.state !== 'deleted');
    if (known) return;
    for (;;) {
      const client = await this.#connected();
      const response = await client.request(
        createTopicsApi,
        {
          ...defaultCreateTopicsRequest(),
          topics: [
            {
              name,
              numPartitions: partitionCount,
              replicationFactor: 1,
              assignments: [],
              configs: [...configs].map(([name, value]) => ({ name, value })),
            },
          ],
        },
        client.version(createTopicsApi),
      );
      const errorCode = response?.topics[0]?.errorCode as ErrorCode | undefined;
      if (errorCode === ErrorCode.NONE || errorCode === ErrorCode.TOPIC_ALREADY_EXISTS) break;
      if (errorCode !== undefined) world.count(`create: ${errorName(errorCode)}`);
      await world.sleep(20, this.#name);
    }
    const id = await this.#idOf(name);
    world.count('topics created');
    world.topics.add({
      name,
      id,
      partitionCount,
      needsIds,
      mayExpire: configs.has('retention.bytes') || configs.has('retention.ms'),
      syncsLater: configs.has('millrace.sync'),
      state: 'there',
    });
  }

  async #idOf(name: string): Promise<Uuid> {
    for (;;) {
      const client = await this.#connected();
      const request = {
        ...defaultMetadataRequest(),
        topics: [{ topicId: zeroId, name }],
        allowAutoTopicCreation: false,
      };
      const response = await client.request(metadataApi, request, client.version(metadataApi, 10));
      const topic = response?.topics[0];
      if (topic?.errorCode === ErrorCode.NONE) return topic.topicId;
      if (topic !== undefined) this.#world.breakPromise(`topic ${name} was created and is not known`);
      await this.#world.sleep(20, this.#name);
    }
  }

  async #deleteVictim(): Promise<void> {
    const world = this.#world;
    const victim = world.topics.all.find((topic) => topic.needsIds && topic.state === 'there');
    if (victim === undefined) return;
    const client = await this.#connected();
    victim.state = 'perhaps deleted';
    const version = client.version(deleteTopicsApi, 6);
    const request = { ...defaultDeleteTopicsRequest(), topics: [{ name: null, topicId: victim.id }] };
    const response = await client.request(deleteTopicsApi, request, version);
    const errorCode = response?.responses[0]?.errorCode as ErrorCode | undefined;
    if (errorCode === ErrorCode.NONE || errorCode === ErrorCode.UNKNOWN_TOPIC_ID) {
      victim.state = 'deleted';
      world.count('topics deleted');
    }
  }

  async #deleteRecords(): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    const targets = world.topics.all
      .filter((topic) => topic.state === 'there' && !topic.needsIds)
      .flatMap(partitionsOf);
    const target = targets[random.below(Math.max(1, targets.length))];
    if (target === undefined) return;
    const { topic, partition, log } = target;
    const read = world.history.findLast((event) => event.kind === 'read' && event.log === log);
    if (read?.kind !== 'read') return;
    const offset = random.below(read.offset + 2);
    world.record({ kind: 'startMoved', log, offset });
    const client = await this.#connected();
    const partitions = [{ partitionIndex: partition, offset }];
    const request = { ...defaultDeleteRecordsRequest(), topics: [{ name: topic.name, partitions }], timeoutMs: 3000 };
    const response = await client.request(deleteRecordsApi, request, client.version(deleteRecordsApi));
    const result = response?.topics[0]?.partitions[0];
    if (result === undefined) return;
    world.count(result.errorCode === ErrorCode.NONE ? 'records deleted' : 'record deletions refused');
    if (result.errorCode === ErrorCode.NONE) world.topics.startRaised(log, result.lowWatermark);
  }

  async #alter(): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    const topics = world.topics.all.filter((topic) => topic.state === 'there' && !topic.needsIds);
    const topic: Topic | undefined = topics[random.below(Math.max(1, topics.length))];
    if (topic === undefined) return;
    const choices = topic.mayExpire ? retentionChoices : otherChoices;
    const [name, value] = choices[random.below(choices.length)]!;
    const client = await this.#connected();
    const configs = [{ name, configOperation: setOperation, value }];
    const request = {
      ...defaultIncrementalAlterConfigsRequest(),
      resources: [{ resourceType: topicResource, resourceName: topic.name, configs }],
    };
    const response = await client.request(
      incrementalAlterConfigsApi,
      request,
      client.version(incrementalAlterConfigsApi),
    );
    const result = response?.responses[0];
    if (result !== undefined) world.count(result.errorCode === ErrorCode.NONE ? 'settings changed' : 'changes refused');
  }
}

const zeroId = 'AAAAAAAAAAAAAAAAAAAAAA' as Uuid;

const otherChoices = [
  ['index.interval.bytes', '128'],
  ['index.interval.bytes', '4096'],
  ['flush.messages', '3'],
  ['flush.ms', '50'],
  ['segment.ms', '200'],
] as const;

const retentionChoices = [...otherChoices, ['retention.bytes', '4096'], ['retention.bytes', '65536']] as const;
