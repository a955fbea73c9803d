// Reads the fields of records one after the other, none beyond the end that was set. Any thread: globals belong to the
// instance, so threads do not share them. The format stands in `batch-scan.ts`; what the fields mean is the callers' to say.

let cursor: usize = 0;
let end: usize = 0;
/** Set by any read that found no whole value; the values read after it mean nothing. */
let failed: bool = false;

/** Reads from `address` on, nothing at or after `stop`. */
// @ts-ignore: decorator
@inline
export function startReading(address: usize, stop: usize): void {
  cursor = address;
  end = stop;
  failed = false;
}

/** Where the next field begins. */
// @ts-ignore: decorator
@inline
export function at(): usize {
  return cursor;
}

/** Nothing is read at or after `stop` from now on. */
// @ts-ignore: decorator
@inline
export function moveEnd(stop: usize): void {
  end = stop;
}

/** Whether a read since `startReading` found no whole value. */
// @ts-ignore: decorator
@inline
export function hasFailed(): bool {
  return failed;
}

// @ts-ignore: decorator
@inline
export function skip(size: u32): void {
  if (size > <u32>(end - cursor)) failed = true;
  else cursor += size;
}

/** Passes a nullable field; returns its size, -1 where it is null. It ends at `at()`. */
// @ts-ignore: decorator
@inline
export function skipField(): i32 {
  const size = readVarint();
  if (size >= 0) skip(size);
  else if (size != -1) failed = true;
  return size;
}

export function skipHeaders(): void {
  const count = readVarint();
  if (count < 0) failed = true;
  // A header takes two bytes at least, so a count beyond what is left fails before it costs anything.
  for (let i = 0; i < count && !failed; i++) {
    const keySize = readVarint();
    if (keySize < 0) failed = true;
    else skip(keySize);
    skipField();
  }
}

// @ts-ignore: decorator
@inline
export function readVarint(): i32 {
  if (cursor < end) {
    const byte: u32 = load<u8>(cursor);
    if (byte < 0x80) {
      cursor++;
      return <i32>((byte >>> 1) ^ -(byte & 1));
    }
  }
  const raw = readLongVarint(5, 0x0f);
  return <i32>((<u32>raw >>> 1) ^ -(<u32>raw & 1));
}

// @ts-ignore: decorator
@inline
export function readVarlong(): i64 {
  const raw = readLongVarint(10, 0x01);
  return <i64>((raw >>> 1) ^ -(raw & 1));
}

/** A varint of at most `maxBytes`, the last of which has no bits beyond `lastBits`; the zigzag is not undone. */
function readLongVarint(maxBytes: i32, lastBits: u32): u64 {
  let value: u64 = 0;
  for (let i = 0; i < maxBytes; i++) {
    if (cursor >= end) break;
    const byte: u32 = load<u8>(cursor++);
    value |= (<u64>(byte & 0x7f)) << (7 * i);
    if (byte < 0x80) {
      if (i == maxBytes - 1 && byte > lastBits) break;
      return value;
    }
  }
  failed = true;
  return 0;
}
