/**
 * Records for topics that are not there yet: they wait, in their order, until the topic was created, or are refused where
 * it cannot be. I/O thread, one per publisher. Topics are created where `auto.create.topics.enable` says so, as Metadata
 * does it for Kafka's clients.
 */

import { present } from '../base/assert.ts';
import type { Broker } from '../broker/broker.ts';
import { PublishOutcome } from './publish-outcome.ts';
import type { PublishStream, RecordFields } from './publish-stream.ts';
import type { PublishTarget } from './publish-target.ts';
import { chargeCreation, ensureTopic, problemOfMissing, type Problem } from './topic-creation.ts';
import type { WaitingBytes } from './waiting-bytes.ts';

export interface MissingTopicsOptions {
  readonly broker: Broker;
  readonly waiting: WaitingBytes;
  /** The topic of `target` is being created, or was not: whoever asks for it by name finds this target meanwhile. */
  readonly keep: (target: PublishTarget, isKept: boolean) => void;
  /** Whether the topic came into being: `target` is brought to how it stands. */
  readonly refresh: (target: PublishTarget) => boolean;
  /** Takes a record whose topic is there, in run `run` of its stream. */
  readonly place: (stream: PublishStream, run: number, target: PublishTarget, fields: RecordFields) => void;
  readonly refuse: (stream: PublishStream, run: number, topic: string, partition: number, problem: Problem) => void;
}

/** A record that waits for its topic. */
interface HeldRecord {
  readonly stream: PublishStream;
  readonly run: number;
  readonly fields: RecordFields;
}

export class MissingTopics {
  readonly #options: MissingTopicsOptions;
  readonly #held = new Map<PublishTarget, HeldRecord[]>();

  constructor(options: MissingTopicsOptions) {
    this.#options = options;
  }

  /** Keeps a record, whose bytes are copied; null, or why its topic cannot be created. */
  hold(stream: PublishStream, target: PublishTarget, fields: RecordFields): Problem | null {
    const { broker, waiting, keep } = this.#options;
    let held = this.#held.get(target);
    if (held === undefined) {
      const problem = problemOfMissing(broker, target.name, stream.caller) ?? chargeCreation(broker, stream.caller);
      if (problem !== null) return problem;
      held = [];
      this.#held.set(target, held);
      target.isMissing = true;
      keep(target, true);
      void this.#create(target, held);
    }
    const { key, value, valueStart, valueEnd } = fields;
    const copy = value?.slice(valueStart, valueEnd) ?? null;
    const kept = { ...fields, key: key?.slice() ?? null, value: copy, valueStart: 0, valueEnd: valueEnd - valueStart };
    const sizeBytes = sizeOf(kept);
    const run = stream.took(new PublishOutcome(target.name, fields.partition), 0, sizeBytes, false);
    waiting.add(sizeBytes);
    held.push({ stream, run, fields: kept });
    return null;
  }

  async #create(target: PublishTarget, held: readonly HeldRecord[]): Promise<void> {
    const { broker, waiting, keep, refresh, place, refuse } = this.#options;
    const { name } = target;
    // Who came first was allowed to.
    const problem = await ensureTopic(broker, name, null);
    this.#held.delete(target);
    target.isMissing = false;
    const isThere = refresh(target);
    if (!isThere) keep(target, false);
    for (const { stream, run, fields } of held) {
      if (isThere) place(stream, run, target, fields);
      else {
        fields.producer?.refused(name, fields.partition, fields.number);
        refuse(stream, run, name, fields.partition, present(problem, 'a topic that is missing has a reason'));
      }
      waiting.leave(sizeOf(fields));
    }
  }
}

function sizeOf({ key, valueStart, valueEnd }: RecordFields): number {
  return (key?.length ?? 0) + valueEnd - valueStart;
}
