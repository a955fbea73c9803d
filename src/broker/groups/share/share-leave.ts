/**
 * Members of a share group that go: by themselves, or because they were not heard of in time. I/O thread.
 */

import { ShareEdit } from './share-edit.ts';
import type { ShareRun } from './share-run.ts';

/**
 * Takes the member out; the others hear of their new targets when they are heard of next. Records that it has stay with it
 * until its session or their locks end, as with Kafka: a client that closes leaves first, and then says what became of them.
 */
export function fenceShareMember(run: ShareRun, memberId: string): void {
  const { group, surroundings } = run;
  const edit = new ShareEdit(group);
  edit.removeMember(memberId);
  run.dropTimers(memberId);
  const epoch = group.epoch + 1;
  const metadataHash = surroundings.topics.hash(group.subscriptions.topics());
  // An empty group is assigned, and the member that joins next need not wait.
  edit.setEpochs({ epoch, metadataHash, ...(group.isEmpty ? { assignmentEpoch: epoch, assignedMs: 0 } : {}) });
  run.commit(edit);
}
