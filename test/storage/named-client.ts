/**
 * A named producer as a client behaves that loses nothing: what was not acknowledged it sends again, in order, and after
 * a cut it asks first where to go on. It speaks to a log as a door does. And a check of what became of it.
 */

import { expect } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { buildBatch, type RecordToWrite } from '../../src/records/batch-builder.ts';
import { crc32c } from '../../src/records/crc32c.ts';
import { producerHeaderKey, sequenceHeaderKey } from '../../src/records/named-records.ts';
import type { Durability, PartitionLog, ResumeResult } from '../../src/storage/partition-log.ts';
import { valuesFrom } from './store-harness.ts';

/** A batch of records with these numbers and values, whose last record says whose they are. */
export function namedBatch(name: string, numbers: readonly number[], timestampMs = 1000): Uint8Array {
  const records: RecordToWrite[] = numbers.map((number, i) => ({
    key: null,
    value: Buffer.from(`${name}:${number}`),
    timestampMs,
    headers:
      i < numbers.length - 1
        ? []
        : [
            { key: producerHeaderKey, value: Buffer.from(name) },
            { key: sequenceHeaderKey, value: Buffer.from(String(number)) },
          ],
  }));
  return buildBatch(crc32c, records);
}

export interface Submitted {
  readonly errorCode: ErrorCode;
  /** -1 where it is not known. */
  readonly offset: number;
  readonly wasStored: boolean;
  readonly message: string | null;
}

export interface SubmitOptions {
  readonly durability?: Durability;
  readonly epoch?: number;
  readonly previousNumber?: number | null;
}

/** Sends records as a door does: what is stored already is confirmed, and the rest appended; the outcome is the last one's. */
export function submit(
  log: PartitionLog,
  name: string,
  numbers: readonly number[],
  { durability = 'synced', epoch = 0, previousNumber = null }: SubmitOptions = {},
): Promise<Submitted> {
  return new Promise((resolve) => {
    const stored = log.lastNumberOf(name);
    const fresh = numbers.filter((number) => number > stored);
    if (fresh.length === 0) {
      log.confirm(name, numbers.at(-1)!, durability, ({ errorCode, offset, errorMessage: message }) =>
        resolve({ errorCode, offset, wasStored: true, message }),
      );
      return;
    }
    const named = { name, epoch, firstNumber: fresh[0]!, lastNumber: fresh.at(-1)!, previousNumber };
    const batch = namedBatch(name, fresh);
    log.append(batch, { durability, origin: 'client', named }, ({ errorCode, baseOffset, errorMessage: message }) =>
      resolve({ errorCode, offset: baseOffset < 0 ? -1 : baseOffset + fresh.length - 1, wasStored: false, message }),
    );
  });
}

export function resume(
  log: PartitionLog,
  name: string,
  epoch: number | 'takeover' = -1,
  durability: Durability = 'synced',
): Promise<ResumeResult> {
  return new Promise((resolve) => log.resume(name, epoch, durability, resolve));
}

export class NamedClient {
  readonly name: string;
  readonly durability: Durability;
  #next = 1;
  /** Submissions that were not acknowledged, in order. */
  #waiting: (readonly number[])[] = [];
  readonly acknowledged = new Set<number>();
  /** Where the acknowledged ones lie, as far as it was told. */
  readonly offsets = new Map<number, number>();
  /** The largest number acknowledged. */
  largest = -1;

  constructor(name: string, durability: Durability = 'synced') {
    this.name = name;
    this.durability = durability;
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** New numbers for one submission: `count` of them, each `gap` above the one before. */
  prepare(count: number, gap: number): void {
    const numbers = Array.from({ length: count }, () => (this.#next += gap));
    this.#waiting.push(numbers);
  }

  /**
   * Sends all that waits, without waiting for answers: one submission each time that `between` resolves, and all of it
   * `times` times over, as connections do that know nothing of each other. Resolves once all answers came.
   */
  async flush(log: PartitionLog, times = 1, between: () => Promise<void> = async () => {}): Promise<void> {
    const { durability } = this;
    const answers: Promise<void>[] = [];
    for (const numbers of [...this.#waiting]) {
      for (let i = 0; i < times; i++) {
        const answer = submit(log, this.name, numbers, { durability }).then(({ errorCode, offset }) => {
          if (errorCode !== ErrorCode.NONE) {
            expect([ErrorCode.KAFKA_STORAGE_ERROR, ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER]).toContain(errorCode);
          } else if (this.#waiting.includes(numbers)) this.#acknowledge(numbers, offset);
        });
        answer.catch(() => {});
        answers.push(answer);
      }
      await between();
    }
    await Promise.all(answers);
  }

  /** Asks where to go on: what is stored needs not be sent again. */
  async reconnect(log: PartitionLog): Promise<void> {
    const { errorCode, lastNumber } = await resume(log, this.name, -1, this.durability);
    if (errorCode !== ErrorCode.NONE) {
      expect(errorCode).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
      return;
    }
    expect(lastNumber, `${this.name} is told what it was told before`).toBeGreaterThanOrEqual(this.largest);
    for (const numbers of [...this.#waiting]) if (numbers.at(-1)! <= lastNumber) this.#acknowledge(numbers, -1);
  }

  #acknowledge(numbers: readonly number[], lastOffset: number): void {
    this.#waiting = this.#waiting.filter((waiting) => waiting !== numbers);
    for (const number of numbers) {
      expect(this.acknowledged.has(number), `${this.name}: ${number} is acknowledged once`).toBe(false);
      this.acknowledged.add(number);
    }
    const last = numbers.at(-1)!;
    this.largest = Math.max(this.largest, last);
    if (lastOffset >= 0) this.offsets.set(last, lastOffset);
  }

  /** What the log holds of it from its start on: rising numbers, each once; all that were acknowledged, at their offsets. */
  async expectIn(log: PartitionLog, what: string): Promise<void> {
    const lines = await valuesFrom(log, log.logStartOffset, 700);
    const found = new Map<number, number>();
    let before = -1;
    for (const line of lines) {
      const [offset, name, number] = line.split(':');
      if (name !== this.name) continue;
      expect(Number(number), `${what}: numbers of ${this.name} rise`).toBeGreaterThan(before);
      before = Number(number);
      found.set(before, Number(offset));
    }
    const [smallest = Infinity] = found.keys();
    for (const number of this.acknowledged) {
      // What lies before the log's start cannot be looked at.
      if (log.logStartOffset > 0 && number < smallest) continue;
      expect(found.has(number), `${what}: ${this.name} has ${number}`).toBe(true);
      const offset = this.offsets.get(number);
      if (offset !== undefined) expect(found.get(number), `${what}: offset of ${number}`).toBe(offset);
    }
  }
}
