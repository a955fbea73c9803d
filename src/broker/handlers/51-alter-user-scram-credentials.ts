/**
 * AlterUserScramCredentials (KIP-554): sets and deletes what SCRAM needs to know of users' passwords. I/O thread.
 * Each user stands for itself, and may be changed once in a request.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultAlterUserScramCredentialsResponse,
  type AlterUserScramCredentialsRequest,
  type AlterUserScramCredentialsResponse,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import type { Broker } from '../broker.ts';
import type { ApiHandler } from '../request-context.ts';
import type { KeyedRecord } from '../keyed-batch.ts';
import type { ScramCredentials } from '../scram-credentials.ts';
import type { ChangeResult } from '../topic-catalog.ts';

type RecordOf = (credentials: ScramCredentials) => KeyedRecord | ChangeResult;

export const alterUserScramCredentialsHandler: ApiHandler<
  AlterUserScramCredentialsRequest,
  AlterUserScramCredentialsResponse
> = {
  apiKey: 51,
  async handle({ deletions, upsertions }, context, broker) {
    const allowed = allowsOnCluster(broker.authorizer, context, AclOperation.ALTER);
    const byUser = new Map<string, RecordOf[]>();
    const add = (name: string, recordOf: RecordOf): void => {
      const changes = byUser.get(name);
      if (changes === undefined) byUser.set(name, [recordOf]);
      else changes.push(recordOf);
    };
    // The request's bytes end with the first await, and records are made after it.
    const kept = upsertions.map((upsertion) => ({
      ...upsertion,
      salt: new Uint8Array(upsertion.salt),
      saltedPassword: new Uint8Array(upsertion.saltedPassword),
    }));
    for (const deletion of deletions) add(deletion.name, (credentials) => credentials.deletion(deletion));
    for (const upsertion of kept) add(upsertion.name, (credentials) => credentials.upsertion(upsertion));
    const results = [...byUser].map(async ([user, changes]) => {
      const { errorCode, message } = allowed
        ? await alter(changes, broker)
        : { errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED, message: null };
      return { user, errorCode, errorMessage: message };
    });
    return { ...defaultAlterUserScramCredentialsResponse(), results: await Promise.all(results) };
  },
};

async function alter([recordOf, ...others]: readonly RecordOf[], broker: Broker): Promise<ChangeResult> {
  if (recordOf === undefined || others.length > 0) {
    const message = 'A user credential cannot be altered twice in the same request';
    return { errorCode: ErrorCode.DUPLICATE_RESOURCE, message };
  }
  return broker.changeMetadata(({ scramCredentials }) => {
    const record = recordOf(scramCredentials);
    return 'errorCode' in record ? record : [record];
  });
}
