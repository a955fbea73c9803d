/** A subscription without a socket, in moments that a client cannot choose. */

import { describe, expect, it } from 'vitest';
import { asOffset } from '../../../src/base/numbers.ts';
import type { Broker } from '../../../src/broker/broker.ts';
import { Caller } from '../../../src/gateway/caller.ts';
import { Subscription, type SubscriptionOwner } from '../../../src/server/json-websocket/subscription.ts';
import { FrameFormats } from '../../../src/server/json-websocket/record-frames.ts';
import type { BrokerFrame, ClientFrames, Position } from '../../../src/server/json-websocket/frames.ts';
import type { MemoryLog } from '../../broker/memory-log-store.ts';
import { bytes, openGateway } from '../../gateway/gateway-harness.ts';

class Owner implements SubscriptionOwner {
  readonly caller: Caller;
  readonly frames: BrokerFrame[] = [];
  /** `topic-partition@offset` of each record. */
  readonly records: string[] = [];

  constructor(broker: Broker) {
    this.caller = new Caller(broker, 'test', '127.0.0.1');
  }

  send(frame: BrokerFrame): void {
    this.frames.push(frame);
  }

  sendRecords(frame: Uint8Array): boolean {
    const { topic, partition, records } = JSON.parse(Buffer.from(frame).toString()) as {
      topic: string;
      partition: number;
      records: { offset: number }[];
    };
    for (const { offset } of records) this.records.push(`${topic}-${partition}@${offset}`);
    return true;
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

async function open(partitionCount: number, asked: Partial<ClientFrames['subscribe']>) {
  const gateway = await openGateway();
  await gateway.createTopic('t', partitionCount);
  const owner = new Owner(gateway.broker);
  const frame = { type: 'subscribe', subscription: 's', topics: ['t*'], ...asked } as const;
  const subscription = new Subscription(owner, gateway.feeds, new FrameFormats().of('s', 'json'), frame);
  return { gateway, owner, subscription };
}

describe('a subscription', () => {
  it('begins where it was asked to though its topic grows meanwhile, and reads what is new from its first record', async () => {
    const { gateway, owner, subscription } = await open(2, { from: { timestamp: 5 } });
    const records = [0, 1].map((partition) => ({ value: bytes('old'), partition, timestampMs: 1 }));
    await gateway.publisher.publish('t', records);
    const { topics } = gateway.broker;
    const first = topics.partition(topics.topic('t')!, 0) as MemoryLog;
    first.offsetForTimestamp = async () => {
      await topics.addPartitions('t', 3, false);
      return null;
    };
    let begun: readonly Position[] = [];
    expect(await subscription.begin((positions) => (begun = positions))).toBeNull();
    expect(begun).toEqual([
      { topic: 't', partition: 0, offset: 1 },
      { topic: 't', partition: 1, offset: 1 },
    ]);
    const more = [0, 1, 2].map((partition) => ({ value: bytes('new'), partition }));
    await gateway.publisher.publish('t', more);
    while (owner.records.length < 3) await turn();
    expect(owner.records.toSorted()).toEqual(['t-0@1', 't-1@1', 't-2@0']);
    subscription.close();
  });

  it('is told where retention took what it had not read, and goes on where it seeks to', async () => {
    const { gateway, owner, subscription } = await open(1, { from: 'earliest', credit: 1 });
    const values = ['a', 'b', 'c', 'd'];
    for (const value of values) await gateway.publisher.publish('t', [{ value: bytes(value) }]);
    await subscription.begin(() => {});
    while (owner.records.length < 1) await turn();
    const { topics } = gateway.broker;
    await topics.partition(topics.topic('t')!, 0)!.deleteRecordsBefore(asOffset(2));
    subscription.credit(10);
    while (owner.frames.length < 1) await turn();
    expect(owner.frames).toMatchObject([
      { type: 'error', error: 'OFFSET_OUT_OF_RANGE', subscription: 's', topic: 't', partition: 0 },
    ]);
    await subscription.seek('earliest', undefined, () => {});
    while (owner.records.length < 3) await turn();
    expect(owner.records).toEqual(['t-0@0', 't-0@2', 't-0@3']);
    subscription.close();
  });

  it('reads a topic that is deleted and comes again', async () => {
    const { gateway, owner, subscription } = await open(1, { from: 'earliest' });
    await subscription.begin(() => {});
    for (let round = 1; round <= 3; round++) {
      await gateway.publisher.publish('t', [{ value: bytes('a') }]);
      while (owner.records.length < round) await turn();
      await gateway.broker.topics.delete(gateway.broker.topics.topic('t')!.id);
      expect(owner.frames.at(-1)).toMatchObject({ type: 'error', error: 'UNKNOWN_TOPIC_OR_PARTITION', topic: 't' });
      await gateway.createTopic('t', 1);
    }
    expect(owner.records).toEqual(['t-0@0', 't-0@0', 't-0@0']);
    subscription.close();
  });
});
