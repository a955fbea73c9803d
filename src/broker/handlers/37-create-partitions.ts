/**
 * CreatePartitions: gives topics more partitions. I/O thread. Each topic stands for itself.
 * It answers once the metadata log has the partitions; their files appear with their first batches.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultCreatePartitionsResponse,
  type CreatePartitionsRequest,
  type CreatePartitionsRequestTopics,
  type CreatePartitionsResponse,
  type CreatePartitionsResponseResults,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnTopic } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler } from '../request-context.ts';
import { forbiddenTopic, messageOf, quotaExceeded, type ChangeResult } from '../topic-catalog.ts';

/** Before it a client that makes too many partitions only waits (KIP-599). */
const firstVersionWithQuotaErrors = 3;

export const createPartitionsHandler: ApiHandler<CreatePartitionsRequest, CreatePartitionsResponse> = {
  apiKey: 37,
  async handle({ topics, validateOnly }, context, broker) {
    const { apiVersion, charge } = context;
    const isStrict = apiVersion >= firstVersionWithQuotaErrors;
    const chargeFor = (added: number): ChangeResult | null =>
      charge === null || charge.mutate(added, isStrict) ? null : quotaExceeded;
    const times = new Map<string, number>();
    for (const { name } of topics) times.set(name, (times.get(name) ?? 0) + 1);
    const results: Promise<CreatePartitionsResponseResults>[] = [];
    // A name that stands twice is answered once, with an error.
    for (const topic of topics.toSorted((a, b) => Number(times.get(a.name) === 1) - Number(times.get(b.name) === 1))) {
      const seen = times.get(topic.name);
      if (seen === undefined) continue;
      times.delete(topic.name);
      const refusal = allowsOnTopic(broker.authorizer, context, AclOperation.ALTER, topic.name)
        ? seen > 1
          ? duplicate
          : null
        : forbiddenTopic;
      results.push(grow(topic, refusal, validateOnly, chargeFor, broker));
    }
    return { ...defaultCreatePartitionsResponse(), results: await Promise.all(results) };
  },
};

const duplicate: ChangeResult = { errorCode: ErrorCode.INVALID_REQUEST, message: 'Duplicate topic name.' };

async function grow(
  { name, count, assignments }: CreatePartitionsRequestTopics,
  refusal: ChangeResult | null,
  validateOnly: boolean,
  chargeFor: (added: number) => ChangeResult | null,
  broker: Broker,
): Promise<CreatePartitionsResponseResults> {
  const problemOf = (added: number): ChangeResult | null =>
    (assignments === null ? null : problemOfAssignments(assignments, added, broker.nodeId)) ?? chargeFor(added);
  const result = refusal ?? (await broker.topics.addPartitions(name, count, validateOnly, problemOf));
  return { name, errorCode: result.errorCode, errorMessage: messageOf(result) };
}

function problemOfAssignments(
  assignments: NonNullable<CreatePartitionsRequestTopics['assignments']>,
  added: number,
  nodeId: number,
): ChangeResult | null {
  const refuse = (message: string): ChangeResult => ({ errorCode: ErrorCode.INVALID_REPLICA_ASSIGNMENT, message });
  if (assignments.length !== added) {
    return refuse(`${added} partition(s) are to be added, but ${assignments.length} assignment(s) are given.`);
  }
  if (assignments.every(({ brokerIds }) => brokerIds.length === 1 && brokerIds[0] === nodeId)) return null;
  return refuse(`Every partition is to be assigned to broker ${nodeId}, the only one, once.`);
}
