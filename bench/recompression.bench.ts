/** A produced batch brought into the compression that its topic asks for: checked, compressed, with a header of its own. */

import * as wasmZstd from '@foxglove/wasm-zstd';
import { crc32c as nativeCrc32c } from '@node-rs/crc32';
import { compressionsAlgorithms } from '@platformatic/kafka';
import { gzipSync } from 'node:zlib';
import { ScanFlag } from '../src/memory/core.ts';
import { Compression, hasValidCrc, recordCountAt } from '../src/records/record-batch.ts';
import { readScanRow } from '../src/storage/batch-check.ts';
import { recompressBatch } from '../src/storage/batch-recompression.ts';
import { defaultLogConfig } from '../src/storage/log-config.ts';
import { RecordValidator } from '../src/storage/record-validation.ts';
import { scratchBodyAddress, scratchBodySizeBytes, scratchRowsAddress } from '../src/storage/scratch.ts';
import type { StoreContext } from '../src/storage/store-context.ts';
import { type Benchmark, repeated } from './benchmark.ts';
import { arena, filledBuilder, placed, readAll } from './material.ts';

const batchesPerRun = 4;
/** As the broker's. */
const zstdLevel = 3;

const codecs = [
  { name: 'lz4', codec: Compression.LZ4, rival: '@platformatic/kafka', pack: compressionsAlgorithms.lz4.compressSync },
  {
    name: 'snappy',
    codec: Compression.SNAPPY,
    rival: '@platformatic/kafka',
    pack: compressionsAlgorithms.snappy.compressSync,
  },
  { name: 'gzip', codec: Compression.GZIP, rival: 'node:zlib', pack: (body: Buffer) => gzipSync(body) },
  {
    name: 'zstd',
    codec: Compression.ZSTD,
    rival: '@foxglove/wasm-zstd',
    pack: (body: Buffer) => wasmZstd.compress(body, zstdLevel),
  },
] as const;

await wasmZstd.isLoaded;

export function recompressionBenchmarks(): Benchmark[] {
  const builder = filledBuilder(100);
  const body = Buffer.from(builder.body);
  const batch = builder.seal();
  const address = placed(batch);
  const count = recordCountAt(batch, 0);
  const rows = scratchRowsAddress(arena);
  const validator = new RecordValidator(arena, scratchBodyAddress(arena), scratchBodySizeBytes(arena));
  const context = { arena, validator } as StoreContext;
  return codecs.map(({ name, codec, rival, pack }) => {
    const config = { ...defaultLogConfig, compression: codec };
    return {
      name: `a plain batch recompressed, ${name}, bytes as they come in`,
      unit: 'records',
      unitsPerRun: batchesPerRun * count,
      bytesPerRun: batchesPerRun * body.length,
      contenders: [
        {
          name: 'scanned, validated, recompressed in the arena',
          run: repeated(batchesPerRun, () => {
            arena.core.scanBatches(address, batch.length, rows, 1, batch.length, ScanFlag.CONTIGUOUS);
            const row = readScanRow(arena.view, rows);
            if (validator.validateBatch(row, address, config) !== null) return -1;
            const made = recompressBatch(context, row, address, config);
            return 'errorCode' in made ? -1 : row.recordCount;
          }),
        },
        {
          name: `JavaScript with @node-rs/crc32 and ${rival}`,
          run: repeated(batchesPerRun, () => {
            if (!hasValidCrc(batch, 0, batch.length, nativeCrc32c) || readAll(batch) !== count) return -1;
            return recordCountAt(builder.sealCompressed(codec, Buffer.from(pack(body))), 0);
          }),
        },
      ],
    };
  });
}
