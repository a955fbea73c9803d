/**
 * The settings of a share group that decide over its records, as they hold at the moment. I/O thread.
 */

import type { IsolationLevel } from '../../storage/partition-log.ts';
import type { Broker } from '../broker.ts';
import { effectiveGroupValue, groupNumber } from '../group-config.ts';
import { hasDeadLetters } from './share-version.ts';

export class ShareSettings {
  readonly #broker: Broker;

  constructor(broker: Broker) {
    this.#broker = broker;
  }

  /** How long a member may have a record, in milliseconds. */
  lockDurationMs(groupId: string): number {
    return this.#number(groupId, 'share.record.lock.duration.ms');
  }

  /** How often a record is given out. */
  deliveryLimit(groupId: string): number {
    return this.#number(groupId, 'share.delivery.count.limit');
  }

  /** How many records of a partition may be between the first that is not done and the last that was given out. */
  maxLocks(groupId: string): number {
    return this.#number(groupId, 'share.partition.max.record.locks');
  }

  mayRenew(groupId: string): boolean {
    return this.#text(groupId, 'share.renew.acknowledge.enable') === 'true';
  }

  isolation(groupId: string): IsolationLevel {
    return this.#text(groupId, 'share.isolation.level') === 'read_committed' ? 'read_committed' : 'read_uncommitted';
  }

  /** `earliest`, `latest` or `by_duration:PnDTnHnMn.nS`. */
  offsetReset(groupId: string): string {
    return this.#text(groupId, 'share.auto.offset.reset');
  }

  /** The topic that takes what the group gives up; null where there is none. */
  deadLetterTopic(groupId: string): string | null {
    const topic = this.#text(groupId, 'errors.deadletterqueue.topic.name');
    return topic === '' || !hasDeadLetters(this.#broker) ? null : topic;
  }

  /** Whether what is set aside is copied with its key and value. */
  copiesDeadLetters(groupId: string): boolean {
    return this.#text(groupId, 'errors.deadletterqueue.copy.record.enable') === 'true';
  }

  /** What the names of topics for dead letters begin with. */
  get deadLetterPrefix(): string {
    return this.#broker.config.text('errors.deadletterqueue.topic.name.prefix') ?? '';
  }

  /** Whether a topic for dead letters that is missing is created. */
  get createsDeadLetterTopics(): boolean {
    return this.#broker.config.text('errors.deadletterqueue.auto.create.topics.enable') === 'true';
  }

  #number(groupId: string, name: string): number {
    return groupNumber(name, this.#own(groupId), this.#broker.config);
  }

  #text(groupId: string, name: string): string {
    return effectiveGroupValue(name, this.#own(groupId), this.#broker.config);
  }

  #own(groupId: string): ReadonlyMap<string, string> {
    return this.#broker.topics.image.groupConfigs.of(groupId);
  }
}

const duration = /^by_duration:P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i;
const dayMs = 86_400_000;
const hourMs = 3_600_000;
const minuteMs = 60_000;

/** How far back a group begins whose setting is `by_duration:…`, in milliseconds; null for the other values. */
export function resetDurationMs(reset: string): number | null {
  const match = duration.exec(reset);
  if (match === null) return null;
  const [days, hours, minutes, seconds] = match.slice(1).map((part) => Number(part ?? 0));
  return days! * dayMs + hours! * hourMs + minutes! * minuteMs + seconds! * 1000;
}
