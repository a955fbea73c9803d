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

export const listGroupsHandler: ApiHandler<ListGroupsRequest, ListGroupsResponse> = {
  apiKey: 16,
  handle({ statesFilter, typesFilter }, _context, broker) {
    if (!broker.groups.isActive) {
      return { ...defaultListGroupsResponse(), errorCode: ErrorCode.COORDINATOR_NOT_AVAILABLE };
    }
    const states = new Set(statesFilter.map((state) => state.trim().toLowerCase()));
    const types = new Set(typesFilter.map((type) => type.toLowerCase()));
    const groups: ListGroupsResponseGroups[] = [];
    for (const { kind: groupType, group } of broker.groups.groups()) {
      if (types.size > 0 && !types.has(groupType)) continue;
      const { id: groupId, protocolType, state: groupState } = group;
      if (states.size > 0 && !namesOf(groupState).some((name) => states.has(name))) continue;
      groups.push({ groupId, protocolType: protocolType ?? '', groupState, groupType });
    }
    return { ...defaultListGroupsResponse(), groups };
  },
};

/** As filters may have it, in lower case: Kafka knows NotReady by `not_ready` alone, which is not what it calls it. */
function namesOf(state: string): string[] {
  return [state.toLowerCase(), state.replaceAll(/\B[A-Z]/g, (letter) => `_${letter}`).toLowerCase()];
}
