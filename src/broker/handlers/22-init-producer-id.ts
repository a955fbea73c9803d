/**
 * InitProducerId: an id for an idempotent producer, or id and epoch for a transactional one. I/O thread.
 * A producer without a transactional id always gets a new id, as in Kafka, also where it names the one it had.
 */

import { EnvironmentError } from '../../base/environment-error.ts';
import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultInitProducerIdResponse,
  type InitProducerIdRequest,
  type InitProducerIdResponse,
} from '../../protocol/generated/index.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler } from '../request-context.ts';
import { fencedErrorFor } from '../transactions/transaction-error.ts';

const firstVersionThatKnowsFencing = 4;

export const initProducerIdHandler: ApiHandler<InitProducerIdRequest, InitProducerIdResponse> = {
  apiKey: 22,
  async handle({ transactionalId, transactionTimeoutMs, producerId, producerEpoch }, { apiVersion }, broker) {
    const namesHalf = (producerId === -1) !== (producerEpoch === -1);
    if (transactionalId === '' || namesHalf) return refused(ErrorCode.INVALID_REQUEST);
    if (transactionalId !== null) {
      const expected = producerId === -1 ? null : { producerId, producerEpoch };
      const result = await broker.transactions.initProducer(transactionalId, transactionTimeoutMs, expected);
      const errorCode = fencedErrorFor(apiVersion, firstVersionThatKnowsFencing, result.errorCode);
      return { ...defaultInitProducerIdResponse(), ...result, errorCode };
    }
    const given = await nextProducerId(broker);
    if (given === null) return refused(ErrorCode.COORDINATOR_LOAD_IN_PROGRESS);
    return { ...defaultInitProducerIdResponse(), producerId: given, producerEpoch: 0 };
  },
};

/** Null where no block of ids can be written at the moment; the client may try again. */
async function nextProducerId(broker: Broker): Promise<number | null> {
  try {
    return await broker.producerIds.next();
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    broker.logger.error({ error }, 'No producer id could be given.');
    return null;
  }
}

function refused(errorCode: ErrorCode): InitProducerIdResponse {
  return { ...defaultInitProducerIdResponse(), errorCode, producerId: -1, producerEpoch: -1 };
}
