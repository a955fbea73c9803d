/**
 * The stages of a batch's way, each alone, and the whole of it, thread by thread. Main thread.
 *
 *   produce:  socket → buffer → ring → check → (hand-over) → file → (sync) → (hand-over) → answer
 *   fetch:    file → buffer → socket
 *
 * What a socket is part of is measured with a process that does nothing else (bare-server.ts), the rest in this one.
 * Batches are of 1 MiB, records of 1 KiB; they come from and go to as much memory as in a broker, so that none of it lies in
 * the processor's cache by being the same again and again, and begin in the middle of a word, as they do in a frame.
 */

import { closeSync, constants, fdatasyncSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { asAddress, type Address } from '../../src/base/numbers.ts';
import { Arena } from '../../src/memory/arena.ts';
import { ScanFlag, ScanStatus } from '../../src/memory/core.ts';
import { batchHeaderSizeBytes, recordCountAt } from '../../src/records/record-batch.ts';
import { filledBuilder } from '../material.ts';
import { bareRound, bareSendRound, bulk, bulkSynced } from './ceiling-scenario.ts';
import type { Figures } from './figures.ts';
import { handOver } from './hand-over.ts';
import { only, type ProduceCase, produceRound, threadFigureNames } from './produce-case.ts';
import { catchUpRound } from './read-scenarios.ts';
import type { ScenarioContext } from './scenario.ts';
import { servedRound } from './served-stage.ts';
import { settleMachine } from './page-cache.ts';

const mebibyte = 2 ** 20;
/** As large as the broker's. */
const ringBytes = 64 * mebibyte;
/** A frame's buffers come back: the same few are read into. */
const frameBuffers = 4;
/** Where a batch begins within a word. */
const shift = 3;
/** Writes past the page cache take whole blocks at whole blocks. */
const blockBytes = 4096;
/** A file goes round in so much, where its pages are there already. */
const reusedBytes = 64 * mebibyte;
const small: ProduceCase = { what: '', recordBytes: 1024, batchBytes: 0, acks: 1, inFlight: 64 };

export interface Stage {
  readonly what: string;
  readonly who: string;
  /** Where bytes go in this step, and what bounds it. */
  readonly remark: string;
  /** Microseconds are for a batch of 1 MiB, or for a small request where `what` says so. */
  round(context: ScenarioContext): Promise<Figures> | Figures;
}

/** Memory as a broker has it, made once it is needed. */
class Material {
  readonly arena = Arena.create({
    flushWorkerCount: 1,
    queueCapacity: 64,
    ringSizeBytes: ringBytes,
    scratchSizeBytes: 8 * mebibyte,
    heapSizeBytes: mebibyte,
  });
  readonly batchBytes: number;
  readonly #frames: Uint8Array[];
  #at = 0;
  #frame = 0;

  constructor() {
    const batch = filledBuilder(1024, mebibyte).seal();
    this.batchBytes = batch.length;
    this.#frames = Array.from({ length: frameBuffers }, () => {
      const frame = new Uint8Array(batch.length + shift);
      frame.set(batch, shift);
      return frame.subarray(shift);
    });
  }

  /** A batch as it lies in a frame. */
  nextFrame(): Uint8Array {
    this.#frame = (this.#frame + 1) % this.#frames.length;
    return this.#frames[this.#frame]!;
  }

  /** Where in the ring the next batch lies, in whole blocks. */
  nextAddress(): number {
    const { ringAddress } = this.arena.layout;
    const start = Math.ceil(ringAddress / blockBytes) * blockBytes;
    const stride = Math.ceil(this.batchBytes / blockBytes) * blockBytes;
    if (start + this.#at + 2 * stride > ringAddress + ringBytes) this.#at = 0;
    else this.#at += stride;
    return start + this.#at;
  }
}

let made: Material | null = null;
const material = (): Material => (made ??= new Material());

/** Calls `run` for as long as a load is measured; each call is a batch of so many bytes. */
function timed({ sizes }: ScenarioContext, sizeBytes: number, run: () => void): Figures {
  run();
  const before = process.cpuUsage();
  const startedMs = performance.now();
  let count = 0;
  for (; performance.now() - startedMs < sizes.loadMs; count++) run();
  const elapsedMs = performance.now() - startedMs;
  const { user, system } = process.cpuUsage(before);
  return {
    bytesPerSecond: (count * sizeBytes * 1000) / elapsedMs,
    brokerCpuMicrosecondsPerRequest: (user + system) / count,
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
    settleMachine();
  }
}

function copyIn(isChecked: boolean) {
  return (context: ScenarioContext): Figures => {
    const { arena, batchBytes, ...lent } = bound(material());
    return timed(context, batchBytes, () => {
      const address = asAddress(lent.nextAddress());
      const frame = lent.nextFrame();
      arena.copyIn(frame, address);
      if (isChecked && !isValid(arena, address, batchBytes, recordCountAt(frame, 0))) {
        throw new Error('The batch that is measured is not valid.');
      }
    });
  };
}

/** Header and CRC, then every record, as a produced batch is checked. */
function isValid({ core, layout }: Arena, address: Address, batchBytes: number, recordCount: number): boolean {
  const output = layout.scratchAddress + 4 * mebibyte;
  if (core.scanBatches(address, batchBytes, output, 1, batchBytes, ScanFlag.CONTIGUOUS) !== 1) return false;
  const body = address + batchHeaderSizeBytes;
  const bodyBytes = batchBytes - batchHeaderSizeBytes;
  return core.validateRecords(body, bodyBytes, recordCount, ScanFlag.CONTIGUOUS, output) === ScanStatus.OK;
}

function staged(context: ScenarioContext): Figures {
  const { arena, batchBytes, nextAddress } = bound(material());
  const staging = arena.layout.stagingAddresses[0]!;
  return timed(context, batchBytes, () => arena.core.copyBytes(staging, nextAddress(), batchBytes));
}

function bound(each: Material) {
  return {
    arena: each.arena,
    batchBytes: each.batchBytes,
    nextAddress: () => each.nextAddress(),
    nextFrame: () => each.nextFrame(),
  };
}

/** Batches from all over the ring into a file; past the page cache as many whole blocks. */
function fileWrites(flags: number, roundBytes: number, isSynced: boolean) {
  return (context: ScenarioContext): Figures => {
    const { arena, batchBytes, nextAddress } = bound(material());
    const sizeBytes = flags === constants.O_DIRECT ? mebibyte : batchBytes;
    return withFile(context, flags, (file) => {
      let position = 0;
      return timed(context, sizeBytes, () => {
        if (writeSync(file, arena.bytes, nextAddress(), sizeBytes, position % roundBytes) !== sizeBytes) {
          throw new Error('The disk took a part of a write only.');
        }
        position += sizeBytes;
        if (isSynced) fdatasyncSync(file);
      });
    });
  };
}

function fileReads(context: ScenarioContext): Figures {
  return withFile(context, 0, (file) => {
    const buffers = Array.from({ length: frameBuffers }, () => Buffer.allocUnsafeSlow(mebibyte));
    for (let at = 0; at < reusedBytes; at += mebibyte) writeSync(file, buffers[0]!, 0, mebibyte, at);
    let position = 0;
    return timed(context, mebibyte, () => {
      readSync(file, buffers[(position / mebibyte) % frameBuffers]!, 0, mebibyte, position % reusedBytes);
      position += mebibyte;
    });
  });
}

/** The whole, with one way of writing. */
function whole(one: ProduceCase, directWrites: 'auto' | 'always' | 'never') {
  return async (context: ScenarioContext): Promise<Figures> => {
    const kind = context.millrace({ 'millrace.direct.writes': directWrites });
    return only(await produceRound(kind, { ...one, isByThread: true }, context), threadFigureNames);
  };
}

async function bare(mode: 'discard' | 'copy-write' | 'copy-direct', context: ScenarioContext, one = bulk) {
  return only(await bareRound(mode, context, one), ['bytesPerSecond', 'brokerCpuMicrosecondsPerRequest']);
}

/** The wake-ups have a time, and no processor time that could be told from the rest. */
async function wakeUps(context: ScenarioContext): Promise<Figures> {
  const { p50Ms } = await handOver(context);
  return { p50Ms: p50Ms! };
}

export const stages = {
  received: {
    what: 'socket → buffer, and an answer',
    who: 'bare server',
    remark:
      'the first copy, from the kernel to one reused buffer, and the kernel serving its loopback; the rest of a large frame goes right to where it is kept',
    round: (context) => bare('discard', context),
  },
  copied: {
    what: 'buffer → ring',
    who: 'arena.copyIn',
    remark:
      'the second copy, by way of a few KiB that lie in the cache where both sides lie differently within a word, as 7 of 8 do; memory is the limit. Reading a socket right into the ring would spare it, and let a slow client hold the ring',
    round: copyIn(false),
  },
  checked: {
    what: 'the same; header, CRC, every record',
    who: 'core',
    remark: 'no copy, each byte is read once more, from the cache; the width of SIMD is the limit',
    round: copyIn(true),
  },
  served: {
    what: 'frames, handler, log, hand-over, answer: a request',
    who: 'in process',
    remark:
      "no bytes to speak of: what a request costs whatever it holds; `I/O thread` and `flush worker` are each one's",
    round: servedRound,
  },
  written: {
    what: 'ring → new file',
    who: 'write',
    remark:
      'the third copy, into pages of the page cache that the kernel has to find first: several times the cost of the copy, and no more than the disk takes once its bound for dirty pages is reached',
    round: fileWrites(0, Infinity, false),
  },
  rewritten: {
    what: 'ring → file whose pages are there',
    who: 'write',
    remark: 'the copy alone: what recycled segments would come to',
    round: fileWrites(0, reusedBytes, false),
  },
  staged: {
    what: 'ring → staging',
    who: 'core',
    remark: 'past the page cache, the third copy: whole blocks at whole blocks',
    round: staged,
  },
  writtenDirectly: {
    what: 'staging → new file',
    who: 'O_DIRECT write',
    remark: 'no copy; the disk is the limit',
    round: fileWrites(constants.O_DIRECT, Infinity, false),
  },
  synced: {
    what: 'ring → new file, synced',
    who: 'write, fdatasync',
    remark: 'the disk is the limit',
    round: fileWrites(0, Infinity, true),
  },
  wakeUps: {
    what: 'one record to a thread, and back',
    who: 'Atomics.wait, waitAsync',
    remark: 'two wake-ups of threads; the kernel is the limit',
    round: wakeUps,
  },
  bareCached: {
    what: 'socket → buffer → ring → new file',
    who: 'bare server',
    remark: 'all of it without a broker, through the page cache: nothing is checked, nothing is in order',
    round: (context) => bare('copy-write', context),
  },
  bareDirect: {
    what: 'socket → buffer → ring → new file',
    who: 'bare server, O_DIRECT',
    remark: 'the same past the page cache, without a staging',
    round: (context) => bare('copy-direct', context),
  },
  cached: {
    what: 'the whole, acks=1',
    who: 'Millrace, through the page cache',
    remark: 'three copies; answered once the file has it',
    round: whole(bulk, 'never'),
  },
  direct: {
    what: 'the whole, acks=1',
    who: 'Millrace, past the page cache',
    remark: 'three copies; answered once the disk has it',
    round: whole(bulk, 'always'),
  },
  auto: {
    what: 'the whole, acks=1',
    who: 'Millrace, as it chooses',
    remark: 'whichever way takes less time: what users have',
    round: whole(bulk, 'auto'),
  },
  all: {
    what: 'the whole, acks=all',
    who: 'Millrace, as it chooses',
    remark: 'three copies; answered once the disk has it',
    round: whole(bulkSynced, 'auto'),
  },
  bareSmall: {
    what: 'a request of one record of 1 KiB',
    who: 'bare server',
    remark: 'what a socket costs that brings small requests, 64 under way, and an answer for each read',
    round: (context) => bare('discard', context, small),
  },
  small: {
    what: 'a request of one record of 1 KiB, acks=1',
    who: 'Millrace',
    remark: 'the same, checked, written and answered',
    round: whole(small, 'auto'),
  },
  read: {
    what: 'file → buffer',
    who: 'read',
    remark: 'the first copy of a fetch, from the page cache',
    round: fileReads,
  },
  sent: {
    what: 'buffer → socket, in answer to a request',
    who: 'bare server',
    remark: 'the second, in the kernel. sendfile, which Node does not have, spares both',
    round: (context) => bareSendRound('send', context),
  },
  readAndSent: {
    what: 'file → buffer → socket',
    who: 'bare server',
    remark: 'both, with the wake-up of a thread that reads and the one back',
    round: (context) => bareSendRound('read-send', context),
  },
  fetched: {
    what: 'a fetch of 1 MiB',
    who: 'Millrace',
    remark:
      'batches of 16 KiB, one fetch under way; `flush worker` is the busiest thread beside the first: here one that reads',
    round: (context) => catchUpRound(context, 1024, 'tcp', 1, true),
  },
} satisfies Readonly<Record<string, Stage>>;
