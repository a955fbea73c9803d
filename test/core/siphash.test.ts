import { expect, it } from 'vitest';
import { arena, outputAddress, place } from './core-arena.ts';

/** Of the reference implementation (vectors_sip128): key 00…0f, input 00, 01, 02, … of the length given. */
const vectors: readonly (readonly [sizeBytes: number, hash: string])[] = [
  [0, 'a3817f04ba25a8e66df67214c7550293'],
  [1, 'da87c1d86b99af44347659119b22fc45'],
  [7, 'a1f1ebbed8dbc153c0b84aa61ff08239'],
  [8, '3b62a9ba6258f5610f83e264f31497b4'],
  [15, '5493e99933b0a8117e08ec0f97cfc3d9'],
  [63, '5150d1772f50834a503e069a973fbd7c'],
];

it('gives the hashes of the reference implementation', () => {
  const key = outputAddress;
  for (let i = 0; i < 16; i++) arena.bytes[key + i] = i;
  for (const [sizeBytes, hash] of vectors) {
    const input = place(Uint8Array.from({ length: sizeBytes }, (_, i) => i));
    arena.core.sipHash128(input, sizeBytes, key, outputAddress + 64);
    expect(Buffer.from(arena.bytes.slice(outputAddress + 64, outputAddress + 80)).toString('hex')).toBe(hash);
  }
});
