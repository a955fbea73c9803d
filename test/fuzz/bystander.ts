/**
 * A client that does nothing wrong while others do: it writes numbered records with acks=all, reads them back, and
 * remembers what it was promised and how long each request took.
 */

import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { present } from '../../src/base/assert.ts';
import { zeroUuid, type Uuid } from '../../src/base/uuid.ts';
import { defaultMetadataRequest, metadataApi } from '../../src/protocol/generated/index.ts';
import { RecordReader } from '../../src/records/record-reader.ts';
import { batchSizeAt } from '../../src/records/record-batch.ts';
import { WireClient } from '../program/wire-client.ts';

const pauseMs = 5;

export class Bystander {
  readonly topic = `bystander-${randomBytes(8).toString('hex')}`;
  readonly problems: string[] = [];
  /** What each request took, in milliseconds. */
  readonly latenciesMs: number[] = [];
  readonly #client: WireClient;
  readonly #promised = new Map<number, string>();
  readonly #value: (number: number) => string;
  #topicId: Uuid = zeroUuid;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  private constructor(client: WireClient, valueBytes: number) {
    this.#client = client;
    this.#value = (number) => `${number} ${'.'.repeat(valueBytes)}`;
  }

  /** `valueBytes`: how large each record is. */
  static async start(kafkaPort: number, valueBytes = 100): Promise<Bystander> {
    const bystander = new Bystander(await WireClient.connect(kafkaPort), valueBytes);
    await bystander.#client.createTopic(bystander.topic);
    const { topics } = await bystander.#client.request(metadataApi, 12, {
      ...defaultMetadataRequest(),
      topics: [{ name: bystander.topic, topicId: zeroUuid }],
    });
    bystander.#topicId = present(topics[0], 'the topic is there').topicId;
    bystander.#running = bystander.#run();
    return bystander;
  }

  get topicId(): Uuid {
    return this.#topicId;
  }

  get promisedCount(): number {
    return this.#promised.size;
  }

  get slowestMs(): number {
    return this.latenciesMs.reduce((slowest, ms) => Math.max(slowest, ms), 0);
  }

  /** Stops writing and reads all that was promised once more. What is wrong stands in `problems`. */
  async finish(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    if (this.problems.length > 0) return;
    let offset = 0;
    const read = new Map<number, string>();
    while (offset < this.#promised.size) {
      const bytes = await this.#client.fetch(this.topic, offset);
      const before = offset;
      for (let at = 0, size = 0; (size = batchSizeAt(bytes, at, bytes.length)) > 0; at += size) {
        const reader = new RecordReader(bytes, at, at + size);
        while (reader.next()) {
          read.set(reader.offset, Buffer.from(reader.value ?? []).toString());
          offset = reader.offset + 1;
        }
      }
      if (offset === before) break;
    }
    for (const [promised, value] of this.#promised) {
      if (read.get(promised) !== value)
        this.problems.push(`offset ${promised} was acknowledged and does not read back`);
    }
    this.#client.socket.destroy();
  }

  async #run(): Promise<void> {
    for (let number = 0; !this.#stopped; number++) {
      try {
        const value = this.#value(number);
        const offset = await this.#timed(() => this.#client.produce(this.topic, value));
        if (this.#promised.has(offset)) this.problems.push(`offset ${offset} was given twice`);
        this.#promised.set(offset, value);
        const bytes = await this.#timed(() => this.#client.fetch(this.topic, offset));
        if (!bytes.includes(value)) this.problems.push(`offset ${offset} does not read back at once`);
      } catch (error) {
        this.problems.push(String(error));
        return;
      }
      await setTimeout(pauseMs);
    }
  }

  async #timed<T>(request: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    const result = await request();
    this.latenciesMs.push(performance.now() - startedMs);
    return result;
  }
}
