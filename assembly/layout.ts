// Where things lie: the arena's table region (as `src/memory/core.ts` has it) and the fields of a record batch.
// The core allocates nothing: all it has is this region, which every thread's instance shares.
//
//   1024             17408  17472                      32768
//   | 16 CRC tables  | lock | the CRC's fold window    |
//
// A record batch, big-endian (Kafka's magic 2); the CRC covers everything from the attributes on:
//
//   0 i64 baseOffset      8 i32 length (of what follows)   12 i32 leaderEpoch   16 i8 magic   17 u32 crc
//   21 i16 attributes    23 i32 lastOffsetDelta   27 i64 baseTimestamp   35 i64 maxTimestamp
//   43 i64 producerId    51 i16 producerEpoch     53 i32 baseSequence    57 i32 recordCount   61 records

export const crcTables: usize = 1024;
export const foldLock: usize = 17408;
export const foldWindow: usize = 17472;

export const atLength: usize = 8;
export const atLeaderEpoch: usize = 12;
export const atMagic: usize = 16;
export const atCrc: usize = 17;
export const atAttributes: usize = 21;
export const atLastOffsetDelta: usize = 23;
export const atBaseTimestamp: usize = 27;
export const atMaxTimestamp: usize = 35;
export const atProducerId: usize = 43;
export const atProducerEpoch: usize = 51;
export const atBaseSequence: usize = 53;
export const atRecordCount: usize = 57;
export const headerSize: u32 = 61;
/** Base offset and length, which the length field does not count. */
export const leadSize: u32 = 12;

// @ts-ignore: decorator
@inline
export function load16(address: usize): i16 {
  return bswap<i16>(load<i16>(address));
}

// @ts-ignore: decorator
@inline
export function load32(address: usize): i32 {
  return bswap<i32>(load<i32>(address));
}

// @ts-ignore: decorator
@inline
export function load64(address: usize): i64 {
  return bswap<i64>(load<i64>(address));
}

// @ts-ignore: decorator
@inline
export function store16(address: usize, value: i16): void {
  store<i16>(address, bswap<i16>(value));
}

// @ts-ignore: decorator
@inline
export function store32(address: usize, value: i32): void {
  store<i32>(address, bswap<i32>(value));
}

// @ts-ignore: decorator
@inline
export function store64(address: usize, value: i64): void {
  store<i64>(address, bswap<i64>(value));
}
