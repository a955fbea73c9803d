/**
 * DescribeGroups: state, protocol and members of classic groups. I/O thread.
 * A group that is not there, or is a consumer group, is Dead; from version 6 on that is an error (KIP-1043).
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultDescribeGroupsResponse,
  defaultDescribeGroupsResponseGroups,
  type DescribeGroupsRequest,
  type DescribeGroupsResponse,
  type DescribeGroupsResponseGroups,
} from '../../protocol/generated/index.ts';
import { groupOperations, operationsNotAsked } from '../authorized-operations.ts';
import type { Broker } from '../broker.ts';
import type { ClassicGroup } from '../groups/classic-group.ts';
import type { ApiHandler } from '../request-context.ts';

const firstVersionWithMissingGroups = 6;
const noMetadata = new Uint8Array(0);
const memberOverheadBytes = 256;
/** From so many bytes of members on a response takes no further group: a request may name the same one many times. */
const maxMembersBytes = 32 * 1024 * 1024;

export const describeGroupsHandler: ApiHandler<DescribeGroupsRequest, DescribeGroupsResponse> = {
  apiKey: 15,
  handle(request, context, broker) {
    const { apiVersion } = context;
    const operationsOn = groupOperations(broker, context);
    let sizeBytes = 0;
    const groups = request.groups.map((groupId) => {
      const described = sizeBytes > maxMembersBytes ? tooMuch(groupId) : describe(groupId, apiVersion, broker);
      for (const { memberMetadata, memberAssignment } of described.members) {
        sizeBytes += memberOverheadBytes + memberMetadata.length + memberAssignment.length;
      }
      const asked = request.includeAuthorizedOperations && described.errorCode === ErrorCode.NONE;
      return { ...described, authorizedOperations: asked ? operationsOn(groupId) : operationsNotAsked };
    });
    return { ...defaultDescribeGroupsResponse(), groups };
  },
};

function tooMuch(groupId: string): DescribeGroupsResponseGroups {
  const errorMessage = 'The response is large enough: describe fewer groups at once.';
  return { ...defaultDescribeGroupsResponseGroups(), groupId, errorCode: ErrorCode.INVALID_REQUEST, errorMessage };
}

function describe(groupId: string, apiVersion: number, { groups }: Broker): DescribeGroupsResponseGroups {
  const response = { ...defaultDescribeGroupsResponseGroups(), groupId };
  if (!groups.isActive) return { ...response, errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE };
  const run = groups.find(groupId);
  if (run?.kind === 'classic') return { ...response, ...describeGroup(run.group) };
  if (apiVersion < firstVersionWithMissingGroups) return { ...response, groupState: 'Dead' };
  const errorMessage = run === null ? `Group ${groupId} not found.` : `Group ${groupId} is not a classic group.`;
  return { ...response, errorCode: ErrorCode.GROUP_ID_NOT_FOUND, errorMessage, groupState: 'Dead' };
}

function describeGroup(group: ClassicGroup): Partial<DescribeGroupsResponseGroups> {
  const isStable = group.state === 'Stable';
  return {
    groupState: group.state,
    protocolType: group.protocolType ?? '',
    protocolData: isStable ? (group.protocolName ?? '') : '',
    members: [...group.members.values()].map((member) => ({
      memberId: member.id,
      groupInstanceId: member.instanceId,
      clientId: member.description.clientId,
      clientHost: member.description.clientHost,
      memberMetadata: isStable ? member.metadata(group.protocolName) : noMetadata,
      memberAssignment: member.assignment,
    })),
  };
}
