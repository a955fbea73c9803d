/** What the doors share to reach one broker's logs without Kafka's protocol: a publisher, and feeds for readers. I/O thread. */

import type { Broker } from '../broker/broker.ts';
import { Caller } from './caller.ts';
import { GroupMember, type MemberListener, type MemberOptions } from './group-member.ts';
import type { NamedProducer, ResumedProducer, ResumeOptions } from './named-producers.ts';
import { RecordFeeds } from './record-feeds.ts';
import { RecordPublisher } from './record-publisher.ts';

export interface GatewayOptions {
  /** As for `RecordFeeds`. */
  readonly cacheBytes?: number;
}

export class Gateway {
  readonly broker: Broker;
  readonly publisher: RecordPublisher;
  readonly feeds: RecordFeeds;
  readonly #members = new Set<GroupMember>();

  constructor(broker: Broker, options: GatewayOptions = {}) {
    this.broker = broker;
    this.publisher = new RecordPublisher(broker);
    this.feeds = new RecordFeeds(broker, options);
  }

  /** Whoever is behind a door, with what it calls itself and where it is. */
  caller(clientId: string, clientHost: string): Caller {
    return new Caller(this.broker, clientId, clientHost);
  }

  /** A member of a consumer group; `start` it, and have it `leave` when its consumer is gone. */
  member(listener: MemberListener, options: MemberOptions): GroupMember {
    const member = new GroupMember(this.broker, listener, options, () => this.#members.delete(member));
    this.#members.add(member);
    return member;
  }

  /** Tells a named producer where it goes on in a topic; see `named-producers.ts`. Never rejects. */
  resume(producer: NamedProducer, topic: string, options: ResumeOptions = {}): Promise<ResumedProducer> {
    return this.publisher.resume(producer, topic, options);
  }

  /** Ends all readers, and hands to the logs what was handed in; before the broker closes. */
  close(): void {
    for (const member of this.#members) void member.leave();
    this.feeds.close();
    this.publisher.close();
  }
}
