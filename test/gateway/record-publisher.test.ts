import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { silentLogger, type Logger } from '../../src/base/logger.ts';
import type { PublishListener } from '../../src/gateway/publish-stream.ts';
import { partitionOfKey } from '../../src/records/murmur2.ts';
import { bytes, openGateway, Outcomes, valuesOf } from './gateway-harness.ts';

describe('a publishing stream', () => {
  it('stores what is handed in within a turn as one batch, and tells of it once', async () => {
    const { publisher, createTopic, store, ...rest } = await openWithTopic('orders');
    const outcomes = new Outcomes();
    const stream = publisher.openStream(outcomes);
    const target = publisher.target('orders');
    for (let i = 0; i < 100; i++) expect(stream.publish(target, -1, null, bytes(`v${i}`))).toBe(true);
    expect(outcomes.told).toEqual([]);
    const before = store.appended.length;
    await outcomes.all(100);
    expect(store.appended.length - before).toBe(1);
    expect(store.appended.at(-1)!.options).toEqual({ durability: 'synced', origin: 'client', sealed: false });
    expect(outcomes.told[99]).toBe('orders-0@99');
    expect(await valuesOf(rest.feeds, rest.broker, 'orders')).toEqual(Array.from({ length: 100 }, (_, i) => `v${i}`));
    expect(stream.waitingBytes).toBe(0);
    expect(publisher.waitingBytes).toBe(0);
    expect(createTopic).toBeDefined();
  });

  it('places keys as the Java client does, and spreads what has none a turn at a time', async () => {
    const { publisher } = await openWithTopic('keyed', 5);
    const outcomes = new Outcomes();
    const stream = publisher.openStream(outcomes);
    const target = publisher.target('keyed');
    const keys = Array.from({ length: 40 }, (_, i) => bytes(`key ${i}`));
    for (const key of keys) stream.publish(target, -1, key, null);
    const told = await outcomes.all(40);
    for (const [i, key] of keys.entries()) {
      expect(String(told[i])).toMatch(new RegExp(`^keyed-${partitionOfKey(key, 5)}@`));
    }
    const places = new Set<string>();
    for (let turn = 0; turn < 5; turn++) {
      stream.publish(target, -1, null, bytes('a'));
      stream.publish(target, -1, null, bytes('b'));
      const [a, b] = (await outcomes.all(40 + 2 * (turn + 1))).slice(-2).map((text) => String(text).split('@')[0]);
      expect(a).toBe(b);
      places.add(a!);
    }
    expect(places.size).toBe(5);
  });

  it('tells each of two streams where its values went, whatever they did in between', async () => {
    const { publisher, feeds, broker } = await openWithTopic('mixed', 2);
    const outcomes = [new Outcomes(), new Outcomes()] as const;
    const streams = outcomes.map((listener) => publisher.openStream(listener));
    const target = publisher.target('mixed');
    const sent: string[][] = [[], []];
    // A multiplicative generator, so that every run does the same.
    let seed = 12345;
    const random = (below: number): number => {
      seed = (seed * 48_271) % 2_147_483_647;
      return seed % below;
    };
    for (let i = 0; i < 600; i++) {
      const who = random(8) === 0 ? random(2) : i % 100 < 50 ? 0 : 1;
      const partition = random(12) === 0 ? 1 : 0;
      const text = `${who}:${sent[who]!.length}`;
      const padded = bytes(`<${text}>`);
      switch (random(10)) {
        case 0:
          streams[who]!.publish(target, partition, bytes('key'), bytes(text));
          break;
        case 1:
          streams[who]!.publish(target, 7, null, bytes(text));
          sent[who]!.push('refused');
          continue;
        default:
          streams[who]!.publishSlice(target, partition, padded, 1, padded.length - 1);
      }
      sent[who]!.push(text);
      if (random(40) === 0) await turn();
    }
    const values = await Promise.all([0, 1].map((partition) => valuesOf(feeds, broker, 'mixed', partition)));
    for (const who of [0, 1]) {
      const told = await outcomes[who]!.all(sent[who]!.length);
      for (const [i, text] of sent[who]!.entries()) {
        if (text === 'refused') {
          expect(told[i]).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
          continue;
        }
        const [, partition, offset] = /^mixed-(\d)@(\d+)$/.exec(String(told[i]))!;
        expect(values[Number(partition)]![Number(offset)]).toBe(text);
      }
      expect(streams[who]!.waitingBytes).toBe(0);
    }
    expect(publisher.waitingBytes).toBe(0);
  });

  it('tells in order though partitions finish in another', async () => {
    const { publisher, store } = await openWithTopic('two', 2);
    const outcomes = new Outcomes();
    const stream = publisher.openStream(outcomes);
    const target = publisher.target('two');
    store.held = [];
    for (let i = 0; i < 6; i++) stream.publish(target, i % 2, null, bytes(String(i)));
    await turn();
    const [first, second] = store.held;
    expect(store.held.length).toBe(2);
    second!();
    await turn();
    expect(outcomes.told).toEqual([]);
    first!();
    expect(await outcomes.all(6)).toEqual(['two-0@0', 'two-1@0', 'two-0@1', 'two-1@1', 'two-0@2', 'two-1@2']);
  });

  it('creates a topic that is missing, and keeps the order of what waits for it', async () => {
    const gateway = await openGateway();
    const outcomes = new Outcomes();
    const stream = gateway.publisher.openStream(outcomes);
    for (let i = 0; i < 3; i++) stream.publish(gateway.publisher.target('fresh'), -1, null, bytes(`v${i}`));
    expect(await outcomes.all(3)).toEqual(['fresh-0@0', 'fresh-0@1', 'fresh-0@2']);
    stream.publish(gateway.publisher.target('fresh'), -1, null, bytes('v3'));
    expect((await outcomes.all(4))[3]).toBe('fresh-0@3');
    expect(gateway.publisher.waitingBytes).toBe(0);
  });

  it('creates no internal topic', async () => {
    const { publisher, broker } = await openGateway();
    expect(await publisher.publish('__consumer_offsets', [{ value: bytes('a') }])).toMatchObject([
      { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION },
    ]);
    expect(broker.topics.topic('__consumer_offsets')).toBeNull();
  });

  it('refuses single records for what only they are to blame', async () => {
    const gateway = await openGateway({ config: { 'auto.create.topics.enable': 'false' } });
    await gateway.createTopic('small', 1, { 'max.message.bytes': '1000' });
    await gateway.createTopic('compacted', 1, { 'cleanup.policy': 'compact' });
    const outcomes = new Outcomes();
    const { publisher } = gateway;
    const stream = publisher.openStream(outcomes);
    const small = publisher.target('small');
    stream.publish(small, -1, null, bytes('fine'));
    stream.publish(small, -1, null, new Uint8Array(1001));
    stream.publish(small, 7, null, bytes('nowhere'));
    stream.publish(small, -1, null, bytes('later'), gateway.clock.nowMs() + 3_600_001);
    stream.publish(small, -1, null, bytes('crooked'), 1.5);
    stream.publish(publisher.target('compacted'), -1, null, bytes('no key'));
    stream.publish(publisher.target('missing'), -1, null, bytes('no topic'));
    stream.publish(publisher.target('../etc'), -1, null, bytes('no name'));
    stream.publish(publisher.target('__cluster_metadata'), -1, null, bytes('not yours'));
    stream.publish(small, -1, null, bytes('fine too'));
    expect(await outcomes.all(10)).toEqual([
      'small-0@0',
      ErrorCode.MESSAGE_TOO_LARGE,
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      ErrorCode.INVALID_TIMESTAMP,
      ErrorCode.INVALID_TIMESTAMP,
      ErrorCode.INVALID_RECORD,
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      ErrorCode.INVALID_TOPIC_EXCEPTION,
      ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
      'small-0@1',
    ]);
    for (const message of outcomes.messages) expect(message).toMatch(/\.$|'_' and '-'$|not allowed$/);
  });

  it('tells a failed append of each of its records', async () => {
    const { publisher, store } = await openWithTopic('broken');
    store.failAppends = ErrorCode.KAFKA_STORAGE_ERROR;
    const outcomes = new Outcomes();
    const stream = publisher.openStream(outcomes);
    stream.publish(publisher.target('broken'), -1, null, bytes('a'));
    stream.publish(publisher.target('broken'), -1, null, bytes('b'));
    expect(await outcomes.all(2)).toEqual([ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.KAFKA_STORAGE_ERROR]);
  });

  it('asks to stop while too much waits, and to go on', async () => {
    const { publisher, store } = await openWithTopic('slow', 1, { maxWaitingBytes: 10_000 });
    store.waitingForRoom = [];
    const outcomes = new Outcomes();
    const stream = publisher.openStream(outcomes);
    const target = publisher.target('slow');
    let handedIn = 0;
    while (stream.publish(target, -1, null, new Uint8Array(100))) handedIn++;
    expect(handedIn).toBeGreaterThan(80);
    expect(handedIn).toBeLessThan(110);
    await turn();
    expect(outcomes.told).toEqual([]);
    expect(outcomes.resumes).toBe(0);
    const waiting = store.waitingForRoom;
    store.waitingForRoom = null;
    for (const proceed of waiting) proceed();
    await outcomes.all(handedIn + 1);
    await turn();
    expect(outcomes.resumes).toBe(1);
    expect(publisher.waitingBytes).toBe(0);
  });

  it('refuses what exceeds four times the bound of a stream that does not stop', async () => {
    const { publisher, store } = await openWithTopic('flood');
    store.held = [];
    const outcomes = new Outcomes();
    const stream = publisher.openStream(outcomes, { maxWaitingBytes: 1000 });
    for (let i = 0; i < 100; i++) stream.publish(publisher.target('flood'), -1, null, new Uint8Array(100));
    await turn();
    store.finishHeld();
    const told = await outcomes.all(100);
    expect(told.slice(0, 30).every((text) => typeof text === 'string')).toBe(true);
    expect(told.slice(40).every((code) => code === ErrorCode.THROTTLING_QUOTA_EXCEEDED)).toBe(true);
  });

  it('counts what a record that is refused by itself costs until it is told', async () => {
    const { publisher, store } = await openWithTopic('costly');
    store.held = [];
    const outcomes = new Outcomes();
    const stream = publisher.openStream(outcomes, { maxWaitingBytes: 100_000 });
    const target = publisher.target('costly');
    stream.publish(target, 0, null, bytes('first'));
    let refused = 0;
    while (stream.publish(target, 7, null, null)) refused++;
    expect(refused).toBeLessThan(300);
    await turn();
    store.finishHeld();
    expect((await outcomes.all(refused + 2)).at(-1)).toBe(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
    expect(stream.waitingBytes).toBe(0);
  });

  it('whose listener throws is broken off alone, and the others are told', async () => {
    const log: string[] = [];
    const logger = { ...silentLogger, error: (_fields: object, sentence: string) => void log.push(sentence) };
    const { publisher } = await openWithTopic('defect', 1, {}, logger);
    const target = publisher.target('defect');
    let breaks = 0;
    const broken: PublishListener = {
      stored: () => {
        throw new Error('a defect');
      },
      failed: () => {},
      broken: () => void breaks++,
    };
    const before = new Outcomes();
    const after = new Outcomes();
    const streams = [before, broken, after].map((listener) => publisher.openStream(listener));
    for (const stream of streams) stream.publish(target, -1, null, bytes('a'));
    expect(await before.all(1)).toEqual(['defect-0@0']);
    expect(await after.all(1)).toEqual(['defect-0@2']);
    expect(breaks).toBe(1);
    expect(log.join()).toMatch(/by a defect/);
    streams[1]!.publish(target, -1, null, bytes('b'));
    streams[2]!.publish(target, -1, null, bytes('c'));
    expect(await after.all(2)).toEqual(['defect-0@2', 'defect-0@4']);
    expect(breaks).toBe(1);
  });

  it('whose batch waits for room behind another goes to the log at the close all the same', async () => {
    const { publisher, store } = await openWithTopic('closing');
    store.waitingForRoom = [];
    const outcomes = new Outcomes();
    const stream = publisher.openStream(outcomes);
    const target = publisher.target('closing');
    stream.publish(target, -1, null, bytes('a'));
    await turn();
    stream.publish(target, -1, null, bytes('b'));
    await turn();
    expect(store.waitingForRoom.length).toBe(1);
    publisher.close();
    const waiting = store.waitingForRoom;
    store.waitingForRoom = null;
    for (const proceed of waiting) proceed();
    expect(await outcomes.all(2)).toEqual(['closing-0@0', 'closing-0@1']);
    expect(waiting.length).toBe(2);
  });

  it('tells nothing after it was closed', async () => {
    const { publisher } = await openWithTopic('gone');
    const outcomes = new Outcomes();
    const stream = publisher.openStream(outcomes);
    stream.publish(publisher.target('gone'), -1, null, bytes('a'));
    stream.close();
    await turn();
    await turn();
    expect(outcomes.told).toEqual([]);
    expect(await publisher.publish('gone', [{ value: bytes('b') }])).toMatchObject([{ partition: 0, offset: 1 }]);
  });

  it('stores any records as they were given', async () => {
    const gateway = await openWithTopic('any', 3);
    const field = fc.option(fc.uint8Array({ maxLength: 300 }));
    const record = fc.record({
      key: field,
      value: field,
      partition: fc.integer({ min: 0, max: 2 }),
      timestampMs: fc.integer({ min: 0, max: 4_000_000 }),
      headers: fc.array(fc.record({ key: fc.string({ maxLength: 20 }), value: field }), { maxLength: 4 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 40 }), async (records) => {
        const published = await gateway.publisher.publish('any', records);
        for (const [i, { partition, offset, errorCode }] of published.entries()) {
          expect(errorCode).toBe(ErrorCode.NONE);
          expect(partition).toBe(records[i]!.partition);
          const feed = gateway.feeds.feedOf(
            gateway.broker.findPartition(gateway.broker.topics.topic('any'), partition)!.log,
          );
          const block = await feed.read(offset as never, 'read_committed');
          if (block === null || 'errorCode' in block) throw new Error('the record cannot be read');
          const at = block.indexOf(offset as never);
          expect(block.offsetAt(at)).toBe(offset);
          expect(block.keyAt(at)).toEqual(records[i]!.key);
          expect(block.valueAt(at)).toEqual(records[i]!.value);
          expect(block.timestampMsAt(at)).toBe(records[i]!.timestampMs);
          expect(block.headersAt(at)).toEqual(records[i]!.headers);
        }
      }),
      { numRuns: 100 },
    );
  });
});

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
}

async function openWithTopic(name: string, partitionCount = 1, publisher = {}, logger: Logger = silentLogger) {
  const gateway = await openGateway({ publisher, logger });
  await gateway.createTopic(name, partitionCount);
  return gateway;
}
