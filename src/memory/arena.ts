/**
 * The arena: one shared WebAssembly.Memory per broker, and where everything in it lies. Created by the I/O thread,
 * attached by flush workers. It is allocated at its full size, because views over a memory that grew keep their old
 * length; pages that nobody touches cost nothing.
 *
 *   0       1024        32 KiB                                                       sizeBytes
 *   │ empty │ CRC tables │ flush queues (one per worker) │ ingest ring │ staging (one per worker) │ scratch │ heap │
 *
 * The staging is where a flush worker puts together what it writes in whole blocks.
 * The scratch and the heap belong to the I/O thread alone (see `arena-heap.ts`).
 */

import { assert } from '../base/assert.ts';
import { asAddress, type Address } from '../base/numbers.ts';
import { type Core, coreModule, instantiateCore, tablesAddress, tablesSizeBytes } from './core.ts';
import { flushQueueSizeBytes } from './flush-queue.ts';

const pageSizeBytes = 65536;
const lineSizeBytes = 64;
/** What a flush worker writes at once in whole blocks. */
export const flushStagingBytes = 1024 * 1024;
/** Below, V8's own copy is done before Node's is called. */
const filledFromBytes = 256;
/** Takes any bytes, not only those of a Buffer. */
const { fill } = Buffer.prototype;

export interface ArenaOptions {
  /** How many flush workers there are; each has a queue. */
  readonly flushWorkerCount: number;
  /** Slots of each submission queue: a power of two. */
  readonly queueCapacity: number;
  /** The ingest ring's size: a multiple of 64. */
  readonly ringSizeBytes: number;
  /** Room for inflated batches and scan rows. */
  readonly scratchSizeBytes: number;
  /** Room for segment indexes. */
  readonly heapSizeBytes: number;
}

/** Addresses of the arena's regions; plain data, it is posted to workers. */
export interface ArenaLayout extends ArenaOptions {
  readonly queueAddresses: readonly number[];
  readonly ringAddress: number;
  /** Of `flushStagingBytes` each, at the begin of a page. */
  readonly stagingAddresses: readonly number[];
  readonly scratchAddress: number;
  readonly heapAddress: number;
  readonly sizeBytes: number;
}

/** What a worker needs to attach to an arena. */
export interface ArenaTicket {
  readonly memory: WebAssembly.Memory;
  readonly module: WebAssembly.Module;
  readonly layout: ArenaLayout;
}

export const defaultArenaOptions: ArenaOptions = {
  flushWorkerCount: 1,
  queueCapacity: 16_384,
  ringSizeBytes: 64 * 1024 * 1024,
  // A batch may inflate to this much, and inflating it holds everybody up: a tenth of a second at most.
  scratchSizeBytes: 64 * 1024 * 1024,
  heapSizeBytes: 512 * 1024 * 1024,
};

export class Arena {
  readonly memory: WebAssembly.Memory;
  readonly layout: ArenaLayout;
  readonly core: Core;
  /** The whole memory as bytes; `subarray` of it never copies. */
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly #module: WebAssembly.Module;
  readonly #buffer: Buffer;

  private constructor(memory: WebAssembly.Memory, module: WebAssembly.Module, layout: ArenaLayout) {
    this.memory = memory;
    this.layout = layout;
    this.#module = module;
    this.core = instantiateCore(module, memory);
    this.bytes = new Uint8Array(memory.buffer);
    this.view = new DataView(memory.buffer);
    this.#buffer = Buffer.from(memory.buffer);
  }

  /** A new arena with its CRC tables computed. Sizes are checked by assertion. */
  static create(options: ArenaOptions = defaultArenaOptions): Arena {
    const layout = layOut(options);
    const pages = layout.sizeBytes / pageSizeBytes;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    const arena = new Arena(memory, coreModule(), layout);
    arena.core.initializeTables();
    return arena;
  }

  /** The same arena, for the calling worker thread. */
  static attach(ticket: ArenaTicket): Arena {
    return new Arena(ticket.memory, ticket.module, ticket.layout);
  }

  get ticket(): ArenaTicket {
    return { memory: this.memory, module: this.#module, layout: this.layout };
  }

  /**
   * Copies `source`, which is no part of the arena, to `target`.
   *
   * V8 copies from and to shared memory by words, and a byte at a time where the two sides lie differently within a word. Into
   * memory that is not in the cache that takes two to three times as long as the C library does, into memory that is five
   * times. Filling a buffer with bytes of its own length is one call of the C library's copy in Node, and 45 ns.
   */
  copyIn(source: Uint8Array, target: Address): void {
    if (source.length < filledFromBytes) this.bytes.set(source, target);
    else fill.call(this.#buffer, source, target, target + source.length);
  }

  /** Copies `sizeBytes` bytes at `source` to `target`, which is no part of the arena, from `targetAt` on; as `copyIn`. */
  copyOut(source: Address, sizeBytes: number, target: Uint8Array, targetAt: number): void {
    const part = this.bytes.subarray(source, source + sizeBytes);
    if (sizeBytes < filledFromBytes) target.set(part, targetAt);
    else fill.call(target as Buffer, part, targetAt, targetAt + sizeBytes);
  }

  get scratchAddress(): Address {
    return asAddress(this.layout.scratchAddress);
  }
}

function layOut(options: ArenaOptions): ArenaLayout {
  assert(options.flushWorkerCount >= 1, 'an arena has at least one flush worker');
  assert(options.ringSizeBytes % lineSizeBytes === 0, 'the ring is a multiple of 64 bytes');
  let address = tablesAddress + tablesSizeBytes;
  const queueAddresses: number[] = [];
  for (let i = 0; i < options.flushWorkerCount; i++) {
    queueAddresses.push(address);
    address = alignUp(address + flushQueueSizeBytes(options.queueCapacity), lineSizeBytes);
  }
  const ringAddress = alignUp(address, pageSizeBytes);
  const stagingAddress = alignUp(ringAddress + options.ringSizeBytes, pageSizeBytes);
  const stagingAddresses = queueAddresses.map((_, i) => stagingAddress + i * flushStagingBytes);
  const scratchAddress = stagingAddress + options.flushWorkerCount * flushStagingBytes;
  const heapAddress = alignUp(scratchAddress + options.scratchSizeBytes, pageSizeBytes);
  const sizeBytes = alignUp(heapAddress + options.heapSizeBytes, pageSizeBytes);
  assert(sizeBytes < 2 ** 32, 'an arena is smaller than 4 GiB');
  return { ...options, queueAddresses, ringAddress, stagingAddresses, scratchAddress, heapAddress, sizeBytes };
}

function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}
