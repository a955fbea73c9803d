/** One running server for several measurements: its topics, the warm-up, and what must not be left from one to the next. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { KafkaAdmin } from '../load/kafka-admin.ts';
import { runLoad } from '../load/load-client.ts';
import { checkRecords } from '../load/measured-load.ts';
import { settleMachine } from '../load/page-cache.ts';
import { sumOf } from '../load/process-usage.ts';
import { ServerUnderTest, type ServerKind } from '../load/server-under-test.ts';
import { untilLed } from '../load/led-topic.ts';
import { Missing } from './cache.ts';
import { type Bench, type Clients, type PeerSizes, scaledCount } from './peer-case.ts';
import { rdkafkaConsume, rdkafkaProduce } from './rdkafka-client.ts';

const warmUpRecords = 400_000;
const warmUpRecordBytes = 1024;
const warmUpConnections = 20;
/** Warmed up is who needed, in so many passes in a row, hardly less of the processor than in the best one before. */
const passesWithoutGain = 2;
const gain = 0.05;
const warmUpPassesAtMost = 15;
/** Of what is done before a measurement, in the same way, and not counted. */
const rehearsedShare = 0.3;
const slowestRemovalMs = 180_000;
const pollMs = 50;

function available(client: () => string): string | null {
  try {
    return client();
  } catch (error) {
    if (error instanceof Missing) return null;
    throw error;
  }
}

export interface BenchOptions {
  readonly isRival: boolean;
  readonly isWarm: boolean;
  readonly sizes: PeerSizes;
  readonly clients: Clients;
  readonly dataParent: string;
}

export class PeerBench implements Bench, AsyncDisposable {
  readonly server: ServerUnderTest;
  readonly clients: Clients;
  readonly #wholeSizes: PeerSizes;
  #sizes: PeerSizes;
  readonly #admin: KafkaAdmin | null;
  /** Topics take settings of the rival only where this is the rival. */
  readonly #isRival: boolean;
  readonly #filled = new Map<string, string>();
  /** Deleted, and perhaps not removed from the disk yet. */
  readonly #dropped = new Set<string>();
  /** What the logs of topics have to hold, of those that were written since it was looked at last. */
  readonly #written = new Map<string, { readonly partitionCount: number; records: number; isChecked: boolean }>();
  #topics = 0;

  private constructor(
    server: ServerUnderTest,
    admin: KafkaAdmin | null,
    isRival: boolean,
    sizes: PeerSizes,
    clients: Clients,
  ) {
    this.server = server;
    this.#admin = admin;
    this.#isRival = isRival;
    this.#wholeSizes = sizes;
    this.#sizes = sizes;
    this.clients = clients;
  }

  /** Starts a server on an empty directory below `parent`; with `isWarm` it has done every kind of work for some seconds. */
  static async start(
    kind: ServerKind,
    { isRival, isWarm, sizes, clients, dataParent }: BenchOptions,
  ): Promise<PeerBench> {
    const server = await ServerUnderTest.start(kind, dataParent);
    const admin = server.doors.kafka === undefined ? null : await KafkaAdmin.connect(server.doors);
    const bench = new PeerBench(server, admin, isRival, sizes, clients);
    if (isWarm && admin !== null) await bench.#warmUp();
    return bench;
  }

  get sizes(): PeerSizes {
    return this.#sizes;
  }

  get wholeSizes(): PeerSizes {
    return this.#wholeSizes;
  }

  get admin(): KafkaAdmin {
    if (this.#admin === null) throw new Error(`${this.server.kind.name} does not speak Kafka's protocol`);
    return this.#admin;
  }

  readonly newTopic: Bench['newTopic'] = async (partitionCount, kafkaConfigs = {}) => {
    const topic = `bench-${this.#topics++}`;
    await this.admin.createTopic(topic, partitionCount, this.#isRival ? kafkaConfigs : {});
    await untilLed(this.admin, topic, partitionCount);
    this.#written.set(topic, { partitionCount, records: 0, isChecked: true });
    return topic;
  };

  readonly acknowledged: Bench['acknowledged'] = (topic, records) => {
    const written = this.#written.get(topic)!;
    written.records += records;
    written.isChecked = false;
  };

  /** Throws where a log that was written since the last look holds fewer or more records than were acknowledged. */
  async checkAcknowledged(): Promise<void> {
    for (const [topic, written] of this.#written) {
      if (written.isChecked) continue;
      await checkRecords(this.admin, { topic, partitionCount: written.partitionCount }, written.records);
      written.isChecked = true;
    }
  }

  readonly filledTopic: Bench['filledTopic'] = async (name, fill) => {
    const known = this.#filled.get(name);
    if (known !== undefined) return known;
    const topic = await this.newTopic(1);
    await fill(topic);
    this.#filled.set(name, topic);
    settleMachine();
    return topic;
  };

  /** Deletes what was made and not filled to stay. The server goes on removing it; see `settle`. */
  async dropTopics(): Promise<void> {
    const staying = new Set(this.#filled.values());
    const topics = [...this.#written.keys()].filter((topic) => !staying.has(topic));
    if (topics.length === 0) return;
    await this.admin.deleteTopics(topics);
    for (const topic of topics) {
      this.#written.delete(topic);
      this.#dropped.add(topic);
    }
  }

  /** Waits until what was deleted is gone from the disk. */
  async settle(): Promise<void> {
    const endMs = performance.now() + slowestRemovalMs;
    while (this.#dropped.size > 0) {
      const left = this.#droppedOnDisk();
      for (const topic of this.#dropped) if (!left.has(topic)) this.#dropped.delete(topic);
      if (left.size === 0) break;
      if (performance.now() > endMs)
        throw new Error(`${this.server.kind.name} still has files of ${[...left].join(', ')}`);
      await setTimeout(pollMs);
    }
  }

  /** Both servers keep partitions side by side in one folder, each named after its topic, also where it is to be removed. */
  #droppedOnDisk(): Set<string> {
    const names = readdirSync(join(this.server.directory, 'data'));
    const topics = names.map((name) => /^(bench-\d+)-\d+/.exec(name)?.[1] ?? '');
    return new Set(topics.filter((topic) => this.#dropped.has(topic)));
  }

  /** A JVM compiles what is done often, and a measurement before it has would be one of its compiler. */
  async #warmUp(): Promise<void> {
    let least = Infinity;
    let without = 0;
    for (let pass = 0; pass < (this.sizes.isQuick ? 1 : warmUpPassesAtMost) && without < passesWithoutGain; pass++) {
      const cpuSeconds = await this.#warmUpPass();
      without = cpuSeconds < (1 - gain) * least ? 0 : without + 1;
      least = Math.min(least, cpuSeconds);
    }
  }

  /** Does what `measure` measures, in small: the warm-up knows neither its sizes nor its requests. */
  async rehearse(measure: (bench: PeerBench) => Promise<unknown>): Promise<void> {
    const sizes = this.sizes;
    this.#sizes = { ...sizes, share: sizes.share * rehearsedShare, loadMs: sizes.loadMs * rehearsedShare };
    try {
      await measure(this);
    } finally {
      this.#sizes = sizes;
    }
  }

  /** Every kind of work once. Returns what the server used of the processor for writing and reading in bulk, or for all where that is left out. */
  async #warmUpPass(): Promise<number> {
    const { clients, server, sizes } = this;
    const load = { records: scaledCount(warmUpRecords, sizes), recordBytes: warmUpRecordBytes };
    const topic = await this.newTopic(1);
    const rdkafka = available(clients.rdkafka);
    const startedSeconds = sumOf(server.cpuTime);
    if (rdkafka !== null) {
      await rdkafkaProduce(rdkafka, server, { ...load, topic, acks: 1 });
      await rdkafkaConsume(rdkafka, server, { ...load, topic });
    }
    const bulkSeconds = sumOf(server.cpuTime) - startedSeconds;
    const { requests } = await runLoad({
      kind: 'produce',
      doors: server.doors,
      transport: 'tcp',
      topic,
      partitionCount: 1,
      partitionsPerRequest: 1,
      acks: -1,
      batch: { recordBytes: warmUpRecordBytes, batchBytes: 0, compression: 'none' },
      connections: warmUpConnections,
      inFlight: 4,
      idempotent: false,
      requestsPerSecond: null,
      requests: 1e9,
      durationMs: sizes.loadMs / 3,
    });
    const requestSeconds = sumOf(server.cpuTime) - startedSeconds - bulkSeconds;
    // What is gone before the kernel has written it costs no time of the disk.
    await this.dropTopics();
    return rdkafka === null ? requestSeconds / requests : bulkSeconds;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#admin?.close();
    await this.server.discard();
  }
}
