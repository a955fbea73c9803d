import { describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import type { FrameFormat, RecordBlock } from '../../src/gateway/record-block.ts';
import { bytes, openGateway, Readings, type GatewayHarness } from './gateway-harness.ts';

const unlimited = { creditRecords: Infinity, creditBytes: Infinity };

describe('a reader', () => {
  it('tells what is there, then what comes', async () => {
    const gateway = await openWithTopic('orders');
    await publish(gateway, 'orders', ['a', 'b']);
    const readings = new Readings();
    const reader = gateway.feeds.openReader(readings, unlimited);
    expect(await reader.add('orders', 0, 'earliest')).toBe(0);
    expect(await readings.count(2)).toEqual(['orders-0@0=a', 'orders-0@1=b']);
    await publish(gateway, 'orders', ['c']);
    expect((await readings.count(3))[2]).toBe('orders-0@2=c');
    expect(readings.ends.at(-1)).toBe('orders-0@3');
    reader.close();
    await publish(gateway, 'orders', ['d']);
    expect(readings.told.length).toBe(3);
  });

  it('begins at an offset, at the end, or at a time', async () => {
    const gateway = await openWithTopic('orders');
    await publish(gateway, 'orders', ['a', 'b', 'c']);
    const starts = async (start: Parameters<ReturnType<typeof gateway.feeds.openReader>['add']>[2]) => {
      const reader = gateway.feeds.openReader(new Readings());
      const offset = await reader.add('orders', 0, start);
      reader.close();
      return offset;
    };
    expect(await starts({ offset: 2 })).toBe(2);
    expect(await starts('latest')).toBe(3);
    expect(await starts({ timestampMs: gateway.clock.nowMs() })).toBe(0);
    expect(await starts({ timestampMs: gateway.clock.nowMs() + 1 })).toBe(3);
    expect(await starts({ offset: 4 })).toMatchObject({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE });
    expect(await starts({ offset: -1 })).toMatchObject({ errorCode: ErrorCode.OFFSET_OUT_OF_RANGE });
  });

  it('tells no more than it has credit for', async () => {
    const gateway = await openWithTopic('orders');
    await publish(gateway, 'orders', ['aaaa', 'bbbb', 'cccc', 'dddd', 'eeee']);
    const readings = new Readings();
    const reader = gateway.feeds.openReader(readings);
    await reader.add('orders', 0, 'earliest');
    reader.grant(2);
    expect(readings.told).toEqual(['orders-0@0=aaaa', 'orders-0@1=bbbb']);
    await turn();
    expect(readings.told.length).toBe(2);
    expect(reader.positionOf('orders', 0)).toBe(2);
    reader.close();
    const bounded = gateway.feeds.openReader(readings, { creditRecords: 100 });
    await bounded.add('orders', 0, { offset: 2 });
    bounded.grant(0, 5);
    await turn();
    expect(readings.told.slice(2)).toEqual(['orders-0@2=cccc', 'orders-0@3=dddd']);
  });

  it('pauses, resumes and seeks', async () => {
    const gateway = await openWithTopic('orders', 2);
    await publish(gateway, 'orders', ['a'], 0);
    await publish(gateway, 'orders', ['b'], 1);
    const readings = new Readings();
    const reader = gateway.feeds.openReader(readings, unlimited);
    await reader.add('orders', 0, 'earliest');
    reader.pause('orders', 0);
    await reader.add('orders', 1, 'earliest');
    expect(await readings.count(1)).toEqual(['orders-1@0=b']);
    await turn();
    expect(readings.told.length).toBe(1);
    reader.resume('orders', 0);
    expect(await readings.count(2)).toEqual(['orders-1@0=b', 'orders-0@0=a']);
    expect(await reader.seek('orders', 0, { offset: 0 })).toBe(0);
    expect(await readings.count(3)).toEqual(['orders-1@0=b', 'orders-0@0=a', 'orders-0@0=a']);
    reader.remove('orders', 0);
    await publish(gateway, 'orders', ['c'], 0);
    await publish(gateway, 'orders', ['d'], 1);
    expect((await readings.count(4))[3]).toBe('orders-1@1=d');
  });

  it('hears that a topic was deleted', async () => {
    const gateway = await openWithTopic('short');
    const readings = new Readings();
    const reader = gateway.feeds.openReader(readings, unlimited);
    await reader.add('short', 0, 'latest');
    await gateway.broker.topics.delete(gateway.broker.topics.topic('short')!.id);
    await readings.until(() => readings.failures.length > 0);
    expect(readings.failures).toMatchObject([
      { partition: 'short-0', errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION },
    ]);
    expect(await reader.add('short', 0, 'latest')).toMatchObject({ errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION });
  });

  it('whose listener throws is told so alone, and others hear of the same records', async () => {
    const gateway = await openWithTopic('defect');
    const failures: unknown[] = [];
    const broken = gateway.feeds.openReader(
      {
        records: () => {
          throw new Error('a defect');
        },
        failed: (...told) => void failures.push(told),
      },
      unlimited,
    );
    const deaf = gateway.feeds.openReader(
      {
        records: () => {
          throw new Error('a defect');
        },
        failed: () => {
          throw new Error('another');
        },
      },
      unlimited,
    );
    const readings = new Readings();
    const sound = gateway.feeds.openReader(readings, unlimited);
    for (const reader of [broken, deaf, sound]) await reader.add('defect', 0, 'latest');
    await turn();
    await publish(gateway, 'defect', ['a']);
    expect(await readings.count(1)).toEqual(['defect-0@0=a']);
    expect(failures).toMatchObject([['defect', 0, ErrorCode.UNKNOWN_SERVER_ERROR, expect.stringMatching(/defect/)]]);
    await publish(gateway, 'defect', ['b']);
    expect(await readings.count(2)).toEqual(['defect-0@0=a', 'defect-0@1=b']);
    await gateway.broker.topics.delete(gateway.broker.topics.topic('defect')!.id);
    await readings.until(() => readings.failures.length > 0);
    expect(failures.length).toBe(2);
  });

  it('reads and writes frames once for all readers', async () => {
    const gateway = await openWithTopic('fan');
    let encodings = 0;
    const format: FrameFormat<string> = {
      encode(_block: RecordBlock, from: number, to: number) {
        encodings++;
        return `${from}-${to}`;
      },
    };
    const frames: string[] = [];
    const blocks = new Set<RecordBlock>();
    for (let i = 0; i < 1000; i++) {
      const reader = gateway.feeds.openReader(
        {
          records: (block, from, to) => {
            blocks.add(block);
            frames.push(block.frame(format, from, to));
          },
          failed: (_topic, _partition, errorCode) => expect(errorCode).toBe(ErrorCode.NONE),
        },
        unlimited,
      );
      await reader.add('fan', 0, 'latest');
    }
    await turn();
    await publish(gateway, 'fan', ['a', 'b', 'c']);
    await turn();
    expect(frames.length).toBe(1000);
    expect(new Set(frames)).toEqual(new Set(['0-3']));
    expect(encodings).toBe(1);
    expect(blocks.size).toBe(1);
  });
});

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(() => setImmediate(resolve)));
}

async function openWithTopic(name: string, partitionCount = 1): Promise<GatewayHarness> {
  const gateway = await openGateway();
  await gateway.createTopic(name, partitionCount);
  return gateway;
}

async function publish({ publisher }: GatewayHarness, topic: string, values: string[], partition = 0): Promise<void> {
  const published = await publisher.publish(
    topic,
    values.map((value) => ({ value: bytes(value), partition })),
  );
  expect(published.every(({ errorCode }) => errorCode === ErrorCode.NONE)).toBe(true);
}
