import { afterEach, beforeEach, expect, test } from 'vitest';
import { silentLogger } from '../../src/base/logger.ts';
import { asOffset } from '../../src/base/numbers.ts';
import { BlockCache } from '../../src/gateway/block-cache.ts';
import { PartitionFeed } from '../../src/gateway/partition-feed.ts';
import type { RecordBlock } from '../../src/gateway/record-block.ts';
import type { AppendResult, IsolationLevel, PartitionLog } from '../../src/storage/partition-log.ts';
import { Turns } from '../../src/storage/turns.ts';
import { append, batchOf, StoreHarness } from '../storage/store-harness.ts';

let harness: StoreHarness;
beforeEach(async () => {
  harness = new StoreHarness();
  await harness.open();
});
afterEach(() => harness.remove());

function write(log: PartitionLog, producerId: number, value: string): Promise<AppendResult> {
  return append(log, batchOf([value], { producerId, producerEpoch: 0, baseSequence: 0, transactional: true }));
}

function end(log: PartitionLog, producerId: number, outcome: 'commit' | 'abort'): Promise<AppendResult> {
  return new Promise((resolve) => {
    log.appendMarker({ producerId, producerEpoch: 0, coordinatorEpoch: 0, outcome }, resolve);
  });
}

async function values(feed: PartitionFeed, isolation: IsolationLevel): Promise<string[]> {
  const found: string[] = [];
  for (let offset = 0; offset < feed.endOffset(isolation);) {
    const block = (await feed.read(asOffset(offset), isolation)) as RecordBlock;
    for (let i = block.indexOf(asOffset(offset)); i < block.count; i++) {
      found.push(Buffer.from(block.valueAt(i)!).toString());
    }
    offset = block.endOffset;
  }
  return found;
}

test('readers of a partition see what is committed and no markers, also beside those that see all', async () => {
  const log = harness.log();
  await append(log, batchOf(['plain']));
  await write(log, 1, 'aborted');
  await write(log, 2, 'committed');
  await end(log, 1, 'abort');
  await end(log, 2, 'commit');
  await write(log, 3, 'open');
  await append(log, batchOf(['behind it']));
  const options = {
    inflate: () => null,
    logger: silentLogger,
    cache: new BlockCache(),
    turns: new Turns(1),
    unused: () => {},
  };
  const feed = new PartitionFeed(log, options);
  for (let round = 0; round < 2; round++) {
    expect(await values(feed, 'read_committed')).toEqual(['plain', 'committed']);
    expect(await values(feed, 'read_uncommitted')).toEqual(['plain', 'aborted', 'committed', 'open', 'behind it']);
  }
  await end(log, 3, 'abort');
  expect(await values(feed, 'read_committed')).toEqual(['plain', 'committed', 'behind it']);
});
