/** Topics that come into being because somebody names them, where `auto.create.topics.enable` says so. I/O thread. */

import { ErrorCode, errorName } from '../base/error-code.ts';
import type { Broker } from '../broker/broker.ts';
import { isInternalTopic, isStateLogTopic, problemOfTopicName } from '../broker/topic-name.ts';
import type { Caller } from './caller.ts';

/** What is wrong, by Kafka's number and in a sentence. */
export interface Problem {
  readonly errorCode: ErrorCode;
  readonly message: string;
}

/** Why a topic of this name, which does not exist, cannot be created by being named by `caller`; null where it can. */
export function problemOfMissing(broker: Broker, name: string, caller: Caller | null): Problem | null {
  const problem = problemOfTopicName(name);
  if (problem !== null) return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, message: `${problem}.` };
  if (isInternalTopic(name)) {
    const message = `The topic ${name} is internal: only coordinators write to it, and naming it does not create it.`;
    return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, message };
  }
  if (!isStateLogTopic(name) && broker.config.boolean('auto.create.topics.enable')) {
    return caller?.problemOfCreating(name) ?? null;
  }
  return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: `There is no topic ${name}.` };
}

/** Counts a topic that `caller` has come into being by naming it; why it is not to be created now, or null. */
export function chargeCreation(broker: Broker, caller: Caller | null): Problem | null {
  return caller?.problemOfMutating(broker.config.number('num.partitions')) ?? null;
}

/**
 * Creates the topic where it is missing and may be; resolves with what is wrong, or null once it is there. `caller` is who
 * named it, null where the broker's own process did.
 */
export async function ensureTopic(broker: Broker, name: string, caller: Caller | null): Promise<Problem | null> {
  if (broker.topics.topic(name) !== null) return null;
  const problem = problemOfMissing(broker, name, caller) ?? chargeCreation(broker, caller);
  if (problem !== null) return problem;
  const spec = { name, partitionCount: -1, replicationFactor: -1, configs: [] };
  const { errorCode, message } = await broker.topics.create(spec);
  if (broker.topics.topic(name) !== null) return null;
  // Another may have created it meanwhile, which serves as well; but it is not there.
  if (errorCode === ErrorCode.NONE || errorCode === ErrorCode.TOPIC_ALREADY_EXISTS) {
    return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message: `The topic ${name} was deleted at once.` };
  }
  return { errorCode, message: message ?? `The topic ${name} could not be created: ${errorName(errorCode)}.` };
}
