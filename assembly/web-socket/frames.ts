// Reads the frames of a client (RFC 6455, section 5.2) where a socket was read to, and unmasks their payloads in place. One
// thread, on its own memory. It knows single frames; what they come to together its caller sees.

import { malformed, mostRows, noProblem, notMasked, problem, rows, sizeOfRow, stoppedAt, tooLarge, wrongUtf8 } from './layout';
import { unmask } from './masking';
import { isUtf8 } from './utf8';

const text: u32 = 1;
const binary: u32 = 2;
const close: u32 = 8;
const pong: u32 = 10;
const final: u32 = 0x80;
const reserved: u32 = 0x70;
const longestControl: u32 = 125;

/**
 * Reads whole frames from `at` on, at most `mostRows`, each to a row, and gives how many. Where it stopped, behind the last of them, and
 * why if something is wrong there, are in the memory. `largest` bounds a payload.
 */
export function readFrames(at: usize, end: usize, largest: u32): i32 {
  let count: i32 = 0;
  let row = rows;
  let wrong = noProblem;
  while (count < mostRows && at + 2 <= end) {
    const first: u32 = load<u8>(at);
    const second: u32 = load<u8>(at, 1);
    const opcode = first & 0x0f;
    wrong = problemOf(first, second, opcode);
    if (wrong != noProblem) break;
    let size: u32 = second & 0x7f;
    let payload = at + 6;
    if (size == 126) {
      if (at + 4 > end) break;
      size = <u32>bswap(load<u16>(at, 2));
      payload = at + 8;
    } else if (size == 127) {
      if (at + 10 > end) break;
      const long = bswap(load<u64>(at, 2));
      size = long > <u64>largest ? largest + 1 : <u32>long;
      payload = at + 14;
    }
    if (size > largest) {
      wrong = tooLarge;
      break;
    }
    const behind = payload + <usize>size;
    if (behind > end) break;
    const isAscii = unmask(payload, behind, load<u32>(payload - 4));
    const isWrong = !isAscii && first == (final | text) && !isUtf8(payload, behind);
    store<u32>(row, <u32>payload);
    store<u32>(row, <u32>behind, 4);
    store<u32>(row, isWrong ? first | wrongUtf8 : first, 8);
    row += sizeOfRow;
    count++;
    at = behind;
  }
  store<u32>(stoppedAt, <u32>at);
  store<u32>(problem, wrong);
  return count;
}

// @ts-ignore: decorator
@inline
function problemOf(first: u32, second: u32, opcode: u32): u32 {
  if ((second & 0x80) == 0) return notMasked;
  if ((first & reserved) != 0) return malformed;
  if (opcode > binary && opcode < close) return malformed;
  if (opcode > pong) return malformed;
  if (opcode >= close && ((first & final) == 0 || (second & 0x7f) > longestControl)) return malformed;
  return noProblem;
}
