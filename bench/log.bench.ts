/** One partition's log without requests: appended to, read from the ring and from a file, its indexes, the check of a batch. */

import { crc32c as nativeCrc32c } from '@node-rs/crc32';
import { asAddress, asOffset, type Offset } from '../src/base/numbers.ts';
import { IndexAppender } from '../src/flush/index-appender.ts';
import type { Arena } from '../src/memory/arena.ts';
import { hasValidCrc, recordCountAt } from '../src/records/record-batch.ts';
import { scanProduced } from '../src/storage/batch-scan.ts';
import { defaultLogConfig } from '../src/storage/log-config.ts';
import { MemoryFileSystem } from '../src/storage/memory-file-system.ts';
import type { PartitionLog } from '../src/storage/partition-log.ts';
import { RecordValidator } from '../src/storage/record-validation.ts';
import { scratchBodyAddress, scratchBodySizeBytes } from '../src/storage/scratch.ts';
import type { StoreContext } from '../src/storage/store-context.ts';
import { type Benchmark, repeated } from './benchmark.ts';
import { LogByHand } from './by-hand.ts';
import { InProcessBroker } from './in-process-broker.ts';
import { filledBuilder, readAll } from './material.ts';

const batchesPerRun = 32;
const logBytes = 2 ** 25;
const readBytes = 64 * 1024;
/** More than the ring holds, so that the start is in the file alone. */
const filledBytes = 96 * 2 ** 20;
const recentBytes = 2 ** 21;
const entriesPerRun = 512;
const offsetEntryBytes = 8;
const fileSystemBytes = 2 ** 28;

export async function logBenchmarks(): Promise<Benchmark[]> {
  const broker = await InProcessBroker.open();
  const kept = await InProcessBroker.open({ keepsRecords: true });
  return [
    await appending(broker, '1 record of 100 B', filledBuilder(100, 1).seal()),
    await appending(broker, 'a batch of 16 KiB', filledBuilder(1024).seal()),
    ...(await reading(kept)),
    checking(broker.arena),
    indexing(),
  ];
}

/** What a produced batch has to pass before it is given offsets. */
function checking(arena: Arena): Benchmark {
  const batch = filledBuilder(1024).seal();
  const count = recordCountAt(batch, 0);
  const address = asAddress(arena.layout.ringAddress);
  arena.copyIn(batch, address);
  const bodyBytes = scratchBodySizeBytes(arena);
  const validator = new RecordValidator(arena, scratchBodyAddress(arena), bodyBytes);
  const context = { arena, validator } as StoreContext;
  const options = { durability: 'written', origin: 'client' } as const;
  const nowMs = Date.now();
  return {
    name: `a plain batch of ${count} records checked as produced`,
    unit: 'records',
    unitsPerRun: batchesPerRun * count,
    bytesPerRun: batchesPerRun * batch.length,
    contenders: [
      {
        name: 'scanProduced',
        run: repeated(batchesPerRun, () => {
          const { batch: scanned } = scanProduced(context, address, batch.length, options, defaultLogConfig, nowMs);
          return scanned.recordCount;
        }),
      },
      {
        name: 'native CRC, records parsed in JavaScript',
        run: repeated(batchesPerRun, () => (hasValidCrc(batch, 0, batch.length, nativeCrc32c) ? readAll(batch) : 0)),
      },
    ],
  };
}

/** The rival checks the CRC and every record too, and copies once; it keeps no index and no producer. */
async function appending(broker: InProcessBroker, what: string, batch: Uint8Array): Promise<Benchmark> {
  const { logs } = await broker.newTopic();
  const [log] = logs;
  const byHand = new LogByHand(logBytes);
  const count = recordCountAt(batch, 0);
  return {
    name: `append of ${what}, checked, and its flush round`,
    unit: 'records',
    unitsPerRun: batchesPerRun * count,
    bytesPerRun: batchesPerRun * batch.length,
    contenders: [
      {
        name: 'LogWriter, FlushRound',
        async run() {
          let written = 0;
          for (let i = 0; i < batchesPerRun; i++) {
            log!.append(batch, { durability: 'written', origin: 'client' }, ({ errorCode }) => {
              if (errorCode === 0) written++;
            });
          }
          await broker.step();
          return written;
        },
      },
      {
        name: 'by hand: native CRC, records parsed, a copy',
        run() {
          let written = 0;
          for (let i = 0; i < batchesPerRun; i++) {
            byHand.append(batch);
            if (hasValidCrc(batch, 0, batch.length, nativeCrc32c) && readAll(batch) === count) written++;
          }
          return written;
        },
      },
    ],
  };
}

async function reading(broker: InProcessBroker): Promise<Benchmark[]> {
  const { logs } = await broker.newTopic();
  const [log] = logs;
  const batch = filledBuilder(1024).seal();
  const byHand = new LogByHand(logBytes);
  for (let at = 0; at < filledBytes; at += batch.length) {
    log!.append(batch, { durability: 'written', origin: 'client' }, () => {});
    await broker.step();
  }
  for (let at = 0; at < recentBytes; at += batch.length) byHand.append(batch);
  const count = recordCountAt(batch, 0);
  const behind = Math.floor(recentBytes / 2 / batch.length) * count;
  const fromRing = asOffset(log!.endOffset - behind);
  const fromFile = asOffset(Math.floor(filledBytes / 4 / batch.length) * count);
  // From a file come whole batches of a little less.
  const size = { unit: 'calls', unitsPerRun: batchesPerRun, bytesPerRun: 0 } as const;
  const rival = (): number => {
    let found = 0;
    for (let i = 0; i < batchesPerRun; i++) if (byHand.read(behind, readBytes).length > 0) found++;
    return found;
  };
  return [
    {
      name: 'read of up to 64 KiB from the ring',
      ...size,
      contenders: [
        { name: 'LogReader', run: () => readEach(log!, fromRing) },
        { name: 'by hand: a search, Buffer.from', run: rival },
      ],
    },
    {
      name: 'read of up to 64 KiB from a file in memory',
      ...size,
      contenders: [
        { name: 'LogReader', run: () => readEach(log!, fromFile) },
        { name: 'by hand: a search, Buffer.from', run: rival },
      ],
    },
  ];
}

/** How many of several reads found records. */
async function readEach(log: PartitionLog, offset: Offset): Promise<number> {
  let count = 0;
  for (let i = 0; i < batchesPerRun; i++) {
    const options = { offset, maxBytes: readBytes, minOneBatch: true, isolation: 'read_uncommitted' } as const;
    const read = log.read(options);
    const found = read instanceof Promise ? await read : read;
    if (found.records.length > 0) count++;
    found.release();
  }
  return count;
}

/** Entries as they are gathered and written with one call. */
function indexing(): Benchmark {
  const files = new MemoryFileSystem(fileSystemBytes);
  files.makeDirectory('/log');
  const owner = { directory: '/log', hasNewName: () => {} };
  const appender = new IndexAppender(files, owner, 'index', 0, 0, false);
  const file = files.open('/log/by-hand', 'create');
  const entry = Buffer.alloc(offsetEntryBytes);
  return {
    name: `${entriesPerRun} entries of an offset index, written`,
    unit: 'calls',
    unitsPerRun: entriesPerRun,
    bytesPerRun: entriesPerRun * offsetEntryBytes,
    contenders: [
      {
        name: 'IndexAppender',
        run() {
          for (let i = 0; i < entriesPerRun; i++) appender.addOffsetEntry(i, i * 4096);
          appender.append();
          // It begins again, or the file would grow without an end.
          appender.cut(0);
          return entriesPerRun;
        },
      },
      {
        name: 'a write for each',
        run() {
          for (let i = 0; i < entriesPerRun; i++) {
            entry.writeInt32BE(i, 0);
            entry.writeInt32BE(i * 4096, 4);
            files.write(file, [entry], i * offsetEntryBytes);
          }
          return entriesPerRun;
        },
      },
    ],
  };
}
