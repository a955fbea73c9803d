/**
 * A run of the fuzzer against a real broker in a process of its own: conversations side by side, a bystander beside
 * them, and at the end what must hold: the process lives, its log tells of no defect, its memory is bounded, the
 * bystander has all that it was promised.
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { present } from '../../src/base/assert.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { apiVersionsApi, defaultApiVersionsRequest } from '../../src/protocol/generated/index.ts';
import { ProgramProcess } from '../program/program-process.ts';
import { WireClient } from '../program/wire-client.ts';
import { Bystander } from './bystander.ts';
import { converse, type ConversationKind, type Surroundings } from './conversation.ts';
import { RequestGenerator } from './request-generator.ts';
import { knownApis } from './schemas.ts';
import { World } from './world.ts';

export interface FuzzOptions {
  readonly seed: number;
  /** Ends the run once so many conversations were had, or */
  readonly conversations?: number;
  /** so much time has passed. */
  readonly seconds?: number;
  readonly progress?: (so: FuzzProgress) => void;
}

export interface FuzzProgress {
  readonly conversations: number;
  readonly requests: number;
  readonly answers: number;
  readonly problems: number;
  readonly residentBytes: number;
}

export interface FuzzResult extends FuzzProgress {
  readonly byKind: ReadonlyMap<ConversationKind, number>;
  readonly sentences: readonly string[];
  readonly largestResidentBytes: number;
  readonly bystanderRecords: number;
  readonly bystanderSlowestMs: number;
}

const sideBySide = 6;
const enoughProblems = 20;
/** Idle it is below 100 MB; the rest is the ring, the pools of buffers, and garbage not collected yet. */
export const residentBoundBytes = 600 * 1024 * 1024;
const settings = [
  'group.initial.rebalance.delay.ms=0',
  'group.min.session.timeout.ms=1',
  'auto.create.topics.enable=false',
];

/** The memory that a process has in use, in bytes; 0 where the system does not tell. */
export function residentBytesOf(pid: number): number {
  try {
    const match = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return match === null ? 0 : Number(match[1]) * 1024;
  } catch {
    return 0;
  }
}

/** Lines of a broker's log that tell of a defect. */
export function defectsIn(log: readonly Record<string, unknown>[]): string[] {
  return log
    .filter((line) => line['level'] === 'error' || /defect|assert/i.test(JSON.stringify(line)))
    .map((line) => `the log says: ${JSON.stringify(line).slice(0, 1500)}`);
}

export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const data = mkdtempSync(join(tmpdir(), 'millrace-fuzz-'));
  const args = settings.flatMap((setting) => ['--set', setting]);
  const program = await ProgramProcess.serving(join(data, 'data'), args);
  try {
    return await new FuzzRun(options, program).run();
  } finally {
    if (program.alive) await program.stop('SIGKILL');
    rmSync(data, { recursive: true, force: true });
  }
}

class FuzzRun {
  readonly #options: FuzzOptions;
  readonly #program: ProgramProcess;
  readonly #random: SeededRandom;
  readonly #sentences: string[] = [];
  readonly #byKind = new Map<ConversationKind, number>();
  #conversations = 0;
  #requests = 0;
  #answers = 0;
  #largestResidentBytes = 0;

  constructor(options: FuzzOptions, program: ProgramProcess) {
    this.#options = options;
    this.#program = program;
    this.#random = new SeededRandom(options.seed);
  }

  async run(): Promise<FuzzResult> {
    const program = this.#program;
    const ports = { kafkaPort: program.kafkaPort, httpPort: program.httpPort };
    const bystander = await Bystander.start(ports.kafkaPort);
    const client = await WireClient.connect(ports.kafkaPort);
    await client.createTopics([
      { name: 'fuzz-one', numPartitions: 1 },
      { name: 'fuzz-many', numPartitions: 8 },
      { name: 'fuzz-compacted', numPartitions: 2 },
    ]);
    const world = new World([bystander.topicId]);
    const { apiKeys } = await client.request(apiVersionsApi, 3, {
      ...defaultApiVersionsRequest(),
      clientSoftwareName: 'fuzz',
      clientSoftwareVersion: '1',
    });
    client.socket.destroy();
    const keys = new Set(apiKeys.map(({ apiKey }) => apiKey));
    const shared = {
      world,
      ports,
      served: knownApis.filter(({ schema }) => keys.has(schema.key)),
      unserved: knownApis.filter(({ schema }) => !keys.has(schema.key)),
    };
    const deadlineMs = performance.now() + (this.#options.seconds ?? Infinity) * 1000;
    const mayGoOn = (): boolean =>
      program.alive &&
      this.#sentences.length < enoughProblems &&
      performance.now() < deadlineMs &&
      this.#conversations < (this.#options.conversations ?? Infinity);
    await Promise.all(
      Array.from({ length: sideBySide }, async () => {
        while (mayGoOn()) await this.#converse(shared);
      }),
    );
    await this.#judge(bystander);
    return this.#result(bystander);
  }

  async #converse(shared: Omit<Surroundings, 'random' | 'generator'>): Promise<void> {
    this.#conversations++;
    // Each draws from its own numbers, whatever the others do at the same time.
    const random = new SeededRandom(this.#random.nextUint32());
    const generator = new RequestGenerator(random, shared.world);
    try {
      const { kind, requests, answers, problems } = await converse({ ...shared, random, generator });
      this.#byKind.set(kind, (this.#byKind.get(kind) ?? 0) + 1);
      this.#requests += requests;
      this.#answers += answers;
      this.#sentences.push(...problems);
    } catch (error) {
      this.#sentences.push(
        `a conversation failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
      );
    }
    this.#measure();
    this.#options.progress?.(this.#progress());
  }

  #measure(): number {
    const residentBytes = residentBytesOf(present(this.#program.child.pid, 'the broker runs'));
    this.#largestResidentBytes = Math.max(this.#largestResidentBytes, residentBytes);
    return residentBytes;
  }

  async #judge(bystander: Bystander): Promise<void> {
    const program = this.#program;
    if (program.alive) {
      await bystander.finish();
      const ended = await program.stop();
      if (ended.code !== 0) this.#sentences.push(`the broker ended with ${JSON.stringify(ended)} when it was to stop`);
    } else {
      const ended = await program.ended;
      this.#sentences.push(`the broker ended by itself: ${JSON.stringify(ended)} ${program.stderr.slice(-3000)}`);
    }
    this.#sentences.push(
      ...bystander.problems.map((problem) => `the bystander: ${problem}`),
      ...defectsIn(program.log),
    );
    const plain = program.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('{'));
    if (plain.length > 0) this.#sentences.push(`the broker printed: ${plain.join('\n').slice(0, 2000)}`);
    if (this.#largestResidentBytes > residentBoundBytes) {
      this.#sentences.push(`the broker took ${this.#largestResidentBytes} bytes of memory`);
    }
  }

  #progress(): FuzzProgress {
    return {
      conversations: this.#conversations,
      requests: this.#requests,
      answers: this.#answers,
      problems: this.#sentences.length,
      residentBytes: this.#largestResidentBytes,
    };
  }

  #result(bystander: Bystander): FuzzResult {
    return {
      ...this.#progress(),
      byKind: this.#byKind,
      sentences: this.#sentences,
      largestResidentBytes: this.#largestResidentBytes,
      bystanderRecords: bystander.promisedCount,
      bystanderSlowestMs: bystander.slowestMs,
    };
  }
}
