/**
 * AddOffsetsToTxn: a transaction is about to commit offsets of a group. I/O thread.
 * As in Kafka it is the partition of the offsets' log that is added, and so every group whose name falls to it.
 */

import {
  defaultAddOffsetsToTxnResponse,
  type AddOffsetsToTxnRequest,
  type AddOffsetsToTxnResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';
import { fencedErrorFor } from '../transactions/transaction-error.ts';
import { offsetsPartition } from '../transactions/transaction-partitions.ts';

const firstVersionThatKnowsFencing = 2;

export const addOffsetsToTxnHandler: ApiHandler<AddOffsetsToTxnRequest, AddOffsetsToTxnResponse> = {
  apiKey: 25,
  async handle({ transactionalId, producerId, producerEpoch, groupId }, { apiVersion }, { transactions, config }) {
    const partitions = [offsetsPartition(groupId, config.number('offsets.topic.num.partitions'))];
    const result = await transactions.addPartitions({ transactionalId, producerId, producerEpoch, partitions }, 0);
    const errorCode = fencedErrorFor(apiVersion, firstVersionThatKnowsFencing, result);
    return { ...defaultAddOffsetsToTxnResponse(), errorCode };
  },
};
