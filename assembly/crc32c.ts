// CRC-32C (RFC 3720, Castagnoli). Any thread. It never writes to the data.
//
// Three ways, by size: slicing-by-16; folding by a six-term multiple of the polynomial; and folding by a four-term
// one, whose rest the six-term one takes. A sparse multiple of the polynomial lets byte i be taken out of the message
// by adding it to a few bytes further on, which leaves the CRC unchanged. Read as a recurrence:
//
//   four terms: out[i] = in[i] ^ out[i-767] ^ out[i-2524] ^ out[i-5275]
//   six terms:  out[i] = in[i] ^ out[i-65] ^ out[i-155] ^ out[i-170] ^ out[i-195] ^ out[i-209]
//
// No dependence is closer than 64 bytes, so four 16-byte lanes go at once. (The idea is that of "Chorba",
// arXiv 2412.16398, which is for CRC-32.)
//
// The recurrence needs its own last outputs, which lie in a window that all threads share. A thread takes the window
// by a lock that it never waits for: when another thread has it, the slower tables compute the same result.

import { crcTables, foldLock, foldWindow } from './layout';

const polynomial: u32 = 0x82f63b78;
/** Below this the set-up of a fold costs more than it saves. */
const foldFrom: u32 = 2048;
/** What the six-term fold holds in the window at once; above it the four-term fold slides. */
const sixTermsUpTo: u32 = 14 * 1024;
/** Zeros before the six-term fold's first byte: 209 of them are read, rounded up to a lane. */
const sixHistory: usize = 224;
/** Outputs kept before the four-term fold's next byte: 5,275 are read, rounded up to a lane. */
const fourHistory: usize = 5280;
/** Bytes the four-term fold writes before the history slides; the window holds 15,296 bytes. */
const fourChunk: usize = 9984;

/** Computes the tables: table k holds the CRC of each byte followed by k zero bytes. */
export function initializeTables(): void {
  for (let byte: u32 = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
    store<u32>(crcTables + (byte << 2), crc);
  }
  for (let table: u32 = 1; table < 16; table++) {
    for (let byte: u32 = 0; byte < 256; byte++) {
      const before = load<u32>(crcTables + ((table - 1) << 10) + (byte << 2));
      store<u32>(crcTables + (table << 10) + (byte << 2), (before >>> 8) ^ entry(0, before & 0xff));
    }
  }
  atomic.store<i32>(foldLock, 0);
}

/** CRC-32C of the range. */
export function crc32c(address: usize, size: u32): u32 {
  if (size >= foldFrom && atomic.cmpxchg<i32>(foldLock, 0, 1) == 0) {
    const crc = size <= sixTermsUpTo ? foldBySix(address, size) : foldByFour(address, size);
    atomic.store<i32>(foldLock, 0);
    return ~crc;
  }
  return ~sliced(address, size, 0xffffffff);
}

// @ts-ignore: decorator
@inline
function entry(table: u32, byte: u32): u32 {
  return load<u32>(crcTables + (table << 10) + (byte << 2));
}

// @ts-ignore: decorator
@inline
function four(table: u32, word: u32): u32 {
  return (
    entry(table + 3, word & 0xff) ^
    entry(table + 2, (word >>> 8) & 0xff) ^
    entry(table + 1, (word >>> 16) & 0xff) ^
    entry(table, word >>> 24)
  );
}

/** Slicing-by-16, from the CRC register `crc` and without the final inversion. */
function sliced(address: usize, size: u32, crc: u32): u32 {
  while (size >= 16) {
    crc =
      four(12, load<u32>(address) ^ crc) ^
      four(8, load<u32>(address, 4)) ^
      four(4, load<u32>(address, 8)) ^
      four(0, load<u32>(address, 12));
    address += 16;
    size -= 16;
  }
  while (size > 0) {
    crc = (crc >>> 8) ^ entry(0, (crc ^ load<u8>(address)) & 0xff);
    address++;
    size--;
  }
  return crc;
}

/** The register after the range, whose start is all ones; 2 KiB to 14 KiB. */
function foldBySix(address: usize, size: u32): u32 {
  const out = foldWindow + sixHistory;
  memory.fill(foldWindow, 0, sixHistory);
  copyFirstBlock(out, address);
  return sixTerms(address, out, 64, size);
}

/** The register after the range, whose start is all ones; more than 14 KiB. */
function foldByFour(address: usize, size: u32): u32 {
  const folded: usize = (size - 5275) & ~63;
  const out = foldWindow + fourHistory;
  memory.fill(foldWindow, 0, fourHistory);
  copyFirstBlock(out, address);
  let done: usize = 0;
  let start: usize = 64;
  while (done < folded) {
    const chunk = min(fourChunk, folded - done);
    for (let i = start; i < chunk; i += 64) {
      const to = out + i;
      const from = address + done + i;
      const a = fourTermLane(from, to);
      const b = fourTermLane(from + 16, to + 16);
      const c = fourTermLane(from + 32, to + 32);
      const d = fourTermLane(from + 48, to + 48);
      v128.store(to, a);
      v128.store(to, b, 16);
      v128.store(to, c, 32);
      v128.store(to, d, 48);
    }
    memory.copy(foldWindow, foldWindow + chunk, fourHistory);
    done += chunk;
    start = 0;
  }

  // What is left is the input's end plus what the last outputs add to it; the six-term fold works on it in place.
  const rest: u32 = size - <u32>folded;
  const tail = out + sixHistory;
  memory.fill(out, 0, sixHistory);
  memory.copy(tail, address + folded, rest);
  xorInto(tail, out - 767, 767);
  xorInto(tail, out - 2524, 2524);
  xorInto(tail, out - 5275, 5275);
  return sixTerms(tail, tail, 0, rest);
}

/** Folds [start, size) of `from` into `out`, before which are zeros; both may be one place. Returns the register. */
function sixTerms(from: usize, out: usize, start: usize, size: u32): u32 {
  const folded: usize = (size - 209) & ~63;
  for (let i = start; i < folded; i += 64) {
    const to = out + i;
    const a = sixTermLane(from + i, to);
    const b = sixTermLane(from + i + 16, to + 16);
    const c = sixTermLane(from + i + 32, to + 32);
    const d = sixTermLane(from + i + 48, to + 48);
    v128.store(to, a);
    v128.store(to, b, 16);
    v128.store(to, c, 32);
    v128.store(to, d, 48);
  }
  const rest: u32 = size - <u32>folded;
  const tail = out + folded;
  memory.copy(tail, from + folded, rest);
  xorInto(tail, tail - 65, 65);
  xorInto(tail, tail - 155, 155);
  xorInto(tail, tail - 170, 170);
  xorInto(tail, tail - 195, 195);
  xorInto(tail, tail - 209, 209);
  return sliced(tail, rest, 0);
}

/** The first 64 bytes have no history; the register's start, all ones, is added to the first four of them. */
// @ts-ignore: decorator
@inline
function copyFirstBlock(out: usize, from: usize): void {
  memory.copy(out, from, 64);
  store<u32>(out, ~load<u32>(out));
}

// @ts-ignore: decorator
@inline
function fourTermLane(from: usize, to: usize): v128 {
  return v128.xor(
    v128.xor(v128.load(from), v128.load(to - 767)),
    v128.xor(v128.load(to - 2524), v128.load(to - 5275)),
  );
}

// @ts-ignore: decorator
@inline
function sixTermLane(from: usize, to: usize): v128 {
  return v128.xor(
    v128.xor(v128.xor(v128.load(from), v128.load(to - 65)), v128.xor(v128.load(to - 155), v128.load(to - 170))),
    v128.xor(v128.load(to - 195), v128.load(to - 209)),
  );
}

/** Adds `size` bytes of `from` to those at `to`; the ranges do not overlap. */
function xorInto(to: usize, from: usize, size: u32): void {
  while (size >= 16) {
    v128.store(to, v128.xor(v128.load(to), v128.load(from)));
    to += 16;
    from += 16;
    size -= 16;
  }
  while (size > 0) {
    store<u8>(to, load<u8>(to) ^ load<u8>(from));
    to++;
    from++;
    size--;
  }
}
