/** A streams group of one member, as an application makes it, for the commands of tools about such groups. */

import { OracleClient } from './oracle-client.mjs';
import { nothing, wordCount } from './oracle-streams-member.mjs';
import { Operation, Resource } from './oracle-requests.mjs';

const Key = { COMMIT: 8, FIND_COORDINATOR: 10, CONFIGS: 44, BEAT: 88 };
/** Of a coordinator that is not ready: loading, not available, not there. */
const comesLater = new Set([14, 15, 16]);
const pollMs = 100;
const mostPolls = 300;
const beatMs = 3000;

const pause = () => new Promise((resolve) => setTimeout(resolve, pollMs));

/** Has a member count the words of `topic`, with all of its tasks and an offset committed. Resolves with what has it leave. */
export async function startStreamsGroup(address, groupId, topic) {
  const client = new OracleClient(address, 'streams');
  const configs = [{ name: 'streams.initial.rebalance.delay.ms', value: '0', configOperation: Operation.SET }];
  const resources = [{ resourceType: Resource.GROUP, resourceName: groupId, configs }];
  await client.ask(Key.CONFIGS, 1, { resources, validateOnly: false });
  await client.ask(Key.FIND_COORDINATOR, 0, { key: groupId });
  const memberId = `${'A'.repeat(20)}1A`;
  const who = { groupId, memberId, instanceId: null };
  let memberEpoch = 0;
  let owned = nothing;
  const beat = async (fields) => {
    const answer = await client.ask(Key.BEAT, 1, { ...who, memberEpoch, ...fields });
    if (answer.errorCode === 0) {
      ({ memberEpoch } = answer);
      const { activeTasks, standbyTasks, warmupTasks } = answer;
      if (activeTasks !== null) owned = { activeTasks, standbyTasks, warmupTasks };
    } else if (!comesLater.has(answer.errorCode)) throw new Error(`the member gets error ${answer.errorCode}`);
  };
  const joining = {
    topology: wordCount(topic, groupId),
    rebalanceTimeoutMs: 45_000,
    processId: 'one',
    ...nothing,
    clientTags: [],
  };
  for (let polls = 0; owned.activeTasks.length < joining.topology.subtopologies.length; polls++) {
    if (polls === mostPolls) throw new Error(`the member of ${groupId} gets no tasks on ${address}`);
    await beat(memberEpoch === 0 ? joining : owned);
    await pause();
  }
  await beat(owned);
  const partition = { partitionIndex: 0, committedOffset: 1, committedLeaderEpoch: -1, committedMetadata: '' };
  await client.ask(Key.COMMIT, 9, {
    groupId,
    generationIdOrMemberEpoch: memberEpoch,
    memberId,
    groupInstanceId: null,
    topics: [{ name: topic, partitions: [partition] }],
  });
  let last = Promise.resolve();
  const beating = setInterval(() => (last = last.then(() => beat(owned))), beatMs);
  return async () => {
    clearInterval(beating);
    await last;
    await beat({ memberEpoch: -1 });
    client.close();
  };
}
