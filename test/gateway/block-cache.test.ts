import { expect, it } from 'vitest';
import { firstOffset } from '../../src/base/numbers.ts';
import { BlockCache } from '../../src/gateway/block-cache.ts';
import { RecordBlock } from '../../src/gateway/record-block.ts';
import { BatchBuilder } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';

function block(): RecordBlock {
  const builder = new BatchBuilder(crc32c);
  builder.append({ key: null, value: new Uint8Array(1000), timestampMs: 0 });
  return new RecordBlock('t', 0, firstOffset, firstOffset, builder.seal(), null, () => null);
}

it('lets those go that were used least recently, and never the newest', () => {
  const blocks = Array.from({ length: 5 }, block);
  const { sizeBytes } = blocks[0]!;
  const cache = new BlockCache(3 * sizeBytes);
  const forgotten: RecordBlock[] = [];
  const holder = { forget: (gone: RecordBlock) => void forgotten.push(gone) };
  for (const each of blocks.slice(0, 3)) cache.add(each, holder);
  cache.used(blocks[0]!);
  cache.add(blocks[3]!, holder);
  expect(forgotten).toEqual([blocks[1]]);
  cache.remove(blocks[2]!);
  cache.add(blocks[4]!, holder);
  expect(forgotten).toEqual([blocks[1]]);
  expect(cache.sizeBytes).toBe(3 * sizeBytes);
  const small = new BlockCache(1);
  small.add(blocks[0]!, holder);
  small.add(blocks[1]!, holder);
  expect(small.sizeBytes).toBe(sizeBytes);
  expect(forgotten.at(-1)).toBe(blocks[0]);
});

it('counts the frames that were made of a block, of which a block keeps few', () => {
  const one = block();
  const cache = new BlockCache(10 * 1024 * 1024);
  const forgotten: RecordBlock[] = [];
  cache.add(block(), { forget: (gone: RecordBlock) => void forgotten.push(gone) });
  cache.add(one, { forget: (gone: RecordBlock) => void forgotten.push(gone) });
  const before = one.sizeBytes;
  let encodings = 0;
  // As many readers of server-sent events, each at other positions than the rest.
  for (let reader = 0; reader < 1000; reader++) {
    const format = { encode: () => (encodings++, new Uint8Array(100_000)) };
    expect(one.frame(format)).toBe(one.frame(format));
    cache.used(one);
    expect(one.sizeBytes - before).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect(cache.sizeBytes).toBeGreaterThanOrEqual(one.sizeBytes);
  }
  expect(encodings).toBe(1000);
  cache.remove(one);
  expect(cache.sizeBytes).toBeLessThan(10_000);
  expect(forgotten).toEqual([]);
});
