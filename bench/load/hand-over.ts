/**
 * What it takes to have another thread do something and to hear of it, as the I/O thread and a flush worker do: one waits
 * on shared memory with its thread, the other with a promise. Main thread and a worker of its own.
 */

import { isMainThread, Worker, workerData } from 'node:worker_threads';
import type { Figures } from './figures.ts';
import type { ScenarioContext } from './scenario.ts';

const askedAt = 0;
const answeredAt = 1;
const end = -1;

if (!isMainThread && (workerData as { readonly handOver?: Int32Array } | null)?.handOver !== undefined) {
  answerAll((workerData as { readonly handOver: Int32Array }).handOver);
}

/** p50 and p99 of a round trip, in milliseconds. */
export async function handOver({ sizes }: ScenarioContext): Promise<Figures> {
  const cells = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT));
  const worker = new Worker(new URL(import.meta.url), { workerData: { handOver: cells } });
  const times: number[] = [];
  const startedMs = performance.now();
  for (let i = 1; performance.now() - startedMs < sizes.loadMs || i < 3; i++) {
    const askedMs = performance.now();
    Atomics.store(cells, askedAt, i);
    Atomics.notify(cells, askedAt);
    while (Atomics.load(cells, answeredAt) !== i) {
      const waiting = Atomics.waitAsync(cells, answeredAt, i - 1);
      if (waiting.async) await waiting.value;
    }
    // The first waits for the thread to start.
    if (i > 1) times.push(performance.now() - askedMs);
  }
  Atomics.store(cells, askedAt, end);
  Atomics.notify(cells, askedAt);
  await new Promise((resolve) => worker.once('exit', resolve));
  times.sort((a, b) => a - b);
  return { p50Ms: times[times.length >> 1]!, p99Ms: times[Math.floor(times.length * 0.99)]! };
}

function answerAll(cells: Int32Array): void {
  for (let asked = 0; ;) {
    Atomics.wait(cells, askedAt, asked);
    asked = Atomics.load(cells, askedAt);
    if (asked === end) return;
    Atomics.store(cells, answeredAt, asked);
    Atomics.notify(cells, answeredAt);
  }
}
