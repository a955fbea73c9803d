/**
 * A streams group as its records have it. I/O thread.
 */

import type { MemberMemory } from '../classic-group.ts';
import type { GroupValues } from '../parted-groups.ts';
import { StreamsGroup } from './streams-group.ts';
import { newStreamsMember } from './streams-member.ts';
import {
  readStreamsEpochs,
  readStreamsIdentity,
  readStreamsProgress,
  readStreamsTarget,
  readTopology,
  type StreamsRecordPart,
} from './streams-records.ts';

/** Throws `EnvironmentError` DATA_CORRUPT or DATA_DIRECTORY_NEWER. */
export function restoreStreamsGroup(
  id: string,
  values: GroupValues<StreamsRecordPart>,
  memory: MemberMemory,
): StreamsGroup {
  const group = new StreamsGroup(id, memory);
  const [topology] = values.get('topology')?.values() ?? [];
  if (topology !== undefined) group.setTopology(readTopology(topology));
  const [epochs] = values.get('epochs')?.values() ?? [];
  if (epochs !== undefined) group.setEpochs(readStreamsEpochs(epochs));
  for (const [memberId, bytes] of values.get('target') ?? []) group.putTarget(memberId, readStreamsTarget(bytes));
  const progress = values.get('progress');
  for (const [memberId, bytes] of values.get('identity') ?? []) {
    const reached = progress?.get(memberId);
    const member = { ...newStreamsMember(memberId), ...readStreamsIdentity(bytes) };
    group.putMember(reached === undefined ? member : { ...member, ...readStreamsProgress(reached) });
  }
  return group;
}
