import { expect, it } from 'vitest';
import { SpareBuffers } from '../../src/server/spare-buffers.ts';

it('hands a large buffer out again, never to two at once, and keeps no more than so many bytes', () => {
  const spare = new SpareBuffers();
  const first = spare.take(100_000);
  const second = spare.take(100_000);
  expect([first.length, second.length]).toEqual([100_000, 100_000]);
  expect(second.buffer).not.toBe(first.buffer);
  spare.giveBack(first);
  const again = spare.take(120_000);
  expect(again.length).toBe(120_000);
  expect(again.buffer).toBe(first.buffer);
  expect(spare.take(120_000).buffer).not.toBe(first.buffer);
  const many = Array.from({ length: 40 }, () => spare.take(1024 * 1024));
  for (const buffer of many) spare.giveBack(buffer);
  expect(spare.spareBytes).toBe(16 * 1024 * 1024);
});

it('keeps neither small nor very large ones', () => {
  const spare = new SpareBuffers();
  for (const size of [1000, 9 * 1024 * 1024]) spare.giveBack(spare.take(size));
  expect(spare.spareBytes).toBe(0);
});
