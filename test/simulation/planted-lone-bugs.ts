/**
 * Bugs of syncs in the I/O thread, planted between it, its disk and the flush workers. Any thread.
 */

import { SubmissionFlag } from '../../src/memory/flush-messages.ts';
import type { FlushQueue } from '../../src/memory/flush-queue.ts';
import type { FileDescriptor, FileSystem, OpenMode } from '../../src/storage/file-system.ts';
import type { ExpectedBug } from './planted-bug.ts';
import { WrappedFileSystem } from './wrapped-file-system.ts';

/** Which flush workers are at the files: what is synced while none is, the I/O thread syncs. */
class WorkersAtFiles {
  readonly #atFiles = new Set<FlushQueue>();
  #areThere = false;

  /** Another process begins. */
  begin(): void {
    this.#atFiles.clear();
    this.#areThere = false;
  }

  /** A worker's end of its queue. */
  watch(queue: FlushQueue): FlushQueue {
    const { files } = queue;
    const take = files.take.bind(files);
    const leave = files.leave.bind(files);
    files.take = () => {
      take();
      this.#atFiles.add(queue);
    };
    files.leave = () => {
      this.#atFiles.delete(queue);
      leave();
    };
    this.#areThere = true;
    return queue;
  }

  get areAllAsleep(): boolean {
    return this.#areThere && this.#atFiles.size === 0;
  }
}

/** What the I/O thread syncs is told of, and never done. */
class EarlyLoneSyncs extends WrappedFileSystem {
  readonly #logs = new Set<FileDescriptor>();
  readonly #workers: WorkersAtFiles;

  constructor(inner: FileSystem, workers: WorkersAtFiles) {
    super(inner);
    this.#workers = workers;
    workers.begin();
  }

  override open(path: string, mode: OpenMode): FileDescriptor {
    const file = super.open(path, mode);
    if (path.endsWith('.log')) this.#logs.add(file);
    else this.#logs.delete(file);
    return file;
  }

  override sync(file: FileDescriptor): void {
    if (!this.#logs.has(file) || !this.#workers.areAllAsleep) super.sync(file);
  }
}

/** The worker takes a sync of the I/O thread that failed for one that went well, and goes on. */
function unheardFailures(queue: FlushQueue): FlushQueue {
  const read = queue.readSubmission.bind(queue);
  queue.readSubmission = (ahead, into) => {
    read(ahead, into);
    if ((into.flags & SubmissionFlag.SYNC_FAILED) === 0) return;
    into.flags = (into.flags & ~SubmissionFlag.SYNC_FAILED) | SubmissionFlag.SYNCED;
  };
  return queue;
}

/** Segments that zeros are written ahead in, and nobody but the one who is alone. */
const alone: Pick<ExpectedBug, 'found' | 'profile'> = {
  found: /^lost-acknowledged/,
  profile: {
    loneChance: 1,
    segmentBytes: 16_384,
    valueBytes: 400,
    powerCutChance: 1,
    maxNetworkMs: 1,
    maxDiskMs: 2,
    maxFlushStepMs: 1,
    thinkMs: 20,
    runMs: 1600,
    topics: 1,
    producers: 2,
    consumers: 1,
    groups: 0,
    named: 0,
    publishers: 0,
    reconciling: 0,
    copies: 0,
    keyed: 0,
    streamers: 0,
  },
};

const early = 'a sync in the I/O thread that is told and not done';

export const loneBugs: readonly ExpectedBug[] = [
  {
    name: early,
    plant: () => {
      const workers = new WorkersAtFiles();
      return {
        name: early,
        fileSystem: (inner) => new EarlyLoneSyncs(inner, workers),
        queue: (inner) => workers.watch(inner),
      };
    },
    ...alone,
  },
  {
    name: 'a failed sync of the I/O thread that the worker does not hear of',
    queue: unheardFailures,
    found: alone.found,
    // It takes a fault in one of the few syncs of this thread, and a power cut before the next.
    profile: { ...alone.profile, diskFaultEveryMs: 25, producers: 4 },
  },
];
