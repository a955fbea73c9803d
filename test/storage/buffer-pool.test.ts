import { describe, expect, it } from 'vitest';
import { BufferPool } from '../../src/storage/buffer-pool.ts';

describe('a pool of buffers', () => {
  it.each([
    [1, 256],
    [256, 256],
    [257, 512],
    [4095, 4096],
    [70_000, 131_072],
  ])('gives %i bytes a buffer of %i, and gives it again', (wanted, expected) => {
    const pool = new BufferPool();
    const buffer = pool.lease(wanted);
    expect(buffer.length).toBe(expected);
    expect(pool.leasedBytes).toBe(expected);
    pool.release(buffer);
    expect(pool.leasedBytes).toBe(0);
    expect(pool.lease(wanted)).toBe(buffer);
  });

  it('lets small buffers share memory and not a byte of it', () => {
    const pool = new BufferPool();
    const buffers = Array.from({ length: 200 }, () => pool.lease(300));
    const places = new Set(buffers.map(({ buffer, byteOffset }) => `${memoryNumber(buffer)} ${byteOffset}`));
    expect(places.size).toBe(200);
    expect(new Set(buffers.map(({ byteOffset }) => byteOffset % 512))).toEqual(new Set([0]));
    expect(memories.size).toBe(Math.ceil((200 * 512) / 16_384));
  });

  it('keeps no more unused bytes than it may', () => {
    const pool = new BufferPool(8192);
    const buffers = Array.from({ length: 4 }, () => pool.lease(4096));
    for (const buffer of buffers) pool.release(buffer);
    const again = Array.from({ length: 4 }, () => pool.lease(4096));
    expect(again.filter((buffer) => buffers.includes(buffer)).length).toBe(2);
  });

  it('takes no buffer twice', () => {
    const pool = new BufferPool();
    const buffer = pool.lease(1000);
    pool.release(buffer);
    expect(() => pool.release(buffer)).toThrow('once');
  });
});

const memories = new Map<ArrayBufferLike, number>();

function memoryNumber(memory: ArrayBufferLike): number {
  if (!memories.has(memory)) memories.set(memory, memories.size);
  return memories.get(memory)!;
}
