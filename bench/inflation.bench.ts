/** Inflating the body of a 16 KiB batch, and what it costs to check a compressed batch as a whole. */

import * as wasmZstd from '@foxglove/wasm-zstd';
import { crc32c as nativeCrc32c } from '@node-rs/crc32';
import { compressionsAlgorithms } from '@platformatic/kafka';
import { gunzipSync, gzipSync } from 'node:zlib';
import { asAddress } from '../src/base/numbers.ts';
import { zstd as clientZstd } from '../src/client/zstd.ts';
import { ScanFlag, ScanStatus } from '../src/memory/core.ts';
import { batchHeaderSizeBytes, Compression, hasValidCrc, recordCountAt } from '../src/records/record-batch.ts';
import { readScanRow } from '../src/storage/batch-check.ts';
import { inflateBatch } from '../src/storage/batch-inflater.ts';
import { defaultLogConfig } from '../src/storage/log-config.ts';
import { RecordValidator } from '../src/storage/record-validation.ts';
import { type Benchmark, repeated } from './benchmark.ts';
import { arena, filledBuilder, outputAddress, outputSizeBytes, placed, readAll } from './material.ts';

const rowsSizeBytes = 4096;
const batchesPerRun = 4;
const { lz4, snappy } = compressionsAlgorithms;

/** Each codec, with a body packed and another implementation to unpack it. */
const codecs = [
  {
    name: 'lz4',
    codec: Compression.LZ4,
    pack: lz4.compressSync,
    rival: '@platformatic/kafka',
    unpack: lz4.decompressSync,
  },
  {
    name: 'snappy',
    codec: Compression.SNAPPY,
    pack: snappy.compressSync,
    rival: '@platformatic/kafka',
    unpack: snappy.decompressSync,
  },
  { name: 'gzip', codec: Compression.GZIP, pack: gzipSync, rival: 'node:zlib, bare', unpack: gunzipSync },
  {
    name: 'zstd',
    codec: Compression.ZSTD,
    pack: wasmZstd.compress,
    rival: '@foxglove/wasm-zstd, bare',
    unpack: (packed: Buffer) => wasmZstd.decompress(packed, 32 * 1024),
  },
] as const;

await wasmZstd.isLoaded;

export function inflationBenchmarks(): Benchmark[] {
  return [...brokerBenchmarks(), clientBenchmark()];
}

/** The client's own, for browsers, which have none. */
function clientBenchmark(): Benchmark {
  const builder = filledBuilder(100);
  const packed = Buffer.from(wasmZstd.compress(Buffer.from(builder.body)));
  const largestBytes = 32 * 1024;
  return {
    name: 'inflation in the client, zstd, bytes as they come out',
    unit: 'records',
    unitsPerRun: batchesPerRun * builder.recordCount,
    bytesPerRun: batchesPerRun * builder.body.length,
    contenders: [
      {
        name: 'TypeScript',
        run: repeated(batchesPerRun, () => (clientZstd.decompress(packed, largestBytes) as Uint8Array).length),
      },
      {
        name: '@foxglove/wasm-zstd',
        run: repeated(batchesPerRun, () => wasmZstd.decompress(packed, largestBytes).length),
      },
    ],
  };
}

function brokerBenchmarks(): Benchmark[] {
  const builder = filledBuilder(100);
  const body = Buffer.from(builder.body);
  const bodyAddress = asAddress(outputAddress + rowsSizeBytes);
  const capacityBytes = outputSizeBytes - rowsSizeBytes;
  const validator = new RecordValidator(arena, bodyAddress, capacityBytes);
  const { core, view } = arena;
  return codecs.flatMap(({ name, codec, pack, rival, unpack }) => {
    const packed = Buffer.from(pack(body));
    const batch = Buffer.from(builder.sealCompressed(codec, packed));
    const address = placed(batch);
    const count = recordCountAt(batch, 0);
    const packedAddress = asAddress(address + batchHeaderSizeBytes);
    const size = { unitsPerRun: batchesPerRun * count, bytesPerRun: batchesPerRun * body.length };
    const inflate = (): number => inflateBatch(arena, codec, packedAddress, packed.length, bodyAddress, capacityBytes);
    const check = (): number => {
      core.scanBatches(address, batch.length, outputAddress, 1, batch.length, ScanFlag.CONTIGUOUS);
      const row = readScanRow(view, outputAddress);
      return validator.validateBatch(row, address, defaultLogConfig) === null ? row.status : -1;
    };
    return [
      {
        name: `inflation, ${name}, bytes as they come out`,
        unit: 'records',
        ...size,
        contenders: [
          { name: 'bounded, within the arena', run: repeated(batchesPerRun, inflate) },
          { name: rival, run: repeated(batchesPerRun, () => unpack(packed).length) },
        ],
      },
      {
        name: `whole check of a batch, ${name}, bytes as they come out`,
        unit: 'records',
        ...size,
        contenders: [
          { name: 'core: scan, inflation, every record', run: repeated(batchesPerRun, check) },
          {
            name: `JavaScript, @node-rs/crc32, ${rival}`,
            run: repeated(batchesPerRun, () => {
              const isValid =
                hasValidCrc(batch, 0, batch.length, nativeCrc32c) && readAll(batch, unpack(packed)) === count;
              return isValid ? ScanStatus.OK : -1;
            }),
          },
        ],
      },
    ];
  });
}
