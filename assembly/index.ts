// The WebAssembly core's exports; `src/memory/core.ts` declares them for TypeScript.
// Free functions over addresses: every thread has its own instance over one shared memory, so the module must have no
// data segment (each instantiation would write it again) and no allocator (each instance would have its own).

export { crc32c, initializeTables } from './crc32c';
export { scanBatches, validateRecords } from './batch-scan';
export { assignOffsets, encodeBatchHeader, encodeRecord, setMaxTimestamp, stampLogAppendTime } from './batch-encode';
export { offsetIndexAppend, offsetIndexSearch, timeIndexAppend, timeIndexSearch } from './offset-index';
export { copyBytes } from './block-copy';
export { lz4InflateBlock } from './lz4';
export { snappyInflateBlock } from './snappy';
export { xxh32 } from './xxh32';
export { collectKeys, encodeRetainedHeader, retainRecords } from './compaction';
export { sipHash128 } from './siphash';
export { lz4DeflateBlock } from './lz4-deflate';
export { snappyDeflateBlock } from './snappy-deflate';
