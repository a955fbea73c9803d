/** Real threads over the real file system: the order of the queue's atomics, group commit, and an end without remains. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { asAddress } from '../../src/base/numbers.ts';
import { FlushPool } from '../../src/flush/flush-pool.ts';
import { Arena } from '../../src/memory/arena.ts';
import {
  blankCompletion,
  blankSubmission,
  CompletionKind,
  type Submission,
  SubmissionFlag,
  SubmissionKind,
} from '../../src/memory/flush-messages.ts';
import { FlushQueue } from '../../src/memory/flush-queue.ts';
import { IngestRing } from '../../src/memory/ingest-ring.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

describe('FlushPool', () => {
  let directory: string;
  beforeAll(() => {
    // Threads run compiled code; `npm test` has built it before.
    if (!existsSync(join(root, 'dist/flush/flush-task.js'))) {
      spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], { cwd: root });
    }
  });
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'millrace-flush-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('writes what many partitions submit, in order and whole, while ring and queue wrap', async () => {
    const arena = Arena.create({
      flushWorkerCount: 1,
      queueCapacity: 64,
      ringSizeBytes: 4096,
      scratchSizeBytes: 65536,
      heapSizeBytes: 65536,
    });
    const queue = new FlushQueue(arena.memory.buffer, arena.layout.queueAddresses[0]!, 64);
    const ring = new IngestRing(asAddress(arena.layout.ringAddress), arena.layout.ringSizeBytes);
    const failures: Error[] = [];
    const pool = await FlushPool.start({ arena, directWriting: 'never', onFailure: (error) => failures.push(error) });

    const slots = 7;
    const batchCount = 3000;
    const ringEnds: number[] = [];
    const written = Array.from({ length: slots }, () => 0);
    const synced = Array.from({ length: slots }, () => 0);
    const closed = new Set<number>();
    let settled = 0;
    const completion = blankCompletion();
    const drain = (): void => {
      const count = queue.waitingCompletions;
      for (let i = 0; i < count; i++) {
        queue.readCompletion(i, completion);
        const { kind, slot, endOffset } = completion;
        if (kind === CompletionKind.WRITTEN) {
          expect(endOffset).toBeGreaterThan(written[slot]!);
          written[slot] = endOffset;
        } else if (kind === CompletionKind.SYNCED) {
          expect(endOffset).toBeLessThanOrEqual(written[slot]!);
          expect(endOffset).toBeGreaterThanOrEqual(synced[slot]!);
          synced[slot] = endOffset;
        } else if (kind === CompletionKind.CLOSED) closed.add(slot);
        else expect(kind).toBe(CompletionKind.PROGRESS);
      }
      queue.releaseCompletions(count);
      const head = queue.submissionHead;
      if (head > settled) ring.releaseUpTo(ringEnds[head - 1]! as typeof ring.head);
      settled = head;
    };
    const submit = async (fields: Partial<Submission>, bytes: Uint8Array | null): Promise<void> => {
      while (queue.freeSubmissions === 0 || (bytes !== null && !ring.hasRoom(bytes.length))) {
        await queue.waitForCompletions();
        drain();
      }
      let place = {};
      if (bytes !== null) {
        const ringPosition = ring.reserve(bytes.length)!;
        arena.bytes.set(bytes, ring.addressOf(ringPosition));
        place = { ringPosition, sizeBytes: bytes.length };
      }
      ringEnds.push(ring.head);
      queue.push({ ...blankSubmission(), ...fields, ...place }, 0);
      queue.publish(1);
    };

    const expected = Array.from({ length: slots }, () => [] as Uint8Array[]);
    const positions = Array.from({ length: slots }, () => 0);
    const nameOf = (slot: number): string => join(directory, `topic-${slot}`);
    for (let slot = 0; slot < slots; slot++) {
      const path = new TextEncoder().encode(nameOf(slot));
      await submit({ kind: SubmissionKind.OPEN, slot, flags: SubmissionFlag.CREATE }, path);
    }
    for (let i = 0; i < batchCount; i++) {
      const slot = (i * 31) % slots;
      const bytes = new Uint8Array(1 + ((i * 7919) % 400)).fill(i & 255);
      const offset = expected[slot]!.length;
      expected[slot]!.push(bytes);
      const flags = i % 5 === 0 ? SubmissionFlag.SYNC : 0;
      const filePosition = positions[slot]!;
      positions[slot] = filePosition + bytes.length;
      await submit(
        { kind: SubmissionKind.WRITE, slot, flags, baseOffset: offset, endOffset: offset + 1, filePosition },
        bytes,
      );
    }
    for (let slot = 0; slot < slots; slot++) await submit({ kind: SubmissionKind.CLOSE, slot }, null);
    while (closed.size < slots) {
      await queue.waitForCompletions();
      drain();
    }
    await pool.stop();

    expect(failures).toEqual([]);
    for (let slot = 0; slot < slots; slot++) {
      expect(written[slot]).toBe(expected[slot]!.length);
      expect(synced[slot]).toBe(expected[slot]!.length);
      const log = readFileSync(join(nameOf(slot), `${'0'.repeat(20)}.log`));
      expect(log.equals(Buffer.concat(expected[slot]!))).toBe(true);
    }
  });

  it('says when a worker ended by a defect, and still stops', async () => {
    const arena = Arena.create({
      flushWorkerCount: 2,
      queueCapacity: 2,
      ringSizeBytes: 64,
      scratchSizeBytes: 64,
      heapSizeBytes: 64,
    });
    let report = (_workerIndex: number): void => {};
    const reported = new Promise<number>((resolve) => (report = resolve));
    const pool = await FlushPool.start({
      arena,
      directWriting: 'never',
      onFailure: (_error, workerIndex) => report(workerIndex),
    });
    const queue = new FlushQueue(arena.memory.buffer, arena.layout.queueAddresses[1]!, 2);
    queue.push({ ...blankSubmission(), kind: SubmissionKind.WRITE, slot: 9 }, 0);
    queue.publish(1);
    expect(await reported).toBe(1);
    await pool.stop();
  });
});
