/**
 * What a request wants to read, found and checked: which partitions of which topic, from where, and how values are
 * written. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { AclOperation } from '../../broker/authorizer.ts';
import type { Broker } from '../../broker/broker.ts';
import { isStateLogTopic } from '../../broker/topic-name.ts';
import type { Caller } from '../../gateway/caller.ts';
import type { StartPosition } from '../../gateway/record-reader.ts';
import type { IsolationLevel, PartitionLog } from '../../storage/partition-log.ts';
import { shown, type Arguments } from '../http-api/arguments.ts';
import type { Parameter } from '../http-api/operation.ts';
import { badRequest, problemOf, type Problem } from '../http-api/problem.ts';
import { parseTime, timestampPattern } from '../http-ingest/record-arguments.ts';
import type { ValuesAs } from '../json/record-text.ts';
import { positionPattern, startsOf } from './positions.ts';

export interface TopicReading {
  readonly topic: string;
  readonly starts: ReadonlyMap<PartitionLog, StartPosition>;
  readonly isolation: IsolationLevel;
  readonly values: ValuesAs;
  /** All partitions, also those that the topic gets later. */
  readonly isWholeTopic: boolean;
  readonly caller: Caller;
}

export const readParameters: readonly Parameter[] = [
  {
    name: 'offset',
    in: 'query',
    description: 'From where: earliest, latest, latest-10, an offset, or positions of partitions such as 0:17,1:5.',
    schema: { type: 'string', pattern: positionPattern },
  },
  {
    name: 'timestamp',
    in: 'query',
    description:
      'In place of offset: from the first record at or after this time, milliseconds since 1970 or RFC 3339.',
    schema: { type: 'string', pattern: timestampPattern },
  },
  {
    name: 'values',
    in: 'query',
    description: 'How values are given: json, else text, else base64; or never as json; or always in base64.',
    schema: { type: 'string', enum: ['json', 'text', 'base64'], default: 'json' },
  },
  {
    name: 'isolation',
    in: 'query',
    description: 'Whether records of transactions that are open or aborted are left out.',
    schema: { type: 'string', enum: ['read_committed', 'read_uncommitted'], default: 'read_committed' },
  },
];

/**
 * What `args` ask for, on behalf of `caller`. `position` stands for the argument offset where it is not given; `lastEventId` counts before it and
 * timestamp.
 */
export function topicReading(
  broker: Broker,
  caller: Caller,
  args: Arguments,
  partition: number | undefined,
  position: string,
  lastEventId?: string,
): TopicReading | Problem {
  const name = args.text('topic')!;
  const forbidden = caller.problemOf(AclOperation.READ, name);
  if (forbidden !== null) return problemOf(forbidden.errorCode, forbidden.message);
  const topic = isStateLogTopic(name) ? null : broker.topics.topic(name);
  if (topic === null) {
    return problemOf(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `There is no topic ${shown(name)}.`);
  }
  const partitions =
    partition === undefined ? Array.from({ length: topic.partitionCount }, (_, number) => number) : [partition];
  const logs: PartitionLog[] = [];
  for (const number of partitions) {
    const log = broker.topics.partition(topic, number);
    if (log === null) {
      const detail = `The topic ${name} has ${topic.partitionCount} partitions, and none with the number ${number}.`;
      return problemOf(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, detail);
    }
    logs.push(log);
  }
  const offset = args.text('offset');
  const time = args.text('timestamp');
  if (offset !== undefined && time !== undefined) return badRequest('Either offset or timestamp says from where.');
  const timestampMs = time === undefined ? null : parseTime(time);
  if (time !== undefined && timestampMs === null)
    return badRequest(`The timestamp ${shown(time)} is no time that there is.`);
  const starts =
    lastEventId === undefined ? startsOf(offset ?? position, timestampMs, logs) : startsOf(lastEventId, null, logs);
  if ('status' in starts) return starts;
  return {
    topic: name,
    starts,
    isolation: args.text('isolation') as IsolationLevel,
    values: args.text('values') as ValuesAs,
    isWholeTopic: partition === undefined,
    caller,
  };
}
