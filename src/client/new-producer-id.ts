/** Asks for the id of a producer that has no transactions. Any thread. */

import { ErrorCode } from '../base/error-code.ts';
import { defaultInitProducerIdRequest, initProducerIdClientApi } from '../protocol/generated/22-init-producer-id.ts';
import type { Cluster } from './cluster.ts';
import { KafkaError } from './kafka-error.ts';

/** An id nobody has, with epoch 0; tries again for `timeoutMs`, then rejects with what it last was refused with. */
export async function newProducerId(cluster: Cluster, timeoutMs: number): Promise<number> {
  const request = {
    ...defaultInitProducerIdRequest(),
    transactionalId: null,
    // It is for transactions, but no broker takes none.
    transactionTimeoutMs: 60_000,
  };
  const { producerId } = await cluster.retrying(
    async () => {
      const connection = await cluster.any();
      const answer = await connection.request(initProducerIdClientApi, request);
      if (answer.errorCode !== ErrorCode.NONE) {
        throw new KafkaError(answer.errorCode, 'the broker gives no producer id');
      }
      return answer;
    },
    { timeoutMs },
  );
  return producerId;
}
