/** Publisher and readers over the local store: what reaches the log is whole, and is read from the ring, files and inflated. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { ErrorCode } from '../../src/base/error-code.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { BrokerConfig } from '../../src/broker/broker-config.ts';
import { Broker } from '../../src/broker/broker.ts';
import { Gateway, type GatewayOptions } from '../../src/gateway/gateway.ts';
import { BatchBuilder } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { batchSizeAt, Compression, hasValidCrc } from '../../src/records/record-batch.ts';
import type { PartitionLog } from '../../src/storage/partition-log.ts';
import { StoreHarness, append } from '../storage/store-harness.ts';
import { bytes, Outcomes, valuesOf } from './gateway-harness.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

let harness: StoreHarness | null = null;
let broker: Broker | null = null;

afterEach(async () => {
  await broker?.close();
  harness?.remove();
  broker = harness = null;
});

async function open(ringSizeBytes = 32 * 1024 * 1024, options: GatewayOptions = {}): Promise<Gateway> {
  harness = new StoreHarness({ ringSizeBytes });
  broker = await Broker.open({
    store: await harness.open(),
    config: new BrokerConfig([['node.id', '1']]),
    clusterId: 'AAAAAAAAAAAAAAAAAAAtest',
    clock: systemClock,
    random: new SeededRandom(1),
    logger: silentLogger,
  });
  return new Gateway(broker, options);
}

function logOf({ broker: { topics } }: Gateway, topic: string): PartitionLog {
  return topics.partition(topics.topic(topic)!, 0)!;
}

async function createTopic(gateway: Gateway, name: string, configs: Record<string, string> = {}): Promise<void> {
  const spec = { name, partitionCount: 1, replicationFactor: 1, configs: Object.entries(configs) };
  expect((await gateway.broker.topics.create(spec)).errorCode).toBe(ErrorCode.NONE);
}

describe('over the local store', () => {
  it.each(['CreateTime', 'LogAppendTime'])('writes batches that are whole (%s)', async (timestampType) => {
    const gateway = await open();
    await createTopic(gateway, 't', { 'message.timestamp.type': timestampType });
    const log = logOf(gateway, 't');
    const values = fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(values, async (given) => {
        const published = await gateway.publisher.publish(
          't',
          given.map((value) => ({ value })),
          'written',
        );
        const { offset } = published[0]!;
        const options = {
          offset: asOffset(offset),
          maxBytes: 1e6,
          minOneBatch: true,
          isolation: 'read_committed',
        } as const;
        const result = await log.read(options);
        const size = batchSizeAt(result.records, 0, result.records.length);
        expect(size).toBeGreaterThan(0);
        expect(hasValidCrc(result.records, 0, size, crc32c)).toBe(true);
        result.release();
      }),
      { numRuns: 50 },
    );
  });

  it('takes more than the ring holds, in order, and holds streams back meanwhile', async () => {
    const gateway = await open(4 * 1024 * 1024);
    await createTopic(gateway, 't');
    const outcomes = new Outcomes();
    const stream = gateway.publisher.openStream(outcomes, { maxWaitingBytes: 1024 * 1024 });
    const target = gateway.publisher.target('t');
    let pauses = 0;
    for (let i = 0; i < 20_000; i++) {
      const value = new Uint8Array(1000);
      new DataView(value.buffer).setUint32(0, i);
      if (stream.publish(target, -1, null, value)) continue;
      pauses++;
      const before = outcomes.resumes;
      while (outcomes.resumes === before) await new Promise((resolve) => setImmediate(resolve));
    }
    const told = await outcomes.all(20_000);
    expect(told.at(-1)).toBe('t-0@19999');
    expect(told.every((each) => typeof each === 'string')).toBe(true);
    expect(pauses).toBeGreaterThan(10);
    expect(gateway.publisher.waitingBytes).toBe(0);
    let next = 0;
    const reader = gateway.feeds.openReader(
      {
        records(block, from, to) {
          for (let i = from; i < to; i++) {
            const value = block.valueAt(i)!;
            expect(new DataView(value.buffer, value.byteOffset).getUint32(0)).toBe(next++);
          }
        },
        failed: (_topic, _partition, errorCode) => expect(errorCode).toBe(ErrorCode.NONE),
      },
      { creditRecords: Infinity, creditBytes: Infinity },
    );
    await reader.add('t', 0, 'earliest');
    while (next < 20_000) await new Promise((resolve) => setImmediate(resolve));
  });

  it('reads what others have compressed', async () => {
    const gateway = await open();
    await createTopic(gateway, 't');
    const builder = new BatchBuilder(crc32c);
    for (let i = 0; i < 10; i++) builder.append({ key: null, value: bytes(`packed ${i}`), timestampMs: Date.now() });
    const batch = builder.sealCompressed(Compression.GZIP, new Uint8Array(gzipSync(builder.body)));
    expect((await append(logOf(gateway, 't'), batch)).errorCode).toBe(ErrorCode.NONE);
    await gateway.publisher.publish('t', [{ value: bytes('plain') }]);
    expect(await valuesOf(gateway.feeds, gateway.broker, 't')).toEqual([
      ...Array.from({ length: 10 }, (_, i) => `packed ${i}`),
      'plain',
    ]);
  });

  it('brings many readers that are behind up to the end, each everything in order', async () => {
    const gateway = await open(4 * 1024 * 1024);
    await createTopic(gateway, 't');
    const count = 6000;
    for (let i = 0; i < count; i += 500) {
      const records = Array.from({ length: 500 }, (_, k) => {
        const value = new Uint8Array(1000);
        new DataView(value.buffer).setUint32(0, i + k);
        return { value };
      });
      await gateway.publisher.publish('t', records, 'written');
    }
    const next = Array.from({ length: 100 }, (_, i) => i * 10);
    for (const [i, offset] of next.entries()) {
      const reader = gateway.feeds.openReader(
        {
          records(block, from, to) {
            for (let k = from; k < to; k++) {
              const value = block.valueAt(k)!;
              const found = new DataView(value.buffer, value.byteOffset).getUint32(0);
              if (found !== next[i]) throw new Error(`reader ${i} gets ${found} where ${next[i]} comes next`);
              next[i]!++;
            }
            reader.grant(to - from);
          },
          failed: (_topic, _partition, errorCode) => expect(errorCode).toBe(ErrorCode.NONE),
        },
        { creditRecords: 300, creditBytes: Infinity },
      );
      await reader.add('t', 0, { offset });
    }
    while (next.some((offset) => offset < count)) await new Promise((resolve) => setImmediate(resolve));
    await gateway.publisher.publish('t', [{ value: new Uint8Array([0, 0, count >> 8, count & 0xff]) }]);
    while (next.some((offset) => offset < count + 1)) await new Promise((resolve) => setImmediate(resolve));
  });

  it('keeps memory flat while records stream through', async () => {
    // What is read last is kept for other readers: with the bound of every day that would be all of this.
    const gateway = await open(32 * 1024 * 1024, { cacheBytes: 4 * 1024 * 1024 });
    await createTopic(gateway, 't', { 'retention.bytes': '1000000', 'segment.bytes': '1048576' });
    const value = new Uint8Array(1000);
    const stream = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++)
        await gateway.publisher.publish(
          't',
          Array.from({ length: 500 }, () => ({ value })),
        );
    };
    let seen = 0;
    const reader = gateway.feeds.openReader(
      { records: (_block, from, to) => void (seen += to - from), failed: (_t, _p, code) => expect(code).toBe(0) },
      { creditRecords: Infinity, creditBytes: Infinity },
    );
    await reader.add('t', 0, 'latest');
    const kept = async (count: number): Promise<number> => {
      while (seen < count) await new Promise((resolve) => setImmediate(resolve));
      // V8 frees the buffers of a collection on another thread, behind its end; the next one begins by waiting for that.
      collectGarbage();
      collectGarbage();
      return process.memoryUsage().arrayBuffers;
    };
    await stream(20);
    const before = await kept(10_000);
    await stream(100);
    // 50 MB went through; what is kept are pools and the reader's last blocks.
    expect((await kept(60_000)) - before).toBeLessThan(30_000_000);
  });
});
