/**
 * Produce requests of one connection, encoded once and kept in a row, so that any number of them that wait to be sent
 * leave with one system call. Load thread.
 *
 *   slots:  [frame][frame][frame] … as many as may be in flight; slot n is used again once its answer came
 *   frame:  (WebSocket header) size │ header │ acks, timeout, topic │ index, batch │ index, batch …
 *                                                                     ^ patched: partition, sequence and CRC
 *
 * Version 7 is the newest without compact fields, and all brokers that speak of a Kafka since 2.1 know it: the places to
 * patch follow from the sizes. A WebSocket frame's mask is 0, which is a mask like any other and leaves the bytes alone.
 */

import { writeInt32 } from '../../src/records/big-endian.ts';
import { zeroUuid } from '../../src/base/uuid.ts';
import { defaultProduceRequest, produceApi } from '../../src/protocol/generated/index.ts';
import { encodeRequestHeader } from '../../src/protocol/headers.ts';
import { Writer } from '../../src/protocol/writer.ts';
import type { ProduceJob } from './load-job.ts';
import { type PreparedBatch, SequencePatcher } from './prepared-batch.ts';
import { webSocketHeader } from './web-socket-frames.ts';

export const produceVersion = 7;
/** Index and records' length before each batch. */
const entryHeadBytes = 8;
const requestTimeoutMs = 60_000;
const largestSequence = 2 ** 31;

type FrameJob = Pick<ProduceJob, 'topic' | 'acks' | 'partitionsPerRequest' | 'partitionCount' | 'transport'>;

export class ProduceFrames {
  readonly #bytes: Buffer;
  readonly #frameBytes: number;
  readonly #entriesAt: number;
  readonly #entryBytes: number;
  readonly #slots: number;
  readonly #job: FrameJob;
  readonly #recordCount: number;
  readonly #patcher: SequencePatcher | null;
  /** The next sequence number of each partition. */
  readonly #sequences: Float64Array | null;
  #nextPartition: number;

  /** `idempotent`: the batch carries a producer id. `firstPartition`: where this connection's turn begins. */
  constructor(job: FrameJob, batch: PreparedBatch, slots: number, idempotent: boolean, firstPartition: number) {
    const frame = encodeFrame(job, batch.bytes);
    this.#job = job;
    this.#slots = slots;
    this.#frameBytes = frame.length;
    this.#entryBytes = entryHeadBytes + batch.bytes.length;
    this.#entriesAt = frame.length - job.partitionsPerRequest * this.#entryBytes;
    this.#bytes = Buffer.alloc(slots * frame.length);
    for (let slot = 0; slot < slots; slot++) this.#bytes.set(frame, slot * frame.length);
    this.#recordCount = batch.recordCount;
    this.#patcher = idempotent ? new SequencePatcher(batch.bytes) : null;
    this.#sequences = idempotent ? new Float64Array(job.partitionCount) : null;
    this.#nextPartition = firstPartition;
  }

  /** Makes `count` frames from `slot` on ready; the row does not wrap there. They stay as they are until answered. */
  take(slot: number, count: number): Buffer {
    const start = slot * this.#frameBytes;
    const end = start + count * this.#frameBytes;
    if (this.#patcher !== null || this.#job.partitionCount > 1) {
      for (let at = start; at < end; at += this.#frameBytes) this.#patch(at);
    }
    return this.#bytes.subarray(start, end);
  }

  get slots(): number {
    return this.#slots;
  }

  #patch(frameAt: number): void {
    const { partitionsPerRequest, partitionCount } = this.#job;
    let at = frameAt + this.#entriesAt;
    for (let i = 0; i < partitionsPerRequest; i++, at += this.#entryBytes) {
      const partition = this.#nextPartition;
      this.#nextPartition = partition + 1 === partitionCount ? 0 : partition + 1;
      writeInt32(this.#bytes, at, partition);
      if (this.#sequences === null || this.#patcher === null) continue;
      const sequence = this.#sequences[partition]!;
      this.#patcher.patch(this.#bytes, at + entryHeadBytes, sequence);
      this.#sequences[partition] = (sequence + this.#recordCount) % largestSequence;
    }
  }
}

function encodeFrame(job: FrameJob, batch: Uint8Array): Buffer {
  const writer = new Writer(true, batch.length + 1024);
  const start = { apiKey: produceApi.apiKey, apiVersion: produceVersion, correlationId: 0, clientId: 'load' };
  encodeRequestHeader(writer, start, false);
  const partitionData = Array.from({ length: job.partitionsPerRequest }, (_, index) => ({ index, records: batch }));
  const topicData = [{ name: job.topic, topicId: zeroUuid, partitionData }];
  const request = { ...defaultProduceRequest(), acks: job.acks, timeoutMs: requestTimeoutMs, topicData };
  produceApi.encodeRequest(writer, request, produceVersion);
  const frame = Buffer.concat(writer.finish());
  return job.transport === 'tcp' ? frame : Buffer.concat([webSocketHeader(frame.length), frame]);
}

/** Counts what a response to a version 7 request says, and throws at the first error code in it. */
export class ProduceAnswers {
  readonly #firstErrorAt: number;
  readonly #partitionsPerRequest: number;

  constructor({ topic, partitionsPerRequest }: FrameJob) {
    // correlation id, count of topics, name, count of partitions, index
    this.#firstErrorAt = 4 + 4 + 2 + Buffer.byteLength(topic) + 4 + 4;
    this.#partitionsPerRequest = partitionsPerRequest;
  }

  /** `at`: behind the size prefix. */
  check(bytes: Buffer, at: number): void {
    // index, error, base offset, append time, log start
    const answerBytes = 4 + 2 + 8 + 8 + 8;
    for (let i = 0; i < this.#partitionsPerRequest; i++) {
      const errorCode = bytes.readInt16BE(at + this.#firstErrorAt + i * answerBytes);
      if (errorCode !== 0) throw new Error(`A produced batch was answered with error ${errorCode}.`);
    }
  }
}
