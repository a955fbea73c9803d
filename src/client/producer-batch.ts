/**
 * A batch on its way: records as they are added, then bytes, then an answer. Any thread; owned by a `PartitionQueue`.
 * The producer's id, epoch and sequence, and with them the CRC, are written when it is sent, since a batch that waits may
 * get others. Whoever waits for a record hears of it through `settle` and `fail`, once.
 */

import { BatchBuilder, type RecordToWrite } from '../records/batch-builder.ts';
import { writeInt16, writeInt32, writeInt64 } from '../records/big-endian.ts';
import { crc32c } from '../records/crc32c.ts';
import { attributeBit, batchField } from '../records/record-batch.ts';
import { RecordReader } from '../records/record-reader.ts';
import type { CompressionCodec } from './compression.ts';

/** Where a record is. */
export interface RecordMetadata {
  readonly topic: string;
  readonly partition: number;
  /** -1 where the broker has the record but does not know any more where, and with acks=0. */
  readonly offset: number;
}

/** Who waits for one record. */
export interface RecordWaiter {
  resolve(metadata: RecordMetadata): void;
  reject(error: Error): void;
}

/** Of a batch as it came from the builder, before it is stamped. */
const noCrc = (): number => 0;

export class ProducerBatch {
  /** Monotonic milliseconds. */
  readonly createdMs: number;
  /** -1 before it is first sent, and without idempotence. */
  baseSequence = -1;
  /** Whether the broker may have it. */
  wasSent = false;
  /** Nothing is added any more. */
  isClosed = false;
  /** Why it has to be sent again; null where it was not sent, or is on its way for the first time. */
  lastProblem: Error | null = null;
  #builder: BatchBuilder | null = new BatchBuilder(noCrc);
  readonly #waiters: (RecordWaiter | null)[] = [];
  #bytes: Uint8Array | null = null;
  #bufferedBytes = 0;
  #settled: (() => void)[] = [];

  constructor(createdMs: number) {
    this.createdMs = createdMs;
  }

  get recordCount(): number {
    return this.#waiters.length;
  }

  /** What it takes of the producer's buffer, in bytes. */
  get bufferedBytes(): number {
    return this.#bufferedBytes;
  }

  /** Uncompressed before it is sealed. */
  get sizeBytes(): number {
    return this.#bytes?.length ?? this.#builder!.sizeBytes;
  }

  get isSealed(): boolean {
    return this.#bytes !== null;
  }

  /** Adds a record, copying it; returns by how many bytes the batch grew. */
  append(record: RecordToWrite, waiter: RecordWaiter | null): number {
    const builder = this.#builder!;
    const before = this.#waiters.length === 0 ? 0 : builder.sizeBytes;
    builder.append(record);
    this.#waiters.push(waiter);
    const grownBytes = builder.sizeBytes - before;
    this.#bufferedBytes += grownBytes;
    return grownBytes;
  }

  /** Makes its bytes: at once without a codec, else once it has compressed. It is closed. */
  seal(codec: CompressionCodec | null): void | Promise<void> {
    const builder = this.#builder!;
    if (codec === null) return this.#sealed(builder.seal());
    const body = builder.body;
    const compressed = codec.compress!(body);
    const take = (bytes: Uint8Array): void => {
      // What does not shrink is sent as it is.
      this.#sealed(bytes.length < body.length ? builder.sealCompressed(codec.id, bytes) : builder.seal());
    };
    return compressed instanceof Uint8Array ? take(compressed) : compressed.then(take);
  }

  /** Its bytes with who sends them, and the CRC over it. It is sealed. */
  stamped(producerId: number, producerEpoch: number, isTransactional: boolean): Uint8Array {
    const bytes = this.#bytes!;
    if (isTransactional) bytes[batchField.attributes + 1]! |= attributeBit.transactional;
    writeInt64(bytes, batchField.producerId, producerId);
    writeInt16(bytes, batchField.producerEpoch, producerEpoch);
    writeInt32(bytes, batchField.baseSequence, this.baseSequence);
    writeInt32(bytes, batchField.crc, crc32c(bytes.subarray(batchField.attributes)));
    return bytes;
  }

  /**
   * Two batches with the halves of its records and of its sequences, for a broker that finds it too large; null where it
   * has one record or is compressed.
   */
  split(): [ProducerBatch, ProducerBatch] | null {
    const bytes = this.#bytes!;
    if (this.recordCount < 2 || (bytes[batchField.attributes + 1]! & 7) !== 0) return null;
    const halves: [ProducerBatch, ProducerBatch] = [
      new ProducerBatch(this.createdMs),
      new ProducerBatch(this.createdMs),
    ];
    const middle = Math.floor(this.recordCount / 2);
    const reader = new RecordReader(bytes, 0, bytes.length);
    for (let i = 0; reader.next(); i++) {
      const { key, value, timestampMs } = reader;
      halves[i < middle ? 0 : 1].append({ key, value, timestampMs, headers: reader.headers() }, this.#waiters[i]!);
    }
    for (const half of halves) {
      half.isClosed = true;
      half.seal(null);
      // Together they take of the buffer what this one took.
      half.#bufferedBytes = this.#bufferedBytes / 2;
    }
    if (this.baseSequence >= 0) {
      halves[0].baseSequence = this.baseSequence;
      halves[1].baseSequence = nextSequence(this.baseSequence, middle);
    }
    halves[1].#settled = this.#settled;
    return halves;
  }

  /** Tells everyone where their records are. */
  settle(topic: string, partition: number, baseOffset: number): void {
    this.#waiters.forEach((waiter, i) =>
      waiter?.resolve({ topic, partition, offset: baseOffset < 0 ? -1 : baseOffset + i }),
    );
    this.#end();
  }

  /** Tells everyone that it failed; returns how many records nobody waited for. */
  fail(error: Error): number {
    let unheard = 0;
    for (const waiter of this.#waiters) {
      if (waiter === null) unheard++;
      else waiter.reject(error);
    }
    this.#end();
    return unheard;
  }

  /** Resolves once it has succeeded or failed. */
  whenSettled(): Promise<void> {
    return new Promise((resolve) => {
      this.#settled.push(resolve);
    });
  }

  #sealed(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#builder = null;
  }

  #end(): void {
    for (const settled of this.#settled.splice(0)) settled();
  }
}

/** The sequence `count` records later; Kafka's go round after the largest int32. */
export function nextSequence(sequence: number, count: number): number {
  return (sequence + count) % 2 ** 31;
}

/** At most what one record takes in a batch, in bytes. */
export function recordBoundBytes(record: RecordToWrite): number {
  let bytes = 24 + (record.key?.length ?? 0) + (record.value?.length ?? 0);
  for (const { key, value } of record.headers ?? []) bytes += 10 + key.length * 3 + (value?.length ?? 0);
  return bytes;
}
