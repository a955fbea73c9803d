/**
 * Who publishes or reads through a door but Kafka's: for whom the authorizer is asked, and whose quotas are charged. I/O
 * thread. It has the rights and limits that a Kafka client of the same principal, address and client id has (KIP-13):
 *
 *   publish   WRITE on the topic, and CREATE on it or the cluster where it comes into being so
 *   read      READ on the topic, and on the group where there is one
 *   list      DESCRIBE on the topic; what is not allowed is left out
 *
 * What it sent or was given is charged when it is done, with the time that the thread took for it (KIP-124), and whoever
 * is above its limit waits before what comes next: all of that client id together. A topic that comes into being because
 * it is named counts as created by who named it (KIP-599). Where nothing is forbidden and no quota set, nothing is looked at.
 */

import type { Clock } from '../base/clock.ts';
import { ErrorCode } from '../base/error-code.ts';
import { AclOperation, AclResource, allowAll, allowsOnCluster, allowsOnTopic } from '../broker/authorizer.ts';
import type { Broker } from '../broker/broker.ts';
import type { RateKey } from '../broker/quotas/client-quotas.ts';
import type { RequestContext } from '../broker/request-context.ts';
import { LocalConnection } from './local-connection.ts';
import type { Problem } from './topic-creation.ts';

/** What the doors count of Kafka's quotas. */
export type ByteRate = Extract<RateKey, 'producer_byte_rate' | 'consumer_byte_rate'>;

/** A timer takes no more. */
const longestHoldMs = 2 ** 31 - 1;
const verbs: ReadonlyMap<AclOperation, string> = new Map<AclOperation, string>([
  [AclOperation.READ, 'read'],
  [AclOperation.WRITE, 'write to'],
  [AclOperation.CREATE, 'create'],
  [AclOperation.DESCRIBE, 'see'],
]);

export class Caller {
  /** As quotas and groups have it. */
  readonly clientId: string;
  readonly clientHost: string;
  readonly #broker: Broker;
  /** Most are never asked for. */
  #context: RequestContext | null = null;
  /** Within `timed`. */
  #isTimed = false;

  constructor(broker: Broker, clientId: string, clientHost: string) {
    this.#broker = broker;
    this.clientId = clientId;
    this.clientHost = clientHost;
  }

  get clock(): Clock {
    return this.#broker.clock;
  }

  allows(operation: AclOperation, topic: string): boolean {
    const { authorizer } = this.#broker;
    return authorizer === allowAll || allowsOnTopic(authorizer, this.#asContext(), operation, topic);
  }

  /** Why the topic, which may be missing, is not to be used so; null where it is. */
  problemOf(operation: AclOperation, topic: string): Problem | null {
    return this.allows(operation, topic) ? null : this.#forbidden(operation, topic);
  }

  /** Why a topic is not created because it was named; null where it may be. */
  problemOfCreating(topic: string): Problem | null {
    const { authorizer } = this.#broker;
    if (this.allows(AclOperation.CREATE, topic)) return null;
    const allowed = allowsOnCluster(authorizer, this.#asContext(), AclOperation.CREATE);
    return allowed ? null : this.#forbidden(AclOperation.CREATE, topic);
  }

  /** Why it may not keep its place in the group; null where it may. */
  problemOfGroup(group: string): Problem | null {
    const { authorizer } = this.#broker;
    if (authorizer === allowAll) return null;
    if (authorizer.allows(this.#asContext(), AclOperation.READ, AclResource.GROUP, group)) return null;
    const message = `${this.#name} may not use the group ${group}.`;
    return { errorCode: ErrorCode.GROUP_AUTHORIZATION_FAILED, message };
  }

  /** Whether there are quotas at all. */
  get isCharged(): boolean {
    return this.#broker.quotas.isActive;
  }

  /** Counts what it sent or was given. */
  charge(rate: ByteRate, sizeBytes: number): void {
    const { quotas } = this.#broker;
    if (quotas.isActive && sizeBytes > 0) quotas.hold(rate, sizeBytes, this.#asContext());
  }

  /** Runs `step` for it, and counts the time that this takes; within another step that is counted already. */
  timed(step: () => void): void {
    const { quotas, clock } = this.#broker;
    if (!quotas.isActive || this.#isTimed) return step();
    this.#isTimed = true;
    const startMs = clock.monotonicMs();
    try {
      step();
    } finally {
      this.#isTimed = false;
      const usedPercent = ((clock.monotonicMs() - startMs) / 1000) * 100;
      quotas.hold('request_percentage', usedPercent, this.#asContext());
    }
  }

  /** Why a topic of so many partitions is not created for it now; null where it may be, and is counted. */
  problemOfMutating(partitionCount: number): Problem | null {
    const { quotas } = this.#broker;
    const waitMs = quotas.isActive ? quotas.mutate(partitionCount, true, this.#asContext()) : 0;
    if (waitMs === 0) return null;
    const message = `The client ${this.clientId} is above its quota (controller_mutation_rate); come again in ${Math.ceil(waitMs / 1000)} seconds.`;
    return { errorCode: ErrorCode.THROTTLING_QUOTA_EXCEEDED, message };
  }

  /** How long it has still to wait for what was charged, and for its time, in milliseconds; 0 where it need not. */
  heldMs(rate: ByteRate): number {
    const { quotas } = this.#broker;
    if (!quotas.isActive) return 0;
    const context = this.#asContext();
    const heldMs = Math.max(quotas.heldMs(rate, context), quotas.heldMs('request_percentage', context));
    return Math.min(Math.ceil(heldMs), longestHoldMs);
  }

  get #name(): string {
    const { type, name } = this.#asContext().connection.principal;
    return `${type}:${name}`;
  }

  #forbidden(operation: AclOperation, topic: string): Problem {
    const message = `${this.#name} may not ${verbs.get(operation) ?? 'use'} the topic ${topic}.`;
    return { errorCode: ErrorCode.TOPIC_AUTHORIZATION_FAILED, message };
  }

  #asContext(): RequestContext {
    this.#context ??= new LocalConnection(this.clientHost).contextOf(-1, 0, this.clientId);
    return this.#context;
  }
}
