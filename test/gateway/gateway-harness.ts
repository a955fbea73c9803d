/**
 * A publisher and readers over a broker in memory, for tests of what stands between doors and logs. Turns of the event
 * loop are the real ones; time stands still unless the test moves `clock`.
 */

import { ErrorCode } from '../../src/base/error-code.ts';
import type { Broker } from '../../src/broker/broker.ts';
import type { RecordBlock } from '../../src/gateway/record-block.ts';
import { RecordFeeds } from '../../src/gateway/record-feeds.ts';
import { RecordPublisher, type PublisherOptions } from '../../src/gateway/record-publisher.ts';
import type { PublishListener } from '../../src/gateway/publish-stream.ts';
import type { ReaderListener } from '../../src/gateway/record-reader.ts';
import { BrokerHarness, type HarnessOptions } from '../broker/broker-harness.ts';

export interface GatewayHarness extends BrokerHarness {
  readonly publisher: RecordPublisher;
  readonly feeds: RecordFeeds;
}

export async function openGateway(
  options: HarnessOptions & { readonly publisher?: PublisherOptions } = {},
): Promise<GatewayHarness> {
  const harness = await BrokerHarness.open({ turns: 'real', ...options });
  const publisher = new RecordPublisher(harness.broker, options.publisher);
  return Object.assign(harness, { publisher, feeds: new RecordFeeds(harness.broker) });
}

/** What became of each record of a stream, by its ordinal: `topic-partition@offset` or an error's number. */
export class Outcomes implements PublishListener {
  readonly told: (string | ErrorCode)[] = [];
  readonly messages: string[] = [];
  endOrdinal = 0;
  resumes = 0;
  #waiters: { readonly count: number; readonly resolve: () => void }[] = [];

  stored(firstOrdinal: number, count: number, topic: string, partition: number, baseOffset: number): void {
    if (firstOrdinal !== this.told.length) throw new Error(`told of ${firstOrdinal} after ${this.told.length}`);
    for (let i = 0; i < count; i++) this.told.push(`${topic}-${partition}@${baseOffset + i}`);
  }

  failed(firstOrdinal: number, count: number, errorCode: ErrorCode, message: string): void {
    if (firstOrdinal !== this.told.length) throw new Error(`told of ${firstOrdinal} after ${this.told.length}`);
    for (let i = 0; i < count; i++) this.told.push(errorCode);
    this.messages.push(message);
  }

  settled(endOrdinal: number): void {
    this.endOrdinal = endOrdinal;
    this.#waiters = this.#waiters.filter(({ count, resolve }) => {
      if (endOrdinal >= count) resolve();
      return endOrdinal < count;
    });
  }

  resumed(): void {
    this.resumes++;
  }

  /** Resolves once of `count` records was told what became of them. */
  async all(count: number): Promise<(string | ErrorCode)[]> {
    if (this.endOrdinal < count) {
      await new Promise<void>((resolve) => this.#waiters.push({ count, resolve }));
    }
    return this.told;
  }
}

/** What a reader was told, as `topic-partition@offset=value`. */
export class Readings implements ReaderListener {
  readonly told: string[] = [];
  readonly blocks: RecordBlock[] = [];
  readonly failures: { readonly partition: string; readonly errorCode: ErrorCode; readonly message: string }[] = [];
  readonly ends: string[] = [];
  #waiters: { readonly done: () => boolean; readonly resolve: () => void }[] = [];

  records(block: RecordBlock, from: number, to: number): void {
    this.blocks.push(block);
    for (let i = from; i < to; i++) {
      const value = block.valueAt(i);
      const text = value === null ? 'null' : Buffer.from(value).toString();
      this.told.push(`${block.topic}-${block.partition}@${block.offsetAt(i)}=${text}`);
    }
    this.#check();
  }

  failed(topic: string, partition: number, errorCode: ErrorCode, message: string): void {
    this.failures.push({ partition: `${topic}-${partition}`, errorCode, message });
    this.#check();
  }

  atEnd(topic: string, partition: number, offset: number): void {
    this.ends.push(`${topic}-${partition}@${offset}`);
    this.#check();
  }

  async until(done: () => boolean): Promise<void> {
    if (!done()) await new Promise<void>((resolve) => this.#waiters.push({ done, resolve }));
  }

  async count(count: number): Promise<string[]> {
    await this.until(() => this.told.length >= count);
    return this.told;
  }

  #check(): void {
    this.#waiters = this.#waiters.filter(({ done, resolve }) => {
      if (!done()) return true;
      resolve();
      return false;
    });
  }
}

export const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

/** All values of a topic's partition, read through a reader of its own. */
export async function valuesOf(feeds: RecordFeeds, broker: Broker, topic: string, partition = 0): Promise<string[]> {
  const log = broker.findPartition(broker.topics.topic(topic), partition)!.log;
  const readings = new Readings();
  const reader = feeds.openReader(readings, { creditRecords: Infinity, creditBytes: Infinity });
  await reader.add(topic, partition, 'earliest');
  await readings.count(log.highWatermark - log.logStartOffset);
  reader.close();
  return readings.told.map((text) => text.slice(text.indexOf('=') + 1));
}
