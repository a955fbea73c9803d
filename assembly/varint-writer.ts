// Varints as records have them: zigzag, seven bits a byte, the lowest first. Any thread. It checks no bounds.

// @ts-ignore: decorator
@inline
export function zigzag(value: i32): u64 {
  return <u64>(<u32>((value << 1) ^ (value >> 31)));
}

// @ts-ignore: decorator
@inline
export function zigzag64(value: i64): u64 {
  return <u64>((value << 1) ^ (value >> 63));
}

// @ts-ignore: decorator
@inline
export function varintSize(raw: u64): u32 {
  return (70 - <u32>clz<u64>(raw | 1)) / 7;
}

export function writeVarint(address: usize, raw: u64): usize {
  while (raw >= 0x80) {
    store<u8>(address++, <u8>(raw | 0x80));
    raw >>= 7;
  }
  store<u8>(address, <u8>raw);
  return address + 1;
}
