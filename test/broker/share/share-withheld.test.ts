/**
 * What members of share groups do not get although it is in the log: records of transactions that were aborted or are
 * open, and what is above their client's quota.
 */

import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import * as api from '../../../src/protocol/generated/index.ts';
import { BatchBuilder } from '../../../src/records/batch-builder.ts';
import { crc32c } from '../../../src/records/crc32c.ts';
import { zeroUuid } from '../../../src/base/uuid.ts';
import { startBroker, type RunningBroker } from '../../../src/index.ts';
import { WireClient } from '../../program/wire-client.ts';
import { batchOf, BrokerHarness } from '../broker-harness.ts';
import { TestShareConsumer, type Given } from './test-share-consumer.ts';
import { requesterOver, type Requester } from './wire-requester.ts';

const gap = 0;
const accept = 1;
const release = 2;
const groupResource = 32;

/** A broker in memory, over a connection to its port: harnesses know no transactions. */
class InMemory implements AsyncDisposable {
  readonly #broker: RunningBroker;
  readonly #clients: WireClient[] = [];

  private constructor(broker: RunningBroker) {
    this.#broker = broker;
  }

  static async open(isolation: string): Promise<InMemory & Requester> {
    const memory = new InMemory(await startBroker({ storage: 'memory', http: false }));
    const requester = Object.assign(memory, await memory.another());
    await configure(requester, { 'share.auto.offset.reset': 'earliest', 'share.isolation.level': isolation });
    await memory.#broker.createTopic('topic');
    return requester;
  }

  /** Asks over a connection of its own. */
  async another(): Promise<Requester> {
    const client = await WireClient.connect(this.#broker.kafka!.port);
    this.#clients.push(client);
    return requesterOver(client);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { socket } of this.#clients) socket.destroy();
    await this.#broker.close();
  }
}

async function configure(requester: Requester, settings: Record<string, string>): Promise<void> {
  const configs = Object.entries(settings).map(([name, value]) => ({ name, configOperation: 0, value }));
  const resources = [{ resourceType: groupResource, resourceName: 'group', configs }];
  const response = await requester.request(api.incrementalAlterConfigsApi, 1, { resources });
  expect(response.responses[0]!.errorMessage).toBeNull();
}

async function produce(harness: Requester, records: Uint8Array, transactionalId: string | null = null): Promise<void> {
  const topicData = [{ topicId: zeroUuid, name: 'topic', partitionData: [{ index: 0, records }] }];
  const fields = { transactionalId, acks: -1, timeoutMs: 1000, topicData };
  const response = await harness.request(api.produceApi, 12, fields);
  expect(response.responses[0]!.partitionResponses[0]!.errorCode).toBe(ErrorCode.NONE);
}

/** A transaction that has one record. */
class Transaction {
  readonly #harness: Requester;
  readonly #id: string;
  #producer = { producerId: -1, producerEpoch: -1 };

  constructor(harness: Requester, id: string) {
    this.#harness = harness;
    this.#id = id;
  }

  async write(text: string): Promise<this> {
    const init = { transactionalId: this.#id, transactionTimeoutMs: 60_000, producerId: -1, producerEpoch: -1 };
    const { producerId, producerEpoch } = await this.#harness.request(api.initProducerIdApi, 5, init);
    this.#producer = { producerId, producerEpoch };
    const builder = new BatchBuilder(crc32c, { ...this.#producer, baseSequence: 0, transactional: true });
    builder.append({ key: null, value: Buffer.from(text), timestampMs: Date.UTC(2026, 0, 1) });
    await produce(this.#harness, builder.seal(), this.#id);
    return this;
  }

  /** `through` another connection where the first one waits. */
  async end(committed: boolean, through = this.#harness): Promise<void> {
    const fields = { transactionalId: this.#id, ...this.#producer, committed };
    const { errorCode } = await through.request(api.endTxnApi, 5, fields);
    expect(errorCode).toBe(ErrorCode.NONE);
  }
}

async function joined(harness: Requester): Promise<TestShareConsumer> {
  const consumer = new TestShareConsumer(harness);
  expect((await consumer.join()).errorCode).toBe(ErrorCode.NONE);
  return consumer;
}

const briefly = (given: readonly Given[]): string[] => given.map(({ value, count }) => `${value}×${count}`);

async function lag(harness: Requester): Promise<number> {
  const request = { groups: [{ groupId: 'group', topics: null }] };
  const { groups } = await harness.request(api.describeShareGroupOffsetsApi, 1, request);
  return groups[0]!.topics[0]!.partitions[0]!.lag;
}

describe('members of a share group that reads what is committed', () => {
  it('get committed records in their order, never aborted ones, and nothing behind an open transaction', async () => {
    await using harness = await InMemory.open('read_committed');
    const member = await joined(harness);
    await produce(harness, batchOf(['plain']));
    await (await new Transaction(harness, 'one').write('committed')).end(true);
    await (await new Transaction(harness, 'two').write('aborted')).end(false);
    const three = await new Transaction(harness, 'three').write('open');
    await produce(harness, batchOf(['behind']));
    expect(briefly(await member.fetch())).toEqual(['plain×1', 'committed×1']);
    expect(briefly(await member.fetch())).toEqual([]);
    // Also where they come again.
    expect(await member.acknowledge([[0, 1, release]])).toBe(ErrorCode.NONE);
    expect(briefly(await member.fetch())).toEqual(['plain×2', 'committed×2']);
    expect(await member.acknowledge([[0, 1, accept]])).toBe(ErrorCode.NONE);
    await three.end(true);
    expect(briefly(await member.fetch())).toEqual(['open×1', 'behind×1']);
    expect(await member.acknowledge([[5, 6, accept]])).toBe(ErrorCode.NONE);
    // Who gets markers says that there are no records; what was aborted is done without anybody's saying so.
    for (const marker of [2, 4, 7]) expect(await member.acknowledge([[marker, marker, gap]])).toBe(ErrorCode.NONE);
    expect(briefly(await member.fetch())).toEqual([]);
    expect(await lag(harness)).toBe(0);
  });

  it('get none of what was aborted after it was there, and what was committed meanwhile', async () => {
    await using harness = await InMemory.open('read_committed');
    const member = await joined(harness);
    const one = await new Transaction(harness, 'one').write('first');
    const two = await new Transaction(harness, 'two').write('second');
    expect(briefly(await member.fetch())).toEqual([]);
    await one.end(false);
    expect(briefly(await member.fetch())).toEqual([]);
    await two.end(true);
    expect(briefly(await member.fetch())).toEqual(['second×1']);
  });

  it('hear at once of a commit while they wait', async () => {
    await using harness = await InMemory.open('read_committed');
    const member = await joined(harness);
    const one = await new Transaction(harness, 'one').write('first');
    const waiting = member.fetch({ maxWaitMs: 10_000 });
    await one.end(true, await harness.another());
    expect(briefly(await waiting)).toEqual(['first×1']);
  });
});

it('a share group that reads everything gets aborted and open records as well', async () => {
  await using harness = await InMemory.open('read_uncommitted');
  const member = await joined(harness);
  await (await new Transaction(harness, 'one').write('aborted')).end(false);
  await new Transaction(harness, 'two').write('open');
  expect(briefly(await member.fetch())).toEqual(['aborted×1', 'open×1']);
});

it('what is above a quota nobody acquires: it comes to the member once it has waited, with its first count', async () => {
  const harness = await BrokerHarness.open();
  await configure(harness, { 'share.auto.offset.reset': 'earliest' });
  await harness.createTopic('topic');
  const member = await joined(harness);
  const entity = [{ entityType: 'client-id', entityName: 'test' }];
  const ops = [{ key: 'consumer_byte_rate', value: 100, remove: false }];
  await harness.request(api.alterClientQuotasApi, 1, { entries: [{ entity, ops }], validateOnly: false });
  await produce(harness, batchOf(['x'.repeat(5000)]));
  const throttled = await member.fetchResponse();
  expect(throttled.errorCode).toBe(ErrorCode.NONE);
  expect(throttled.throttleTimeMs).toBeGreaterThan(0);
  expect(
    throttled.responses.flatMap(({ partitions }) => partitions).every((each) => each.acquiredRecords.length === 0),
  ).toBe(true);
  const ops2 = [{ key: 'consumer_byte_rate', value: 1_000_000, remove: false }];
  await harness.request(api.alterClientQuotasApi, 1, { entries: [{ entity, ops: ops2 }], validateOnly: false });
  harness.clock.advance(11_000);
  expect(briefly(await member.fetch())).toEqual([`${'x'.repeat(5000)}×1`]);
});
