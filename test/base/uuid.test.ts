import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import {
  metadataTopicUuid,
  parseUuid,
  randomUuid,
  uuidFromBytes,
  uuidIntoBytes,
  zeroUuid,
} from '../../src/base/uuid.ts';

describe('uuid', () => {
  it('has the text that base64url gives, at any place in a buffer', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.nat(9), (id, start) => {
        const bytes = new Uint8Array(start + 16 + 3).fill(0xee);
        bytes.set(id, start);
        const uuid = uuidFromBytes(bytes, start);
        expect(uuid).toBe(Buffer.from(id).toString('base64url'));
        const back = new Uint8Array(bytes.length).fill(0xee);
        uuidIntoBytes(uuid, back, start);
        expect(back).toEqual(bytes);
        expect(parseUuid(uuid)).toBe(uuid);
      }),
    );
  });

  it('knows the reserved ids', () => {
    const bytes = new Uint8Array(16);
    expect(uuidFromBytes(bytes, 0)).toBe(zeroUuid);
    bytes[15] = 1;
    expect(uuidFromBytes(bytes, 0)).toBe(metadataTopicUuid);
  });

  it.each([
    '',
    'AAAA',
    'A'.repeat(21),
    'A'.repeat(23),
    `${'A'.repeat(21)}B`,
    `${'A'.repeat(21)}+`,
    `${'A'.repeat(20)}=A`,
  ])('refuses the text %j', (text) => {
    expect(parseUuid(text)).toBeNull();
  });

  it('makes ids of version 4 that do not start with a dash, the same from the same seed', () => {
    const random = new SeededRandom(7);
    const again = new SeededRandom(7);
    for (let i = 0; i < 500; i++) {
      const uuid = randomUuid(random);
      expect(uuid).toBe(randomUuid(again));
      const bytes = Buffer.from(uuid, 'base64url');
      expect(bytes[6]! >>> 4).toBe(4);
      expect(bytes[8]! >>> 6).toBe(2);
      expect(uuid.startsWith('-')).toBe(false);
    }
  });
});
