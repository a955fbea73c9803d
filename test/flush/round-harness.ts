/** One queue, one ring and a round over a fake file system: the I/O thread's side as a test plays it. */

import {
  blankCompletion,
  blankSubmission,
  type Completion,
  type Submission,
  SubmissionFlag,
  SubmissionKind,
} from '../../src/memory/flush-messages.ts';
import { FlushQueue, flushQueueSizeBytes } from '../../src/memory/flush-queue.ts';
import { FlushRound } from '../../src/flush/flush-round.ts';
import { WayOfWriting, type DirectWriting } from '../../src/flush/way-of-writing.ts';
import { directBlockBytes } from '../../src/storage/file-system.ts';
import { FakeFileSystem } from './fake-file-system.ts';

export const directory = '/data/topic-0';
export const metadata = `${directory}/partition.metadata`;
export const topicId = 'FQ0JpJ3yR5iTtAqp5Vbaqg';
export const logOf = (baseOffset: number): string => `${directory}/${String(baseOffset).padStart(20, '0')}.log`;

/** Two blocks and some: larger groups are written in parts. */
const stagingBytes = 12_288;

export class RoundHarness {
  readonly files = new FakeFileSystem();
  readonly queue: FlushQueue;
  readonly round: FlushRound;
  readonly #bytes: Uint8Array;
  readonly #ringAddress: number;
  readonly #ringSizeBytes = 65536;
  #ringHead = 0;

  /** Groups from `directFromBytes` on go past the page cache, or, with `auto`, those that are to be synced. */
  constructor(capacity = 64, maxOpenFiles?: number, directFromBytes = Infinity, mode: DirectWriting = 'always') {
    this.#ringAddress = flushQueueSizeBytes(capacity);
    const stagingAddress = Math.ceil((this.#ringAddress + this.#ringSizeBytes) / directBlockBytes) * directBlockBytes;
    const buffer = new SharedArrayBuffer(stagingAddress + stagingBytes);
    this.#bytes = new Uint8Array(buffer);
    this.files.takesDirect = true;
    this.queue = new FlushQueue(buffer, 0, capacity);
    this.round = new FlushRound({
      queue: this.queue,
      bytes: this.#bytes,
      ringAddress: this.#ringAddress,
      ringSizeBytes: this.#ringSizeBytes,
      fileSystem: this.files,
      direct: {
        way: new WayOfWriting(mode, () => 0, directFromBytes),
        staging: {
          bytes: this.#bytes,
          address: stagingAddress,
          sizeBytes: stagingBytes,
          copy: (target, source, sizeBytes) => this.#bytes.copyWithin(target, source, source + sizeBytes),
        },
      },
      ...(maxOpenFiles === undefined ? {} : { maxOpenFiles }),
    });
  }

  /** One whose groups of at least so many bytes go past the page cache. */
  static direct(fromBytes: number): RoundHarness {
    return new RoundHarness(64, undefined, fromBytes);
  }

  submit(fields: Partial<Submission>): void {
    this.queue.push({ ...blankSubmission(), ...fields }, 0);
    this.queue.publish(1);
  }

  /** `tail` is what follows the topic's id. */
  open(fields: Partial<Submission> = {}, at = directory, tail = ''): void {
    const path = new TextEncoder().encode(`${at}\n${topicId}${tail}`);
    this.submit({
      kind: SubmissionKind.OPEN,
      flags: SubmissionFlag.CREATE,
      ...fields,
      ...this.#place(path),
    });
  }

  /** A WRITE of `text` with one offset a character. */
  write(text: string, offset: number, filePosition: number, fields: Partial<Submission> = {}): void {
    this.submit({
      kind: SubmissionKind.WRITE,
      baseOffset: offset,
      endOffset: offset + text.length,
      filePosition,
      ...fields,
      ...this.#place(new TextEncoder().encode(text)),
    });
  }

  /** Takes, writes and publishes once, without syncing. */
  step(): void {
    this.round.take();
    this.round.write();
    this.round.publish();
  }

  /** Runs rounds and syncs until nothing is left to do. */
  async settle(): Promise<void> {
    while (!this.round.idle) {
      this.step();
      this.round.startSync();
      await this.round.syncUnderWay;
    }
  }

  completions(): Completion[] {
    const count = this.queue.waitingCompletions;
    const all = Array.from({ length: count }, (_, i) => {
      const completion = blankCompletion();
      this.queue.readCompletion(i, completion);
      return completion;
    });
    this.queue.releaseCompletions(count);
    return all;
  }

  textOf(path: string): string | null {
    const content = this.files.contents.get(path);
    return content === undefined ? null : Buffer.from(content).toString();
  }

  #place(bytes: Uint8Array): { ringPosition: number; sizeBytes: number } {
    const ringPosition = this.#ringHead;
    this.#bytes.set(bytes, this.#ringAddress + ringPosition);
    this.#ringHead += bytes.length;
    return { ringPosition, sizeBytes: bytes.length };
  }
}
