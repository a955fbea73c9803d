/**
 * What the feature `share.version` allows (KIP-932, KIP-1191). I/O thread.
 */

import { ErrorCode } from '../../base/error-code.ts';
import type { Broker } from '../broker.ts';
import { refusal, type Refusal } from '../groups/consumer/refusal.ts';

const firstWithGroups = 1;
const firstWithDeadLetters = 2;

/** Whether share groups are served at all. */
export function hasShareGroups({ topics }: Broker): boolean {
  return topics.image.features.level('share.version') >= firstWithGroups;
}

/** Whether what they give up is set aside. */
export function hasDeadLetters({ topics }: Broker): boolean {
  return topics.image.features.level('share.version') >= firstWithDeadLetters;
}

/** Why nothing about a share group can be served, or null where it can. */
export function problemOfShareRequest(groupId: string, broker: Broker): Refusal | null {
  if (!hasShareGroups(broker)) return refusal(ErrorCode.UNSUPPORTED_VERSION, 'Share groups are switched off.');
  if (!broker.groups.isActive) return refusal(ErrorCode.COORDINATOR_NOT_AVAILABLE, 'The broker is stopping.');
  return groupId === '' ? refusal(ErrorCode.INVALID_GROUP_ID, 'The group id is invalid.') : null;
}
