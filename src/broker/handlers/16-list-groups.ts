/**
 * ListGroups: all groups, or those of some states (KIP-518) and types (KIP-848). I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultListGroupsResponse,
  type ListGroupsRequest,
  type ListGroupsResponse,
  type ListGroupsResponseGroups,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';

const groupType = 'classic';

export const listGroupsHandler: ApiHandler<ListGroupsRequest, ListGroupsResponse> = {
  apiKey: 16,
  handle({ statesFilter, typesFilter }, _context, broker) {
    if (!broker.groups.isActive) {
      return { ...defaultListGroupsResponse(), errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE };
    }
    const states = new Set(statesFilter.map((state) => state.trim().toLowerCase()));
    const isWanted = typesFilter.length === 0 || typesFilter.some((type) => type.toLowerCase() === groupType);
    const groups: ListGroupsResponseGroups[] = [];
    for (const { group } of isWanted ? broker.groups.groups() : []) {
      if (states.size > 0 && !states.has(group.state.toLowerCase())) continue;
      const { id: groupId, protocolType, state: groupState } = group;
      groups.push({ groupId, protocolType: protocolType ?? '', groupState, groupType });
    }
    return { ...defaultListGroupsResponse(), groups };
  },
};
