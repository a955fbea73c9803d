/**
 * A consumer group as its records have it. I/O thread.
 */

import type { MemberMemory } from '../classic-group.ts';
import type { GroupValues } from '../parted-groups.ts';
import { ConsumerGroup } from './consumer-group.ts';
import { newConsumerMember } from './consumer-member.ts';
import {
  readEpochs,
  readIdentity,
  readProgress,
  readRegex,
  readTarget,
  type ConsumerRecordPart,
} from './consumer-records.ts';

/** Throws `EnvironmentError` DATA_CORRUPT or DATA_DIRECTORY_NEWER. */
export function restoreConsumerGroup(
  id: string,
  values: GroupValues<ConsumerRecordPart>,
  memory: MemberMemory,
): ConsumerGroup {
  const group = new ConsumerGroup(id, memory);
  const [epochs] = values.get('epochs')?.values() ?? [];
  if (epochs !== undefined) group.setEpochs(readEpochs(epochs));
  const progress = values.get('progress');
  for (const [memberId, bytes] of values.get('identity') ?? []) {
    const reached = progress?.get(memberId);
    const member = { ...newConsumerMember(memberId), ...readIdentity(bytes) };
    group.putMember(reached === undefined ? member : { ...member, ...readProgress(reached) });
  }
  for (const [memberId, bytes] of values.get('target') ?? []) group.putTarget(memberId, readTarget(bytes));
  for (const [regex, bytes] of values.get('regex') ?? []) group.subscriptions.putResolved(regex, readRegex(bytes));
  return group;
}
