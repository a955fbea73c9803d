/** Turns the bytes of a good frame into those of a bad one: flips, cuts, lying lengths and counts, splices, floods. */

import type { SeededRandom } from '../../src/base/random.ts';
import { oneOf } from './choice.ts';

const prefixBytes = 4;
const lies = [0, 1, -1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, -0x8000_0000, 0x0100_0000];

/** A changed copy of `frame`, which has its size prefix; most often the prefix is right for what follows. */
export function mutate(random: SeededRandom, frame: Buffer, other: Buffer): Buffer {
  let body: Buffer = Buffer.from(frame.subarray(prefixBytes));
  const times = 1 + random.below(4);
  for (let i = 0; i < times; i++) body = mutateBody(random, body, other);
  const size = Buffer.alloc(prefixBytes);
  size.writeInt32BE(random.chance(0.05) ? oneOf(random, lies) | 0 : body.length);
  return Buffer.concat([size, body]);
}

function mutateBody(random: SeededRandom, body: Buffer, other: Buffer): Buffer {
  if (body.length === 0) return other;
  const at = random.below(body.length);
  switch (random.below(8)) {
    case 0:
      body[at]! ^= 1 << random.below(8);
      return body;
    case 1:
      return body.subarray(0, at);
    case 2: {
      // A length or count, in each of the sizes that there are.
      const lie = oneOf(random, lies);
      if (at + 4 <= body.length && random.chance(0.5)) body.writeInt32BE(lie | 0, at);
      else if (at + 2 <= body.length && random.chance(0.5)) body.writeInt16BE((lie << 16) >> 16, at);
      else body[at] = lie;
      return body;
    }
    case 3:
      return Buffer.concat([body.subarray(0, at), other.subarray(random.below(other.length + 1))]);
    case 4: {
      const noise = Buffer.alloc(1 + random.below(32));
      random.fill(noise);
      return Buffer.concat([body.subarray(0, at), noise, body.subarray(at)]);
    }
    case 5: {
      // A varint of five bytes at its greatest.
      return Buffer.concat([body.subarray(0, at), Buffer.of(0xff, 0xff, 0xff, 0xff, 0x0f), body.subarray(at)]);
    }
    case 6:
      return Buffer.concat([body.subarray(0, at), Buffer.alloc(random.below(3000), oneOf(random, [0, 1, 2, 0xff]))]);
    default:
      // The key or the version, under which the rest is something else.
      body[oneOf(random, [1, 3])] = random.below(20);
      return body;
  }
}
