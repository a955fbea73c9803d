import { expect, it } from 'vitest';
import { SpareBuffers } from '../../src/server/spare-buffers.ts';

it('hands a large buffer out again, never to two at once, and keeps no more than so many bytes', () => {
  const spare = new SpareBuffers();
  const first = spare.take(100_000);
  const second = spare.take(100_000);
  expect([first.length, second.length]).toEqual([100_000, 100_000]);
  expect(second.buffer).not.toBe(first.buffer);
  spare.giveBack(first);
  const again = spare.take(110_000);
  expect(again.length).toBe(110_000);
  expect(again.buffer).toBe(first.buffer);
  expect(spare.take(110_000).buffer).not.toBe(first.buffer);
  const many = Array.from({ length: 40 }, () => spare.take(1024 * 1024));
  for (const buffer of many) spare.giveBack(buffer);
  expect(spare.spareBytes).toBe(16 * 1024 * 1024);
});

it('has no more than a quarter behind what it hands out', () => {
  const spare = new SpareBuffers();
  for (let size = 4096; size <= 8 * 1024 * 1024; size = Math.floor(size * 1.003) + 1) {
    const buffer = spare.take(size);
    expect(buffer.length).toBe(size);
    expect(buffer.buffer.byteLength).toBeLessThanOrEqual(size * 1.25);
    spare.giveBack(buffer);
    expect(spare.take(size).buffer).toBe(buffer.buffer);
  }
});

it('finds room for another size once it is full, in that of those that were not used for longest', () => {
  const spare = new SpareBuffers();
  const mebibyte = 1024 * 1024;
  const takeMany = (count: number, size: number) => Array.from({ length: count }, () => spare.take(size));
  const [ofFour, ofTwo] = [takeMany(2, 4 * mebibyte), takeMany(4, 2 * mebibyte)];
  for (const buffer of [...ofFour, ...ofTwo]) spare.giveBack(buffer);
  const ofOne = takeMany(5, mebibyte);
  for (const buffer of ofOne) spare.giveBack(buffer);
  expect(spare.spareBytes).toBe(13 * mebibyte);
  expect(takeMany(5, mebibyte).map(({ buffer }) => buffer)).toEqual(ofOne.map(({ buffer }) => buffer).toReversed());
  expect(takeMany(4, 2 * mebibyte).map(({ buffer }) => buffer)).toEqual(ofTwo.map(({ buffer }) => buffer).toReversed());
  expect(ofFour.map(({ buffer }) => buffer)).not.toContain(spare.take(4 * mebibyte).buffer);
});

it('keeps neither small nor very large ones', () => {
  const spare = new SpareBuffers();
  for (const size of [1000, 9 * 1024 * 1024]) spare.giveBack(spare.take(size));
  expect(spare.spareBytes).toBe(0);
});
