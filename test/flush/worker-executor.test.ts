/** The executor with real threads: completions are read, also while it stops, and the event loop goes on turning. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { asAddress } from '../../src/base/numbers.ts';
import { WorkerExecutor } from '../../src/flush/worker-executor.ts';
import { Arena } from '../../src/memory/arena.ts';
import {
  blankCompletion,
  blankSubmission,
  type Completion,
  CompletionKind,
  type Submission,
  SubmissionFlag,
  SubmissionKind,
} from '../../src/memory/flush-messages.ts';
import { FlushQueue } from '../../src/memory/flush-queue.ts';
import { IngestRing } from '../../src/memory/ingest-ring.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const queueCapacity = 64;

/** An arena with an executor, and a reader that keeps the completions of all queues. */
class Rig {
  readonly arena: Arena;
  readonly executor: WorkerExecutor;
  readonly queues: FlushQueue[];
  readonly ring: IngestRing;
  readonly completions: (Completion & { readonly workerIndex: number })[] = [];
  readonly failures: { readonly error: Error; readonly workerIndex: number }[] = [];
  #changed: (() => void) | null = null;

  constructor(flushWorkerCount: number, workerUrl?: URL) {
    this.arena = Arena.create({
      flushWorkerCount,
      queueCapacity,
      ringSizeBytes: 65_536,
      scratchSizeBytes: 65_536,
      heapSizeBytes: 65_536,
    });
    const { layout, memory } = this.arena;
    this.executor = new WorkerExecutor({ arena: this.arena, ...(workerUrl === undefined ? {} : { workerUrl }) });
    this.queues = layout.queueAddresses.map((address) => new FlushQueue(memory.buffer, address, queueCapacity));
    this.ring = new IngestRing(asAddress(layout.ringAddress), layout.ringSizeBytes);
  }

  start(completionsWait: (workerIndex: number) => void = (workerIndex) => this.drain(workerIndex)): void {
    this.executor.start(completionsWait, (error, workerIndex) => {
      this.failures.push({ error, workerIndex });
      this.#changed?.();
    });
  }

  drain(workerIndex: number): void {
    const queue = this.queues[workerIndex]!;
    const count = queue.waitingCompletions;
    for (let i = 0; i < count; i++) {
      const completion = blankCompletion();
      queue.readCompletion(i, completion);
      this.completions.push({ ...completion, workerIndex });
    }
    queue.releaseCompletions(count);
    this.#changed?.();
  }

  submit(workerIndex: number, fields: Partial<Submission>, bytes: Uint8Array | null = null): void {
    const queue = this.queues[workerIndex]!;
    let place = {};
    if (bytes !== null) {
      const ringPosition = this.ring.reserve(bytes.length)!;
      this.arena.bytes.set(bytes, this.ring.addressOf(ringPosition));
      place = { ringPosition, sizeBytes: bytes.length };
    }
    queue.push({ ...blankSubmission(), ...fields, ...place }, 0);
    queue.publish(1);
  }

  open(workerIndex: number, slot: number, path: string): void {
    const bytes = new TextEncoder().encode(path);
    this.submit(workerIndex, { kind: SubmissionKind.OPEN, slot, flags: SubmissionFlag.CREATE }, bytes);
  }

  write(workerIndex: number, slot: number, offset: number, flags = 0): void {
    const bytes = new Uint8Array([offset]);
    const place = { baseOffset: offset, endOffset: offset + 1, filePosition: offset };
    this.submit(workerIndex, { kind: SubmissionKind.WRITE, slot, flags, ...place }, bytes);
  }

  seen(workerIndex: number, kind: number): number[] {
    return this.completions
      .filter((completion) => completion.workerIndex === workerIndex && completion.kind === kind)
      .map((completion) => completion.endOffset);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => (this.#changed = resolve));
  }
}

describe('WorkerExecutor', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-executor-'));
  });
  afterEach(() => {
    vi.restoreAllMocks();
    rmSync(directory, { recursive: true, force: true });
  });

  it('has the completions of every queue read, also of what was submitted before the workers ran', async () => {
    const rig = new Rig(2);
    for (const worker of [0, 1]) {
      rig.open(worker, 0, join(directory, `topic-${worker}`));
      rig.write(worker, 0, 0);
    }
    rig.start();
    await rig.until(() => [0, 1].every((worker) => rig.seen(worker, CompletionKind.WRITTEN).includes(1)));
    for (const worker of [0, 1]) rig.write(worker, 0, 1, SubmissionFlag.SYNC);
    await rig.until(() => [0, 1].every((worker) => rig.seen(worker, CompletionKind.SYNCED).includes(2)));
    await rig.executor.stop();
    expect(rig.failures).toEqual([]);
    for (const worker of [0, 1]) {
      expect([...readFileSync(join(directory, `topic-${worker}`, `${'0'.repeat(20)}.log`))]).toEqual([0, 1]);
    }
  });

  it('reads what comes last before a stop resolves', async () => {
    const rig = new Rig(1);
    rig.start();
    rig.open(0, 3, join(directory, 'topic-0'));
    for (let offset = 0; offset < 20; offset++) rig.write(0, 3, offset);
    rig.submit(0, { kind: SubmissionKind.CLOSE, slot: 3 });
    await rig.executor.stop();
    expect(rig.seen(0, CompletionKind.WRITTEN).at(-1)).toBe(20);
    expect(rig.completions.at(-1)).toMatchObject({ kind: CompletionKind.CLOSED, slot: 3, failure: 0 });
    expect(rig.queues[0]!.waitingCompletions).toBe(0);
    expect(statSync(join(directory, 'topic-0', `${'0'.repeat(20)}.log`)).size).toBe(20);
    // A second stop is the same one.
    await rig.executor.stop();
  });

  it('stops though it was never started', async () => {
    await new Rig(1).executor.stop();
  });

  it('lets the event loop turn while completions never cease', async () => {
    const rig = new Rig(1);
    let turns = 0;
    let calls = 0;
    // Completions that nobody reads are constant load: without a turn between the calls this would never end.
    rig.start(() => {
      calls++;
      if (turns >= 50) rig.drain(0);
    });
    rig.open(0, 0, join(directory, 'topic-0'));
    rig.write(0, 0, 0);
    await vi.waitUntil(() => calls > 0);
    while (turns < 50) {
      await setImmediate();
      turns++;
    }
    await rig.until(() => rig.seen(0, CompletionKind.WRITTEN).includes(1));
    expect(calls).toBeGreaterThan(1);
    await rig.executor.stop();
  });

  it('keeps one wait pending a queue, however often it wakes', async () => {
    const original = Object.getOwnPropertyDescriptor(FlushQueue.prototype, 'waitForCompletions')!.value as (
      this: FlushQueue,
    ) => Promise<void> | null;
    let pending = 0;
    let most = 0;
    vi.spyOn(FlushQueue.prototype, 'waitForCompletions').mockImplementation(function (this: FlushQueue) {
      const wait = original.call(this);
      if (wait === null) return null;
      most = Math.max(most, ++pending);
      return wait.finally(() => pending--);
    });
    const rig = new Rig(1);
    rig.start();
    rig.open(0, 0, join(directory, 'topic-0'));
    for (let offset = 0; offset < 100; offset++) {
      rig.write(0, 0, offset);
      await rig.until(() => rig.seen(0, CompletionKind.WRITTEN).includes(offset + 1));
    }
    await rig.executor.stop();
    expect(most).toBe(1);
    expect(pending).toBe(0);
  });

  it('says which worker ended by a defect, once, and goes on with the others', async () => {
    const rig = new Rig(2);
    rig.start();
    rig.submit(1, { kind: SubmissionKind.WRITE, slot: 9 });
    await rig.until(() => rig.failures.length > 0);
    rig.open(0, 0, join(directory, 'topic-0'));
    rig.write(0, 0, 0);
    await rig.until(() => rig.seen(0, CompletionKind.WRITTEN).includes(1));
    await rig.executor.stop();
    expect(rig.failures.map(({ workerIndex }) => workerIndex)).toEqual([1]);
  });

  it('says that no worker runs where the task cannot be loaded', async () => {
    const rig = new Rig(2, new URL('no-such-task.js', import.meta.url));
    rig.start();
    await rig.until(() => rig.failures.length === 2);
    await rig.executor.stop();
    expect(rig.failures.map(({ workerIndex }) => workerIndex).toSorted()).toEqual([0, 1]);
  });

  it('leaves nothing that keeps a process alive', async () => {
    const script = `
      import { Arena } from '${root}dist/memory/arena.js';
      import { WorkerExecutor } from '${root}dist/flush/worker-executor.js';
      const sizes = { ringSizeBytes: 4096, scratchSizeBytes: 4096, heapSizeBytes: 4096 };
      const executor = new WorkerExecutor({ arena: Arena.create({ flushWorkerCount: 1, queueCapacity: 16, ...sizes }) });
      executor.start(() => {}, (error) => { throw error; });
      await executor.stop();
      console.log('stopped');
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (said += text.toString()));
    const [code] = (await once(child, 'close')) as [number | null];
    expect(said).toBe('stopped\n');
    expect(code).toBe(0);
  });
});
