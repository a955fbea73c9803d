/**
 * Each stage of a batch's way alone, as fast as it goes on this machine, beside what the whole takes: where a microsecond
 * goes, and which of them a broker could save.
 *
 *   produce:  socket → buffer → ring → scan → (hand-over) → file → (sync) → (hand-over) → answer
 *   fetch:    file → buffer → socket
 *
 * The first two and the last two are measured with a process that does nothing else (bare-server.ts), the others in this
 * one. Batches are of 1 MiB, records of 1 KiB.
 */

import { closeSync, constants, fdatasyncSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { ScanFlag } from '../../src/memory/core.ts';
import { arena, filledBuilder, outputAddress, placed } from '../material.ts';
import { bareRound, bareSendRound, kept, millraceRound } from './ceiling-scenario.ts';
import { type Figures, plain, type ResultRow, scaled } from './figures.ts';
import { handOver } from './hand-over.ts';
import { machineFacts, machineSentence } from './machine.ts';
import { roundsOf, rowOf } from './produce-case.ts';
import { writeReadmePart } from './readme-part.ts';
import { alternate } from './rounds.ts';
import type { Scenario, ScenarioContext } from './scenario.ts';
import { syncDisks } from './server-under-test.ts';

const mebibyte = 2 ** 20;
const bytesPerGb = 1e9;
const microsecondsPerSecond = 1e6;
/** In a second of CPU a GB. */
const microsecondsPerMiB = (1e6 * 2 ** 20) / 1e9;

interface Stage {
  readonly what: string;
  readonly who: string;
  /** Where bytes go in this step, and what bounds it. */
  readonly remark: string;
  round(context: ScenarioContext): Promise<Figures> | Figures;
}

/** Calls `run` for as long as a load is measured; each call does `sizeBytes` of what the stage does. */
function timed({ sizes }: ScenarioContext, sizeBytes: number, run: () => void): Figures {
  run();
  const before = process.cpuUsage();
  const startedMs = performance.now();
  let count = 0;
  for (; performance.now() - startedMs < sizes.loadMs; count++) run();
  const elapsedMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(before);
  const bytes = count * sizeBytes;
  return {
    bytesPerSecond: (bytes * 1000) / elapsedMs,
    brokerCpuSecondsPerGb: (((user + system) / microsecondsPerSecond) * bytesPerGb) / bytes,
  };
}

/** Lends `use` a file on the disk that is measured. */
function withFile<Result>({ dataParent }: ScenarioContext, flags: number, use: (file: number) => Result): Result {
  const directory = mkdtempSync(join(dataParent, 'millrace-load-'));
  const file = openSync(join(directory, 'file'), flags | constants.O_CREAT | constants.O_RDWR);
  try {
    return use(file);
  } finally {
    closeSync(file);
    rmSync(directory, { recursive: true });
    syncDisks();
  }
}

const batch = filledBuilder(1024, mebibyte).seal();
const address = placed(batch);
const inArena = arena.bytes.subarray(address, address + batch.length);
/** Writes past the page cache take whole blocks at whole blocks. */
const blockBytes = 4096;
const aligned = arena.bytes.subarray(
  Math.ceil(outputAddress / blockBytes) * blockBytes,
  Math.ceil(outputAddress / blockBytes) * blockBytes + mebibyte,
);
/** A file goes round in so much, where its pages are there already. */
const reusedBytes = 64 * mebibyte;

function scan(flags: number): (context: ScenarioContext) => Figures {
  return (context) =>
    timed(context, batch.length, () => {
      if (arena.core.scanBatches(address, batch.length, outputAddress, 1, batch.length, flags) !== 1) {
        throw new Error('The batch that is measured is not valid.');
      }
    });
}

function fileWrites(bytes: Uint8Array, flags: number, roundBytes: number, isSynced: boolean) {
  return (context: ScenarioContext): Figures =>
    withFile(context, flags, (file) => {
      let position = 0;
      return timed(context, bytes.length, () => {
        if (writeSync(file, bytes, 0, bytes.length, position % roundBytes) !== bytes.length) {
          throw new Error('The disk took a part of a write only.');
        }
        position += bytes.length;
        if (isSynced) fdatasyncSync(file);
      });
    });
}

function fileReads(context: ScenarioContext): Figures {
  return withFile(context, 0, (file) => {
    const into = Buffer.allocUnsafeSlow(mebibyte);
    for (let at = 0; at < reusedBytes; at += mebibyte) writeSync(file, into, 0, mebibyte, at);
    let position = 0;
    return timed(context, mebibyte, () => {
      readSync(file, into, 0, mebibyte, position % reusedBytes);
      position += mebibyte;
    });
  });
}

/** What is the same for all stages, and what the hand-over has instead. */
function stageFigures({ p50Ms, p99Ms, ...figures }: Figures): Figures {
  if (p50Ms !== undefined && p99Ms !== undefined) return { p50Ms, p99Ms };
  const { bytesPerSecond, brokerCpuSecondsPerGb } = kept(figures);
  return { bytesPerSecond, brokerCpuSecondsPerGb } as Figures;
}

const stages: readonly Stage[] = [
  {
    what: 'socket → buffer',
    who: 'bare server',
    remark:
      'the first copy, from the kernel to one reused buffer, and the kernel serving its loopback; the rest of a large frame goes right to where it is kept',
    round: (context) => bareRound('discard', context),
  },
  {
    what: 'buffer → ring',
    who: 'arena.copyIn',
    remark:
      'the second copy; memory is the limit. Reading a socket right into the ring would spare it, and let a slow client hold the ring',
    round: (context) => timed(context, batch.length, () => arena.copyIn(batch, address)),
  },
  {
    what: 'header and CRC',
    who: 'core',
    remark: 'no copy, each byte is read once; memory and the width of SIMD are the limit',
    round: scan(ScanFlag.CONTIGUOUS),
  },
  {
    what: 'header, CRC, every record',
    who: 'core',
    remark: 'the same and the structure of each record, byte after byte',
    round: scan(ScanFlag.CONTIGUOUS | ScanFlag.RECORDS),
  },
  {
    what: 'ring → new file',
    who: 'write',
    remark:
      'the third copy, into pages of the page cache that the kernel has to find first: several times the cost of the copy, and no more than the disk takes once its bound for dirty pages is reached',
    round: fileWrites(inArena, 0, Infinity, false),
  },
  {
    what: 'ring → file whose pages are there',
    who: 'write',
    remark: 'the copy alone: what recycled segments would come to',
    round: fileWrites(inArena, 0, reusedBytes, false),
  },
  {
    what: 'ring → new file',
    who: 'O_DIRECT write',
    remark: 'no copy; the disk is the limit',
    round: fileWrites(aligned, constants.O_DIRECT, Infinity, false),
  },
  {
    what: 'ring → new file, synced',
    who: 'write, fdatasync',
    remark: 'the disk is the limit',
    round: fileWrites(inArena, 0, Infinity, true),
  },
  {
    what: 'one record to a thread, and back',
    who: 'Atomics.wait, waitAsync',
    remark: 'two wake-ups of threads; the kernel is the limit',
    round: handOver,
  },
  {
    what: 'socket → buffer → ring → new file',
    who: 'bare server',
    remark: 'all of the above without a broker: nothing is checked, nothing is in order',
    round: (context) => bareRound('copy-write', context),
  },
  {
    what: 'the whole, acks=1',
    who: 'Millrace',
    remark: 'three copies; answered once the file has it',
    round: (context) => millraceRound(1, context),
  },
  {
    what: 'the whole, acks=all',
    who: 'Millrace',
    remark: 'three copies; answered once the disk has it',
    round: (context) => millraceRound(-1, context),
  },
  { what: 'file → buffer', who: 'read', remark: 'the first copy of a fetch, from the page cache', round: fileReads },
  {
    what: 'file → buffer → socket',
    who: 'bare server',
    remark: 'and the second, in the kernel. sendfile, which Node does not have, spares both',
    round: bareSendRound,
  },
];

/** The rows with what they mean, as Markdown. */
function stageTable(rows: readonly ResultRow[], machine: string): string {
  const lines = rows.map(({ what, who, figures }) => {
    const { bytesPerSecond, brokerCpuSecondsPerGb, p50Ms } = figures;
    const speed = bytesPerSecond === undefined ? '' : `${scaled(bytesPerSecond.median)}B/s`;
    const cpu = brokerCpuSecondsPerGb === undefined ? null : brokerCpuSecondsPerGb.median * microsecondsPerMiB;
    const time = cpu ?? (p50Ms === undefined ? 0 : p50Ms.median * 1000);
    const { remark } = stages.find((stage) => stage.what === what && stage.who === who)!;
    return `| ${what} | ${who} | ${speed} | ${plain(time)}${cpu === null ? ' (time, p50)' : ''} | ${remark} |`;
  });
  return [
    '| step | by | at most | CPU µs a MiB | where the bytes go, and the limit |',
    '| --- | --- | --- | --- | --- |',
    ...lines,
    '',
    `Measured on: ${machine}`,
  ].join('\n');
}

const scenario: Scenario = {
  name: 'stages',
  title: "each stage of a batch's way alone, beside the whole; batches of 1 MiB",
  async run(context) {
    const rows: ResultRow[] = [];
    for (const { what, who, round } of stages.filter((stage) => context.includes(stage.what))) {
      context.note(`stages: ${what}, ${who}`);
      const contender = { name: who, round: async () => stageFigures(await round(context)) };
      const [result] = await alternate([contender], roundsOf(context));
      rows.push(rowOf('stages', { what }, result!));
    }
    if (context.keepsResults) writeReadmePart('stages', stageTable(rows, machineSentence(machineFacts())));
    return rows;
  },
};

export const stageScenarios: readonly Scenario[] = [scenario];
