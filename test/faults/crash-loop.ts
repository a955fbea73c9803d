/**
 * The real program under load from a real client, killed with SIGKILL at random moments, started again, and judged by
 * the same checker as the simulation: kafkajs produces, idempotent and not, and goes on by itself when the broker is back.
 *
 *   start ─► load ─ ─ SIGKILL ─► start ─► scan all logs ─► load goes on … ─► all has an outcome ─► SIGKILL ─► start ─► scan ─► verdict
 *
 * A kill leaves the page cache, so what was answered to acks=1 must be there as well as what was to acks=all.
 */

import { Kafka, logLevel, Partitioners, type Producer } from 'kafkajs';
import { asOffset } from '../../src/base/numbers.ts';
import type { SeededRandom } from '../../src/base/random.ts';
import type { Program } from '../clients/program.ts';
import { WireClient } from '../program/wire-client.ts';
import { type Anomaly, findAnomalies, type HistoryEvent, type SeenRecord } from '../simulation/anomaly-checker.ts';
import { readRecords } from '../simulation/read-records.ts';

export interface CrashLoopOptions {
  readonly program: Program;
  readonly random: SeededRandom;
  readonly rounds: number;
  /** Called after each round, with how many are done. */
  readonly onRound?: (done: number) => void;
}

export interface CrashLoopResult {
  readonly anomalies: readonly Anomaly[];
  readonly sent: number;
  readonly acknowledged: number;
  readonly unknown: number;
  /** Records that the last scan found. */
  readonly found: number;
}

const topics = ['crash-0', 'crash-1', 'crash-2'];
const longestLifeMs = 700;

/** Runs the rounds. The program has been started. Rejects where it cannot be started again, or a client's defect ends. */
export async function crashLoop({ program, random, rounds, onRound }: CrashLoopOptions): Promise<CrashLoopResult> {
  const setUp = await WireClient.connect(portOf(program));
  await setUp.createTopics(topics.map((name) => ({ name, numPartitions: 1 })));
  setUp.socket.destroy();
  const history = new History();
  const producers = [
    new LoadProducer(program, history, { name: 'idempotent', acks: -1, idempotent: true }),
    new LoadProducer(program, history, { name: 'all', acks: -1, idempotent: false }),
    new LoadProducer(program, history, { name: 'written', acks: 1, idempotent: false }),
  ];
  const load = producers.map((producer) => producer.run());
  const failed = Promise.all(load).then(() => new Promise<never>(() => {}));
  for (let round = 1; round <= rounds; round++) {
    await Promise.race([failed, wait(random.below(longestLifeMs))]);
    await program.kill();
    history.add({ kind: 'kill' });
    await program.restart();
    await scan(program, history);
    onRound?.(round);
  }
  for (const producer of producers) producer.finish();
  await Promise.all(load);
  await program.kill();
  history.add({ kind: 'kill' });
  await program.restart();
  const found = await scan(program, history);
  return { anomalies: findAnomalies(history.events), ...counts(history.events), unknown: history.unknown, found };
}

function portOf(program: Program): number {
  return Number(program.kafka.split(':')[1]);
}

function wait(delayMs: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, delayMs);
  });
}

function counts(events: readonly HistoryEvent[]): { sent: number; acknowledged: number } {
  const count = (kind: HistoryEvent['kind']): number => events.filter((event) => event.kind === kind).length;
  return { sent: count('send'), acknowledged: count('acknowledged') };
}

/** Events in the order in which they were seen; answers that come while a scan is under way count as after it. */
class History {
  readonly events: HistoryEvent[] = [];
  unknown = 0;
  #held: HistoryEvent[] | null = null;

  add(event: HistoryEvent): void {
    if (this.#held !== null && event.kind === 'acknowledged') this.#held.push(event);
    else this.events.push(event);
  }

  hold(): void {
    this.#held = [];
  }

  release(): void {
    this.events.push(...(this.#held ?? []));
    this.#held = null;
  }
}

/** Reads all logs from their starts into the history; returns how many records there were. */
async function scan(program: Program, history: History): Promise<number> {
  history.hold();
  const client = await WireClient.connect(portOf(program));
  let found = 0;
  for (const log of topics) {
    const records: SeenRecord[] = [];
    for (;;) {
      const next = (records.at(-1)?.offset ?? -1) + 1;
      const read = readRecords(await client.fetch(log, next), asOffset(next));
      if (read.length === 0) break;
      records.push(...read);
    }
    history.add({ kind: 'scan', log, startOffset: 0, records });
    found += records.length;
  }
  client.socket.destroy();
  history.release();
  return found;
}

interface LoadOptions {
  readonly name: string;
  readonly acks: -1 | 1;
  readonly idempotent: boolean;
}

/** Sends batch after batch, each to one of the topics, and lets kafkajs try again until the broker is back. */
class LoadProducer {
  readonly #options: LoadOptions;
  readonly #history: History;
  readonly #kafka: Kafka;
  #count = 0;
  #finishing = false;

  constructor(program: Program, history: History, options: LoadOptions) {
    this.#options = options;
    this.#history = history;
    const retry = { retries: 100, initialRetryTime: 20, maxRetryTime: 100 };
    this.#kafka = new Kafka({ brokers: [program.kafka], logLevel: logLevel.NOTHING, retry, requestTimeout: 5000 });
  }

  /** Sends nothing new; `run` resolves once what was sent has an outcome. */
  finish(): void {
    this.#finishing = true;
  }

  async run(): Promise<void> {
    while (!this.#finishing) {
      const producer = this.#kafka.producer({
        createPartitioner: Partitioners.DefaultPartitioner,
        idempotent: this.#options.idempotent,
        maxInFlightRequests: 1,
      });
      try {
        await producer.connect();
        while (!this.#finishing) await this.#send(producer);
      } catch {
        // Whether the batch stands is not known. A new producer has a new id and sends it no more.
        this.#history.unknown++;
      }
      await producer.disconnect().catch(() => {});
    }
  }

  async #send(producer: Producer): Promise<void> {
    const { name, acks, idempotent } = this.#options;
    const log = topics[++this.#count % topics.length]!;
    const values = Array.from({ length: 1 + (this.#count % 20) }, (_, index) =>
      `${name}.${this.#count}.${index}`.padEnd((this.#count * 37) % 400, '~'),
    );
    const durability = acks === 1 ? 'written' : 'synced';
    for (const value of values) this.#history.add({ kind: 'send', log, value, durability, isIdempotent: idempotent });
    const messages = values.map((value) => ({ value, partition: 0 }));
    const [result] = await producer.send({ topic: log, acks, messages });
    const baseOffset = Number(result?.baseOffset ?? -1);
    if (baseOffset < 0) return;
    for (const [index, value] of values.entries()) {
      this.#history.add({ kind: 'acknowledged', log, value, offset: baseOffset + index });
    }
  }
}
