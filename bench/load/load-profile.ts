/**
 * A profile of a server's load, and of nothing else: CPU profiles of its threads, and whose code they ran where `perf` can
 * tell. Main thread. Files of the folder, where what is measured last on a process takes the place of what was before, which
 * were its warm-up and its rehearsals:
 *
 *   CPU.load.last.PID.THREAD.000.cpuprofile   as of `node --cpu-prof`
 *   shares.PID.json                           `ThreadShares[]`
 */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ProcessorShares } from './processor-shares.ts';
import { ThreadProfiler } from './thread-profiler.ts';

const ownFile = /^(CPU\.load\.last\..*\.cpuprofile|shares\.\d+\.json)$/;
/** Those that have nothing of earlier runs any more. */
const emptied = new Set<string>();

export class LoadProfile {
  readonly #pid: number;
  readonly #folder: string;
  readonly #profiler: ThreadProfiler;
  #shares: ProcessorShares | null = null;
  /** Loads that are under way beside each other. */
  #loads = 0;
  #began: Promise<void> = Promise.resolve();

  private constructor(pid: number, folder: string, profiler: ThreadProfiler) {
    this.#pid = pid;
    this.#folder = folder;
    this.#profiler = profiler;
  }

  /** `inspector` is the address that the process prints; `folder` is made, and loses what earlier runs left there. */
  static async attach(pid: number, inspector: string, folder: string): Promise<LoadProfile> {
    mkdirSync(folder, { recursive: true });
    if (!emptied.has(folder)) {
      for (const file of readdirSync(folder)) if (ownFile.test(file)) rmSync(join(folder, file));
      emptied.add(folder);
    }
    return new LoadProfile(pid, folder, await ThreadProfiler.attach(inspector));
  }

  /** A load begins; others may be under way. */
  begin(): void {
    if (this.#loads++ > 0) return;
    this.#began = this.#profiler.begin();
    // Whoever ends it hears of a failure.
    this.#began.catch(() => {});
    this.#shares = ProcessorShares.begin(this.#pid);
  }

  /** The load is over; the last writes the files. */
  async end(): Promise<void> {
    if (--this.#loads > 0) return;
    await this.#began;
    const profiles = await this.#profiler.end();
    const shares = await this.#shares?.end();
    for (const { thread, profile } of profiles) {
      writeFileSync(join(this.#folder, `CPU.load.last.${this.#pid}.${thread}.000.cpuprofile`), JSON.stringify(profile));
    }
    if (shares !== undefined) writeFileSync(join(this.#folder, `shares.${this.#pid}.json`), JSON.stringify(shares));
  }

  close(): void {
    this.#profiler.close();
  }
}
