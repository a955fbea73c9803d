/**
 * ShareAcknowledge (KIP-932): a member of a share group says what became of records that it has; answered once that is
 * durable. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultShareAcknowledgeResponse,
  defaultShareAcknowledgeResponseResponsesPartitions,
  type ShareAcknowledgeRequest,
  type ShareAcknowledgeResponse,
} from '../../protocol/generated/index.ts';
import { isRefusal, refusal, type Refusal } from '../groups/consumer/refusal.ts';
import type { ApiHandler } from '../request-context.ts';
import { acknowledgeAll, type Acknowledged } from '../share/share-acknowledgements.ts';
import { isShareMemberId } from '../share/share-member-id.ts';
import { hasShareGroups } from '../share/share-version.ts';
import { finalShareEpoch, initialShareEpoch } from '../share/share-session.ts';

const firstVersionWithRenewal = 2;

export const shareAcknowledgeHandler: ApiHandler<ShareAcknowledgeRequest, ShareAcknowledgeResponse> = {
  apiKey: 79,
  async handle(request, context, broker) {
    const { groupId, memberId, shareSessionEpoch, topics, isRenewAck } = request;
    if (!hasShareGroups(broker))
      return refused(refusal(ErrorCode.UNSUPPORTED_VERSION, 'Share groups are switched off.'));
    if (!broker.groups.isActive) {
      return refused(refusal(ErrorCode.COORDINATOR_NOT_AVAILABLE, 'The broker is stopping.'));
    }
    if (groupId === null) return refused(refusal(ErrorCode.INVALID_REQUEST, 'Invalid group id in the request.'));
    if (!isShareMemberId(memberId)) {
      return refused(refusal(ErrorCode.INVALID_REQUEST, 'Invalid member id in the request.'));
    }
    if (shareSessionEpoch === initialShareEpoch) {
      return refused(
        refusal(ErrorCode.INVALID_SHARE_SESSION_EPOCH, 'A session does not begin with an acknowledgement.'),
      );
    }
    const session = broker.shareSessions.next(groupId, memberId, shareSessionEpoch);
    if (isRefusal(session)) return refused(session);
    const knowsRenewal = context.apiVersion >= firstVersionWithRenewal;
    const acknowledged = await acknowledgeAll(
      topics,
      { groupId, memberId, knowsRenewal, isRenewal: knowsRenewal && isRenewAck },
      context,
      broker,
    );
    if (shareSessionEpoch === finalShareEpoch) broker.shareSessions.end(session);
    return {
      ...defaultShareAcknowledgeResponse(),
      acquisitionLockTimeoutMs: broker.groups.sharePartitions.settings.lockDurationMs(groupId),
      responses: byTopic(acknowledged),
    };
  },
};

function refused({ errorCode, message }: Refusal): ShareAcknowledgeResponse {
  return { ...defaultShareAcknowledgeResponse(), errorCode, errorMessage: message };
}

function byTopic(acknowledged: readonly Acknowledged[]): ShareAcknowledgeResponse['responses'] {
  const topics = new Map<string, ShareAcknowledgeResponse['responses'][number]>();
  for (const { place, problem } of acknowledged) {
    const partition = {
      ...defaultShareAcknowledgeResponseResponsesPartitions(),
      partitionIndex: place.partition,
      errorCode: problem?.errorCode ?? ErrorCode.NONE,
      errorMessage: problem?.message ?? null,
    };
    const topic = topics.get(place.topicId);
    if (topic === undefined) topics.set(place.topicId, { topicId: place.topicId, partitions: [partition] });
    else topic.partitions.push(partition);
  }
  return [...topics.values()];
}
