/**
 * DeleteGroups: groups without members are deleted with their offsets; answered once that is durable. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import {
  defaultDeleteGroupsResponse,
  defaultDeleteGroupsResponseResults,
  type DeleteGroupsRequest,
  type DeleteGroupsResponse,
} from '../../protocol/generated/index.ts';
import type { ApiHandler } from '../request-context.ts';

export const deleteGroupsHandler: ApiHandler<DeleteGroupsRequest, DeleteGroupsResponse> = {
  apiKey: 42,
  async handle(request, _context, { groups }) {
    const results = [...new Set(request.groupsNames)].map(async (groupId) => ({
      ...defaultDeleteGroupsResponseResults(),
      groupId,
      errorCode: groups.isActive ? await groups.delete(groupId) : ErrorCode.COORDINATOR_NOT_AVAILABLE,
    }));
    return { ...defaultDeleteGroupsResponse(), results: await Promise.all(results) };
  },
};
