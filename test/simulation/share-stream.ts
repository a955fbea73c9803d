/**
 * A topic that a share group reads: made, with the group's settings, and written with values of which no two are alike.
 * Single thread. What the group was promised stands in share-ledger.ts.
 *
 *   producers, acks=all or 1 ─► topic, 2 partitions ─► members (share-actor.ts) ─► at last one that accepts all that is left
 */

import { ErrorCode, errorName } from '../../src/base/error-code.ts';
import type { Uuid } from '../../src/base/uuid.ts';
import { defaultProduceRequest, incrementalAlterConfigsApi, produceApi } from '../../src/protocol/generated/index.ts';
import { BatchBuilder } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { ShareLedger } from './share-ledger.ts';
import type { SimulatedClient } from './simulated-client.ts';
import type { World } from './world.ts';

export const sharePartitionCount = 2;
const groupResource = 32;
const setOperation = 0;
/** Topics are named by name there, or by an id that is zero no more. */
const alterVersion = 1;

export class ShareStream {
  readonly name: string;
  readonly topicName: string;
  readonly ledger: ShareLedger;
  readonly #world: World;
  #topicId: Uuid | null = null;
  #number = 0;

  constructor(world: World, name: string) {
    const { profile } = world;
    this.#world = world;
    this.name = name;
    this.topicName = `${name}-topic`;
    const disksFail = Number.isFinite(profile.diskFaultEveryMs) || Number.isFinite(profile.fullDiskEveryMs);
    this.ledger = new ShareLedger({
      isCertain: !disksFail,
      breakPromise: (message) => world.breakPromise(`${name}: ${message}`),
    });
    world.onEnd.add(() => this.ledger.crashed());
  }

  get topicId(): Uuid {
    return this.#topicId!;
  }

  /** Makes its topic and has the group begin at its start; resolves once that is so. */
  async create(): Promise<void> {
    const spec = { name: this.topicName, partitionCount: sharePartitionCount, replicationFactor: 1, configs: [] };
    while (this.#topicId === null) {
      const process = await this.#world.serving();
      const { topic } = await process.broker.topics.create(spec);
      this.#topicId = topic?.id ?? process.broker.topics.topic(this.topicName)?.id ?? null;
      if (this.#topicId === null) await this.#world.sleep(20, this.name);
    }
    while (!(await this.#setReset())) await this.#world.sleep(20, this.name);
  }

  async #setReset(): Promise<boolean> {
    const client = await this.#world.connect(this.name);
    const configs = [{ name: 'share.auto.offset.reset', configOperation: setOperation, value: 'earliest' }];
    const resources = [{ resourceType: groupResource, resourceName: this.name, configs }];
    const response = await client.request(incrementalAlterConfigsApi, { resources, validateOnly: false }, alterVersion);
    client.cut();
    return response?.responses[0]?.errorCode === ErrorCode.NONE;
  }

  /**
   * Writes until the world ends, batches with acks=all and with acks=1. Nothing is sent twice: what is not answered may be
   * there or not.
   */
  async produce(syncedChance: number): Promise<void> {
    const world = this.#world;
    const { random } = world.scheduler;
    const name = `${this.name}.producer`;
    let client: SimulatedClient | null = null;
    while (!world.isEnding) {
      if (client?.isOpen !== true) client = await world.connect(name);
      await this.#send(client, random.chance(syncedChance) ? -1 : 1);
      await world.sleep(random.below(world.profile.thinkMs + 1), name);
    }
    client?.cut();
  }

  async #send(client: SimulatedClient, acks: -1 | 1): Promise<void> {
    const { scheduler } = this.#world;
    const { random } = scheduler;
    const builder = new BatchBuilder(crc32c);
    const values = Array.from({ length: 1 + random.below(6) }, () => `s${this.#number++}`);
    for (const value of values) {
      this.ledger.sent(value);
      builder.append({ key: null, value: Buffer.from(value, 'latin1'), timestampMs: scheduler.clock.nowMs() });
    }
    const partitionData = [{ index: random.below(sharePartitionCount), records: builder.seal() }];
    const topicData = [{ name: this.topicName, topicId: this.topicId, partitionData }];
    const request = { ...defaultProduceRequest(), transactionalId: null, acks, timeoutMs: 3000, topicData };
    const response = await client.request(produceApi, request, client.version(produceApi));
    const errorCode = response?.responses[0]?.partitionResponses[0]?.errorCode;
    if (errorCode === ErrorCode.NONE) {
      if (acks === -1) for (const value of values) this.ledger.stored(value);
      this.#world.count('records for share groups', values.length);
    } else if (errorCode !== undefined) this.#world.count(`share produce: ${errorName(errorCode)}`);
  }
}
