/** DescribeUserScramCredentials (KIP-554): which mechanisms users have, and with how many iterations. I/O thread. */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultDescribeUserScramCredentialsResponse,
  type DescribeUserScramCredentialsRequest,
  type DescribeUserScramCredentialsResponse,
  type DescribeUserScramCredentialsResponseResults,
} from '../../protocol/generated/index.ts';
import { AclOperation, allowsOnCluster } from '../authorizer.ts';
import type { ApiHandler } from '../request-context.ts';
import type { ScramCredentials } from '../scram-credentials.ts';
import { shownName } from '../shown-name.ts';

export const describeUserScramCredentialsHandler: ApiHandler<
  DescribeUserScramCredentialsRequest,
  DescribeUserScramCredentialsResponse
> = {
  apiKey: 50,
  handle({ users }, context, broker) {
    const response = defaultDescribeUserScramCredentialsResponse();
    if (!allowsOnCluster(broker.authorizer, context, AclOperation.DESCRIBE)) {
      return { ...response, errorCode: ErrorCode.CLUSTER_AUTHORIZATION_FAILED };
    }
    const { scramCredentials } = broker.topics.image;
    const times = new Map<string, number>();
    const isForAll = users === null || users.length === 0;
    for (const name of isForAll ? scramCredentials.users() : users.map((user) => user.name)) {
      times.set(name, (times.get(name) ?? 0) + 1);
    }
    const results = [...times].map(([user, count]) => describe(user, count > 1, scramCredentials));
    return { ...response, errorMessage: '', results };
  },
};

function describe(
  user: string,
  isRepeated: boolean,
  credentials: ScramCredentials,
): DescribeUserScramCredentialsResponseResults {
  const refuse = (errorCode: ErrorCode, message: string): DescribeUserScramCredentialsResponseResults => ({
    user,
    errorCode,
    errorMessage: `${message}: ${shownName(user)}`,
    credentialInfos: [],
  });
  if (isRepeated) {
    const message = 'Cannot describe SCRAM credentials for the same user twice in a single request';
    return refuse(ErrorCode.DUPLICATE_RESOURCE, message);
  }
  const credentialInfos = credentials.describe(user);
  if (credentialInfos !== null) return { user, errorCode: ErrorCode.NONE, errorMessage: '', credentialInfos };
  return refuse(ErrorCode.RESOURCE_NOT_FOUND, 'Attempt to describe a user credential that does not exist');
}
