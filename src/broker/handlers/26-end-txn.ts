/**
 * EndTxn: commits or aborts a transaction; answered once the outcome is durable. I/O thread.
 * From version 5 on (KIP-890) the response has the producer id and epoch for the next transaction.
 */

import { defaultEndTxnResponse, type EndTxnRequest, type EndTxnResponse } from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';
import { fencedErrorFor } from '../transactions/transaction-error.ts';

const firstVersionThatKnowsFencing = 2;
const firstVersionOfV2 = 5;

export const endTxnHandler: ApiHandler<EndTxnRequest, EndTxnResponse> = {
  apiKey: 26,
  async handle({ transactionalId, producerId, producerEpoch, committed }, { apiVersion }, { transactions }) {
    const outcome = committed ? 'commit' : 'abort';
    const version = apiVersion >= firstVersionOfV2 ? 2 : 0;
    const result = await transactions.end({ transactionalId, producerId, producerEpoch, outcome, version });
    const errorCode = fencedErrorFor(apiVersion, firstVersionThatKnowsFencing, result.errorCode);
    return { ...defaultEndTxnResponse(), ...result, errorCode };
  },
};
