/**
 * Descriptions of many groups in one response, which has an end: a request may name one group many times. I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import { operationsNotAsked } from '../authorized-operations.ts';

/** From so many partitions and topics on a response takes no further group. */
const maxElements = 500_000;

export interface DescribedGroup {
  errorCode: number;
  errorMessage: string | null;
  authorizedOperations: number;
}

/** How one kind of group is described. */
export interface GroupDescriber<Group extends DescribedGroup> {
  /** A description that says nothing but which group it is of. */
  nothing(groupId: string): Group;
  /** Called once what is known of the group is durable. */
  describe(groupId: string): Group;
  /** Resolves once all changes of the group have been written. */
  settled(groupId: string): Promise<unknown>;
  /** What the client may do with the group, as a bit field; null where it did not ask. */
  readonly operationsOn: ((groupId: string) => number) | null;
  /** How many partitions and topics the description names. */
  elementsOf(group: Group): number;
}

export async function describeGroups<Group extends DescribedGroup>(
  groupIds: readonly string[],
  describer: GroupDescriber<Group>,
): Promise<Group[]> {
  let elements = 0;
  const groups: Group[] = [];
  for (const groupId of groupIds) {
    if (elements > maxElements) {
      const errorMessage = 'The response is large enough: describe fewer groups at once.';
      groups.push({ ...describer.nothing(groupId), errorCode: ErrorCode.INVALID_REQUEST, errorMessage });
      continue;
    }
    await describer.settled(groupId);
    const described = describer.describe(groupId);
    elements += describer.elementsOf(described);
    const isThere = described.errorCode === ErrorCode.NONE;
    const operations = isThere ? describer.operationsOn?.(groupId) : null;
    groups.push({ ...described, authorizedOperations: operations ?? operationsNotAsked });
  }
  return groups;
}
