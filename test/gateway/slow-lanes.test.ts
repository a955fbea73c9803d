/**
 * Publishers to topics whose batches take long to compress, over a store whose preparer holds each batch until the test lets it
 * go, and which gives room when the test says so: the order of a lane, and who is stopped by it.
 */

import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { ErrorCode } from '../../src/base/error-code.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { BrokerConfig } from '../../src/broker/broker-config.ts';
import { Broker } from '../../src/broker/broker.ts';
import { RecordFeeds } from '../../src/gateway/record-feeds.ts';
import { RecordPublisher } from '../../src/gateway/record-publisher.ts';
import { NamedProducer } from '../../src/gateway/named-producers.ts';
import { Compression } from '../../src/records/record-batch.ts';
import { compressionMs, type InlineBounds } from '../../src/storage/inline-bounds.ts';
import { defaultCompressionLevels } from '../../src/storage/batch-deflater.ts';
import { WrappedLogStore } from '../simulation/wrapped-log-store.ts';
import { HeldPreparer } from '../storage/held-preparer.ts';
import { StoreHarness, until } from '../storage/store-harness.ts';
import { bytes, Outcomes, valuesOf } from './gateway-harness.ts';

/** A store that has no room for those who ask while the test collects them. */
class HeldRoomStore extends WrappedLogStore {
  waiting: (() => void)[] | null = null;

  override whenRoom(sizeBytes: number, proceed: () => void): boolean {
    if (this.waiting === null) return super.whenRoom(sizeBytes, proceed);
    this.waiting.push(proceed);
    return false;
  }

  /** Lets those in who have asked so far. */
  letIn(): void {
    for (const proceed of this.waiting?.splice(0) ?? []) proceed();
  }
}

/** Batches up to so many bytes are compressed at once where a topic asks for gzip. */
function quickUpTo(sizeBytes: number): InlineBounds {
  const most = compressionMs(Compression.GZIP, defaultCompressionLevels, sizeBytes);
  return { inflatedBytes: Infinity, compressionMs: most };
}

const open: { readonly broker: Broker; readonly harness: StoreHarness }[] = [];

afterEach(async () => {
  for (const { broker, harness } of open.splice(0)) {
    await broker.close();
    harness.remove();
  }
});

async function opened(bounds = quickUpTo(0), maxWaitingBytes = 1024 * 1024) {
  const preparer = new HeldPreparer(bounds);
  const harness = new StoreHarness({ preparer });
  const store = new HeldRoomStore(await harness.open(), (log) => log);
  const broker = await Broker.open({
    store,
    config: new BrokerConfig([['node.id', '1']]),
    clusterId: 'AAAAAAAAAAAAAAAAAAAtest',
    clock: systemClock,
    random: new SeededRandom(1),
    logger: silentLogger,
  });
  open.push({ broker, harness });
  const create = async (name: string, configs: Record<string, string>): Promise<void> => {
    const spec = { name, partitionCount: 1, replicationFactor: 1, configs: Object.entries(configs) };
    expect((await broker.topics.create(spec)).errorCode).toBe(ErrorCode.NONE);
  };
  await create('slow', { 'compression.type': 'gzip', 'max.message.bytes': '200' });
  await create('quick', {});
  const publisher = new RecordPublisher(broker, { maxWaitingBytes });
  const values = (topic: string): Promise<string[]> => valuesOf(new RecordFeeds(broker), broker, topic);
  return { broker, store, preparer, publisher, values, create };
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
}

/** A value of which a batch of 200 bytes takes one. */
const long = (name: string): Uint8Array => bytes(name.padEnd(80, '.'));
const offsets = (count: number): string[] => Array.from({ length: count }, (_, i) => `slow-0@${i}`);

describe('batches of one lane', () => {
  it('reach the log in their order, though the ring is full and the first is prepared meanwhile', async () => {
    const { store, preparer, publisher, values } = await opened();
    const outcomes = new Outcomes();
    const stream = publisher.openStream(outcomes);
    const slow = publisher.target('slow');
    const names = ['a', 'b', 'c', 'd', 'e', 'f'];
    store.waiting = [];
    for (const name of names.slice(0, 3)) stream.publish(slow, 0, null, long(name));
    await turn();
    // The first leaves the ring to be prepared; the others of these may have asked already, and more come.
    store.waiting.shift()!();
    expect(preparer.held).not.toBeNull();
    for (const name of names.slice(3)) stream.publish(slow, 0, null, long(name));
    await turn();
    store.letIn();
    preparer.isQuick = true;
    preparer.letGo();
    while (outcomes.told.length < names.length) {
      await turn();
      store.letIn();
    }
    expect(outcomes.told).toEqual(offsets(names.length));
    store.waiting = null;
    expect((await values('slow')).map((value) => value[0])).toEqual(names);
    expect(publisher.waitingBytes).toBe(0);
  });

  it('are refused behind one that a stop refuses', async () => {
    const { broker, preparer, publisher } = await opened(quickUpTo(120));
    const outcomes = new Outcomes();
    const stream = publisher.openStream(outcomes);
    const slow = publisher.target('slow');
    const log = broker.topics.partition(broker.topics.topic('slow')!, 0)!;
    stream.publish(slow, 0, null, bytes('a'.repeat(90)));
    await turn();
    expect(preparer.held).not.toBeNull();
    // This one takes no time.
    stream.publish(slow, 0, null, bytes('b'));
    publisher.close();
    await broker.close();
    const { NOT_LEADER_OR_FOLLOWER } = ErrorCode;
    expect(await outcomes.all(2)).toEqual([NOT_LEADER_OR_FOLLOWER, NOT_LEADER_OR_FOLLOWER]);
    expect(log.endOffset).toBe(0);
    expect(publisher.waitingBytes).toBe(0);
  });

  it('are waited for by those who ask what became of a number, also where the ring is full', async () => {
    const { store, publisher, values } = await opened();
    const outcomes = new Outcomes();
    const stream = publisher.openStream(outcomes);
    const quick = publisher.target('quick');
    store.waiting = [];
    // It comes again before anything was stored.
    for (let time = 0; time < 2; time++) {
      stream.publishNamed(new NamedProducer('named'), 1, null, quick, 0, null, bytes('a'));
      await turn();
    }
    expect([outcomes.told, store.waiting.length]).toEqual([[], 1]);
    store.letIn();
    expect(await outcomes.all(2)).toEqual(['quick-0@0', 'quick-0@0']);
    store.waiting = null;
    expect(await values('quick')).toEqual(['a']);
  });
});

describe('a topic whose batches take long to compress', () => {
  const maxWaitingBytes = 10_000;

  it('stops those who send there, and nobody else', async () => {
    const { preparer, publisher, values } = await opened(quickUpTo(0), maxWaitingBytes);
    const [slowOnes, quickOnes] = [new Outcomes(), new Outcomes()];
    const [slow, quick] = [publisher.openStream(slowOnes), publisher.openStream(quickOnes)];
    const [slowTopic, quickTopic] = [publisher.target('slow'), publisher.target('quick')];
    let handedIn = 1;
    while (slow.publish(slowTopic, 0, null, long(`${handedIn}`))) handedIn++;
    await turn();
    expect(preparer.held).not.toBeNull();
    expect(publisher.waitingBytes).toBeGreaterThan(maxWaitingBytes / 4);
    expect(slow.publish(slowTopic, 0, null, long(`${++handedIn}`))).toBe(false);
    for (let i = 0; i < 300; i++) {
      expect(quick.publish(quickTopic, 0, null, bytes('x'.repeat(100)))).toBe(true);
      if (i % 50 === 49) await quickOnes.all(i + 1);
    }
    expect(slowOnes.told).toEqual([]);
    expect(slowOnes.resumes).toBe(0);
    preparer.isQuick = true;
    preparer.letGo();
    expect(await slowOnes.all(handedIn)).toEqual(offsets(handedIn));
    await until(() => slowOnes.resumes === 1);
    expect(await values('slow')).toHaveLength(handedIn);
    expect(publisher.waitingBytes).toBe(0);
    expect(slow.publish(slowTopic, 0, null, long('again'))).toBe(true);
  });

  it('has a share of what may wait, and others like it have theirs', async () => {
    const { preparer, publisher, create } = await opened(quickUpTo(0), maxWaitingBytes);
    await create('other', { 'compression.type': 'gzip', 'max.message.bytes': '200' });
    const streams = ['slow', 'other'].map((name) => {
      const outcomes = new Outcomes();
      return { outcomes, target: publisher.target(name), stream: publisher.openStream(outcomes) };
    });
    const counts: number[] = [];
    for (const { stream, target } of streams) {
      // One that is prepared makes it slow.
      stream.publish(target, 0, null, long('first'));
      await turn();
      let count = 1;
      for (let isMore = true; isMore; count++) isMore = stream.publish(target, 0, null, long('more'));
      counts.push(count);
    }
    // A record takes some 90 bytes here, and the header of its batch 61.
    for (const count of counts) expect(count * 160).toBeGreaterThan(maxWaitingBytes / 4);
    for (const count of counts) expect(count * 90).toBeLessThan(maxWaitingBytes / 3);
    preparer.isQuick = true;
    preparer.letGo();
    for (const [i, { outcomes }] of streams.entries()) await outcomes.all(counts[i]!);
    for (const { outcomes } of streams) await until(() => outcomes.resumes === 1);
    expect(publisher.waitingBytes).toBe(0);
  });

  it('has those wait that publish many at once, and nobody else', async () => {
    const { preparer, publisher } = await opened(quickUpTo(0), maxWaitingBytes);
    const many = Array.from({ length: 100 }, (_, i) => ({ value: long(`${i}`), partition: 0 }));
    const first = publisher.publish('slow', many);
    await turn();
    let isDone = false;
    const second = publisher.publish('slow', many).then((published) => {
      isDone = true;
      return published;
    });
    const quick = await publisher.publish('quick', [{ value: bytes('x') }]);
    expect(quick).toMatchObject([{ errorCode: ErrorCode.NONE, offset: 0 }]);
    expect([isDone, preparer.count]).toEqual([false, 1]);
    preparer.isQuick = true;
    preparer.letGo();
    const published = [...(await first), ...(await second)];
    expect(published.map(({ offset }) => offset)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });
});
