/** What the disk does without a broker, in the same round: large synced writes, and small ones. Main thread. */

import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Figures } from './figures.ts';
import { summaryOf } from './latency-recorder.ts';

const largeBytes = 1024 * 1024;
const smallBytes = 1024;
const smallCount = 1000;

/** Writes of 1 MiB into a new file, each behind it an fdatasync, for `durationMs`. */
export function probeSyncedWrites(folder: string, durationMs: number): Figures {
  return withFile(folder, (file) => {
    const bytes = Buffer.alloc(largeBytes, 1);
    const startedMs = performance.now();
    let written = 0;
    while (performance.now() - startedMs < durationMs) {
      writeSync(file, bytes);
      fdatasyncSync(file);
      written += largeBytes;
    }
    return { bytesPerSecond: (written * 1000) / (performance.now() - startedMs) };
  });
}

/** How long an fdatasync takes behind 1 KiB in a file that has its size and its blocks: of data alone, as small as can be. */
export function probeSmallSyncs(folder: string): Figures {
  return withFile(folder, (file) => {
    const bytes = Buffer.alloc(smallBytes, 1);
    const times = new Float64Array(smallCount);
    writeSync(file, Buffer.alloc(smallCount * smallBytes));
    fdatasyncSync(file);
    for (let i = 0; i < smallCount; i++) {
      writeSync(file, bytes, 0, smallBytes, i * smallBytes);
      const startedMs = performance.now();
      fdatasyncSync(file);
      times[i] = performance.now() - startedMs;
    }
    const { p50, p99 } = summaryOf(times)!;
    return { p50Ms: p50, p99Ms: p99 };
  });
}

function withFile(folder: string, measure: (file: number) => Figures): Figures {
  const path = join(folder, 'disk-probe');
  const file = openSync(path, 'w');
  try {
    return measure(file);
  } finally {
    closeSync(file);
    rmSync(path);
  }
}
