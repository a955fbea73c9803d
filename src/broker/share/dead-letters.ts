/**
 * Sets records aside that a share group gives up (KIP-1191): a record for each in the group's topic for such, which says
 * where it was and why. I/O thread.
 *
 *   archiving, stored ─► topic found or made ─► records written, synced ─► archived, stored
 *
 * A crash between the last two steps has them written again. What cannot be written is archived all the same, as in
 * Kafka, and the log says so: a group without a usable topic goes on.
 */

import { ErrorCode, errorName } from '../../base/error-code.ts';
import { asOffset } from '../../base/numbers.ts';
import { BatchBuilder, type RecordToWrite } from '../../records/batch-builder.ts';
import { crc32c } from '../../records/crc32c.ts';
import {
  attributesAt,
  batchHeaderSizeBytes,
  batchSizeAt,
  compressionOf,
  lastOffsetAt,
} from '../../records/record-batch.ts';
import { RecordReader } from '../../records/record-reader.ts';
import { MalformedRecordsError } from '../../records/varint.ts';
import type { PartitionLog } from '../../storage/partition-log.ts';
import type { Broker } from '../broker.ts';
import type { TopicImage } from '../metadata-image.ts';
import { effectiveTopicValue } from '../topic-config.ts';
import { isInternalTopic, isStateLogTopic } from '../topic-name.ts';
import type { GivenUp } from './acknowledging.ts';
import type { RunningSharePartition } from './running-share-partition.ts';
import type { ShareSettings } from './share-settings.ts';

const enableSetting = 'errors.deadletterqueue.group.enable';
/** The sentences are Kafka's: programs may look at them. */
const causes = {
  rejected: 'Offset rejected by client.',
  'delivered too often': 'Offset delivery count exceeded the threshold.',
} as const;
/** A record is read to be copied at most so many bytes at once, a batch that is larger as a whole. */
const readBytes = 1024 * 1024;
/** So many records are copied before they are written: a batch of a megabyte may be millions. */
const maxCopies = 50_000;
const utf8 = new TextEncoder();

export class DeadLetters {
  readonly #broker: Broker;
  readonly #settings: ShareSettings;

  constructor(broker: Broker, settings: ShareSettings) {
    this.#broker = broker;
    this.#settings = settings;
  }

  /** Sets the records aside, one range after the other, and tells their partition. */
  async take(partition: RunningSharePartition, givenUp: readonly GivenUp[]): Promise<void> {
    for (const range of givenUp) {
      if (!partition.isOpen) return;
      const problem = await this.#write(partition, range);
      if (problem !== null) {
        const { groupId: group, topic, place } = partition;
        const { firstOffset, lastOffset } = range;
        const where = { group, topic: topic.name, partition: place.partition, firstOffset, lastOffset };
        this.#broker.logger.error({ ...where, problem }, 'Records that a share group gave up could not be set aside.');
      }
      await partition.setAside(range.firstOffset, range.lastOffset);
    }
  }

  /** Writes the records; null once they are synced, or why they are not. */
  async #write(partition: RunningSharePartition, range: GivenUp): Promise<string | null> {
    const topic = await this.#topicOf(partition.groupId);
    if (typeof topic === 'string') return topic;
    const index = partition.place.partition % topic.partitionCount;
    const found = this.#broker.findPartition(topic, index);
    if (found === null) return `Topic ${topic.name} is gone.`;
    const copies = this.#settings.copiesDeadLetters(partition.groupId);
    let builder = new BatchBuilder(crc32c);
    const maxBytes = found.log.config.maxMessageBytes;
    for (let offset = range.firstOffset; offset <= range.lastOffset;) {
      const source = copies ? await this.#read(partition.log, offset, range.lastOffset) : noSource(range.lastOffset);
      for (; offset <= source.lastOffset; offset++) {
        const letter = letterOf(partition, range, offset, source.records.get(offset), this.#broker.clock.nowMs());
        if (builder.recordCount > 0 && builder.sizeBytes + boundBytes(letter) > maxBytes) {
          const problem = await this.#append(found.log, builder);
          if (problem !== null) return problem;
          builder = new BatchBuilder(crc32c);
        }
        builder.append(letter);
      }
    }
    return this.#append(found.log, builder);
  }

  #append(log: PartitionLog, builder: BatchBuilder): Promise<string | null> {
    const batch = builder.seal();
    const { store } = this.#broker;
    if (batch.length > store.maxRequestBytes) return Promise.resolve('A record is too large to be copied.');
    return new Promise((resolve) => {
      store.whenRoom(batch.length, () =>
        log.append(batch, { durability: 'synced', origin: 'client' }, ({ errorCode, errorMessage }) =>
          resolve(errorCode === ErrorCode.NONE ? null : (errorMessage ?? errorName(errorCode))),
        ),
      );
    });
  }

  /** The group's topic, created where that is wanted; or why it cannot be used. */
  async #topicOf(groupId: string): Promise<TopicImage | string> {
    const name = this.#settings.deadLetterTopic(groupId);
    if (name === null) return 'The group has no topic for dead letters any more.';
    if (name.startsWith('__') || isInternalTopic(name) || isStateLogTopic(name)) return `Topic ${name} is internal.`;
    if (!name.startsWith(this.#settings.deadLetterPrefix)) {
      return `The name of topic ${name} does not begin with ${this.#settings.deadLetterPrefix}.`;
    }
    const { topics, config } = this.#broker;
    const topic = topics.topic(name);
    if (topic !== null) {
      const isEnabled = effectiveTopicValue(enableSetting, topic.configs, (setting) => config.text(setting)) === 'true';
      return isEnabled ? topic : `Topic ${name} does not have ${enableSetting}=true.`;
    }
    if (!this.#settings.createsDeadLetterTopics) return `Topic ${name} does not exist.`;
    const configs = [[enableSetting, 'true']] as const;
    const created = await topics.create({ name, partitionCount: -1, replicationFactor: -1, configs });
    return topics.topic(name) ?? `Topic ${name} cannot be created: ${created.message ?? errorName(created.errorCode)}.`;
  }

  /** The records of the log from `offset` to at most `lastOffset`, those that are there. */
  async #read(log: PartitionLog, offset: number, lastOffset: number): Promise<Source> {
    const reading = log.read({
      offset: asOffset(offset),
      maxBytes: readBytes,
      minOneBatch: true,
      isolation: 'read_uncommitted',
    });
    const result = reading instanceof Promise ? await reading : reading;
    try {
      if (result.errorCode !== ErrorCode.NONE) return noSource(lastOffset);
      return this.#recordsIn(result.records, offset, lastOffset);
    } finally {
      result.release();
    }
  }

  /** Copies of the records in `bytes`, as many as may be at once; a batch that does not inflate has none. */
  #recordsIn(bytes: Uint8Array, offset: number, lastOffset: number): Source {
    const records = new Map<number, Copied>();
    let last = offset - 1;
    for (let at = 0, sizeBytes = 0; (sizeBytes = batchSizeAt(bytes, at, bytes.length)) > 0; at += sizeBytes) {
      if (last >= lastOffset) break;
      last = lastOffsetAt(bytes, at);
      const isCompressed = compressionOf(attributesAt(bytes, at)) !== 0;
      const body = isCompressed ? this.#broker.store.inflate(bytes, at, sizeBytes) : null;
      if (isCompressed && body === null) continue;
      try {
        const reader = new RecordReader(bytes, at, at + sizeBytes, body);
        while (reader.next()) {
          if (reader.offset < offset) continue;
          if (reader.offset > lastOffset) break;
          records.set(reader.offset, copyOf(reader));
          if (records.size === maxCopies) return { records, lastOffset: reader.offset };
        }
      } catch (error) {
        if (!(error instanceof MalformedRecordsError)) throw error;
      }
    }
    // Where nothing was read, nothing is there.
    return { records, lastOffset: last < offset ? lastOffset : Math.min(last, lastOffset) };
  }
}

type Copied = Pick<RecordToWrite, 'key' | 'value'> & { readonly headers: NonNullable<RecordToWrite['headers']> };

/** The records between two offsets, of which some may be missing. */
interface Source {
  readonly records: ReadonlyMap<number, Copied>;
  readonly lastOffset: number;
}

function noSource(lastOffset: number): Source {
  return { records: new Map(), lastOffset };
}

function copyOf(reader: RecordReader): Copied {
  const { key, value } = reader;
  return {
    key: key === null ? null : new Uint8Array(key),
    value: value === null ? null : new Uint8Array(value),
    headers: reader.headers().map((header) => ({
      key: header.key,
      value: header.value === null ? null : new Uint8Array(header.value),
    })),
  };
}

/** What says where the record was and why it is here; with the record itself where it is copied. */
function letterOf(
  { groupId, topic, place }: RunningSharePartition,
  { deliveryCount, cause }: GivenUp,
  offset: number,
  copied: Copied | undefined,
  nowMs: number,
): RecordToWrite {
  const said: readonly (readonly [string, string | number])[] = [
    ['topic', topic.name],
    ['partition', place.partition],
    ['offset', offset],
    ['group', groupId],
    ['delivery.count', deliveryCount],
    ['message', causes[cause]],
  ];
  const headers = said.map(([key, value]) => ({ key: `__dlq.errors.${key}`, value: utf8.encode(String(value)) }));
  return {
    key: copied?.key ?? null,
    value: copied?.value ?? null,
    timestampMs: nowMs,
    headers: [...(copied?.headers ?? []), ...headers],
  };
}

/** At most so many bytes the record takes in a batch. */
function boundBytes({ key, value, headers }: RecordToWrite): number {
  let sizeBytes = batchHeaderSizeBytes + (key?.length ?? 0) + (value?.length ?? 0);
  for (const header of headers ?? []) sizeBytes += 10 + 3 * header.key.length + (header.value?.length ?? 0);
  return sizeBytes;
}
