/** All readers of a broker, and the feeds that they share, one for each partition that is read. I/O thread. */

import { PlacedList } from '../base/placed-list.ts';
import type { Broker } from '../broker/broker.ts';
import type { PartitionLog } from '../storage/partition-log.ts';
import { Turns } from '../storage/turns.ts';
import { BlockCache } from './block-cache.ts';
import { PartitionFeed } from './partition-feed.ts';
import { RecordReader, type ReaderListener, type ReaderOptions, type ReaderOwner } from './record-reader.ts';

/** Reads of files at once; each has a buffer. */
const fileReadsAtOnce = 64;

export interface FeedsOptions {
  /** What is kept of what was read last, for others who read it; default 64 MiB. */
  readonly cacheBytes?: number;
}

export class RecordFeeds implements ReaderOwner {
  readonly broker: Broker;
  readonly #feeds = new Map<PartitionLog, PartitionFeed>();
  readonly #readers = new PlacedList<RecordReader>();
  readonly #cache: BlockCache;
  readonly #turns = new Turns(fileReadsAtOnce);
  readonly #stopListening: () => void;

  constructor(broker: Broker, options: FeedsOptions = {}) {
    this.broker = broker;
    this.#cache = new BlockCache(options.cacheBytes);
    this.#stopListening = broker.topics.onDeleted(({ id }) => {
      for (const reader of [...this.#readers]) reader.topicDeleted(id);
    });
  }

  /** A reader of nothing yet: `add` partitions and `grant` credit. Close it when whoever reads is gone. */
  openReader(listener: ReaderListener, options: ReaderOptions = {}): RecordReader {
    const reader = new RecordReader(this, listener, options);
    this.#readers.add(reader);
    return reader;
  }

  /** Ends all readers. */
  close(): void {
    for (const reader of [...this.#readers]) reader.end();
    this.#stopListening();
  }

  /** As `ReaderOwner`. */
  feedOf(log: PartitionLog): PartitionFeed {
    const known = this.#feeds.get(log);
    if (known !== undefined) return known;
    const { store, logger } = this.broker;
    const feed = new PartitionFeed(log, {
      inflate: (bytes, at, sizeBytes) => store.inflate(bytes, at, sizeBytes),
      logger,
      turns: this.#turns,
      cache: this.#cache,
      unused: () => void this.#feeds.delete(log),
    });
    this.#feeds.set(log, feed);
    return feed;
  }

  closed(reader: RecordReader): void {
    this.#readers.delete(reader);
  }
}
