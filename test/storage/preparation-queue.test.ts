/** Which batch is prepared when, and what prepared ones may take together. */

import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { refuse } from '../../src/storage/batch-check.ts';
import {
  refusedBatch,
  sharedCopy,
  type BatchPreparer,
  type PreparationOutcome,
  type PreparationTask,
  type PreparedBatch,
} from '../../src/storage/batch-preparer.ts';
import { noInlineBounds } from '../../src/storage/inline-bounds.ts';
import { defaultLogConfig, type LogConfig } from '../../src/storage/log-config.ts';
import { PreparationQueue, type Preparation } from '../../src/storage/preparation-queue.ts';

const megabyte = 1024 * 1024;

/** Answers as the test says. */
class ToldPreparer implements BatchPreparer {
  readonly bounds = noInlineBounds;
  readonly asked: PreparationTask[] = [];
  isClosed = false;
  #answer: ((outcome: PreparationOutcome) => void) | null = null;

  prepare(task: PreparationTask): Promise<PreparationOutcome> {
    expect(this.#answer).toBeNull();
    this.asked.push(task);
    return new Promise((resolve) => (this.#answer = resolve));
  }

  /** Answers with a batch of so many bytes, of which nothing is said. */
  async answer(sizeBytes: number): Promise<void> {
    const bytes = new Uint8Array(new SharedArrayBuffer(sizeBytes));
    const { outcome } = refusedBatch(refuse(ErrorCode.NONE, ''));
    this.#answer!({ bytes, outcome });
    this.#answer = null;
    for (let i = 0; i < 5; i++) await Promise.resolve();
  }

  /** The first byte of each batch that it was asked for. */
  get order(): number[] {
    return this.asked.map(({ batch }) => batch[0]!);
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }
}

function opened() {
  const preparer = new ToldPreparer();
  const queue = new PreparationQueue(preparer);
  const prepare = (id: number, config = defaultLogConfig): Preparation => {
    const task = { origin: 'client', sealed: true, storedBytesMax: megabyte, config, nowMs: 0 } as const;
    return queue.prepare(() => ({ ...task, batch: sharedCopy(Uint8Array.of(id)) }));
  };
  return { preparer, queue, prepare };
}

function codeOf({ outcome }: PreparedBatch): ErrorCode {
  return 'errorCode' in outcome ? outcome.errorCode : ErrorCode.NONE;
}

describe('batches that are prepared elsewhere', () => {
  test('come one after the other, in the order in which they came', async () => {
    const { preparer, prepare } = opened();
    const all = [1, 2, 3].map((id) => prepare(id));
    expect(preparer.order).toEqual([1]);
    await preparer.answer(10);
    expect(preparer.order).toEqual([1, 2]);
    await preparer.answer(10);
    await preparer.answer(10);
    for (const { prepared } of all) expect((await prepared).bytes).toHaveLength(10);
  });

  test('are prepared with the settings of their turn, which they tell', async () => {
    const { preparer, queue, prepare } = opened();
    prepare(1);
    let config: LogConfig = defaultLogConfig;
    const task = { origin: 'client', sealed: true, storedBytesMax: megabyte, nowMs: 0 } as const;
    const second = queue.prepare(() => ({ ...task, batch: sharedCopy(Uint8Array.of(2)), config }));
    config = { ...defaultLogConfig, maxMessageBytes: 7 };
    await preparer.answer(1);
    await preparer.answer(1);
    expect(preparer.asked[1]!.config).toBe(config);
    expect((await second.prepared).config).toBe(config);
  });

  test('wait while those that are prepared take too much', async () => {
    const { preparer, queue, prepare } = opened();
    const [first, second, third] = [prepare(1), prepare(2), prepare(3)];
    await preparer.answer(20 * megabyte);
    await preparer.answer(20 * megabyte);
    expect(queue.keptBytes).toBe(40 * megabyte);
    expect(preparer.order).toEqual([1, 2]);
    first.end();
    expect(queue.keptBytes).toBe(20 * megabyte);
    expect(preparer.order).toEqual([1, 2, 3]);
    await preparer.answer(0);
    for (const each of [second, third]) each.end();
    // Nothing is given back twice.
    first.end();
    expect(queue.keptBytes).toBe(0);
  });

  test('are refused at once where nobody waits for them any more, and keep nothing', async () => {
    const { preparer, queue, prepare } = opened();
    const [first, second, third] = [prepare(1), prepare(2), prepare(3)];
    second.giveUp();
    first.giveUp();
    expect(codeOf(await first.prepared)).toBe(ErrorCode.REQUEST_TIMED_OUT);
    expect(await second.prepared).toMatchObject({ config: null });
    expect(queue.waitingCount).toBe(1);
    // The worker does not know.
    await preparer.answer(20 * megabyte);
    expect(queue.keptBytes).toBe(0);
    expect(preparer.order).toEqual([1, 3]);
    await preparer.answer(5);
    third.giveUp();
    expect((await third.prepared).bytes).toHaveLength(5);
    expect(queue.keptBytes).toBe(5);
  });

  test('are refused at once when the store is closed, whatever the preparer does', async () => {
    const { preparer, queue, prepare } = opened();
    const [first, second] = [prepare(1), prepare(2)];
    await queue.close();
    expect(preparer.isClosed).toBe(true);
    const late = prepare(3);
    for (const { prepared } of [first, second, late]) {
      expect(codeOf(await prepared)).toBe(ErrorCode.NOT_LEADER_OR_FOLLOWER);
    }
    await preparer.answer(10);
    expect([preparer.order, queue.keptBytes]).toEqual([[1], 0]);
  });
});
