/**
 * The oracle's requests of groups whose members speak both protocols (KIP-848): classic members in a consumer group, and
 * groups that become the one or the other.
 */

import { assignmentOf, ClassicMember } from './oracle-classic-member.mjs';
import { byMemberId, describe, Member } from './oracle-consumer-member.mjs';
import { assignable, coordinated, idOf } from './oracle-group-member.mjs';
import { create, newTopic, settled } from './oracle-requests.mjs';

const describeClassic = (member, label) =>
  member.target.ask(`describe classic, ${label}`, 15, 6, { groups: [member.groupId] }, member.mask);

async function describeConsumers(member, label) {
  const target = {
    ask: (l, key, version, fields, part) =>
      member.target.ask(l, key, version, fields, (given) => byMemberId(member.mask(part(given)))),
  };
  await describe(target, label, member.groupId);
}

export async function upgradeAndDowngrade(target) {
  const topic = target.topic('moves');
  await create(target, 'before', [newTopic(topic, 4)]);
  await settled();
  const groupId = target.topic('moves');
  await coordinated(target, groupId);
  const classic = new ClassicMember(target, groupId, [topic]);
  const consumer = new Member(target, 1, groupId, idOf(1), { subscribedTopicNames: [topic], serverAssignor: 'range' });
  await classic.join('classic joins');
  await classic.sync('classic syncs', [
    { memberId: classic.memberId, assignment: assignmentOf([[topic, [0, 1, 2, 3]]]) },
  ]);
  await classic.heartbeat('classic beats');
  await consumer.join('consumer joins');
  await describeConsumers(classic, 'upgraded');
  await describeClassic(classic, 'upgraded');
  await classic.heartbeat('classic hears');
  await classic.sync('classic syncs in between');
  await classic.join('classic joins again', { owned: [[topic, [0, 1, 2, 3]]] });
  await classic.sync('classic learns');
  await classic.heartbeat('classic has not revoked');
  await describeConsumers(classic, 'revoking');
  await consumer.beat('consumer waits');
  await classic.join('classic has revoked', { owned: [[topic, [2, 3]]] });
  await classic.sync('classic has its own');
  await classic.heartbeat('classic is settled');
  await classic.heartbeat('classic, wrong generation', 1);
  await consumer.beat('consumer gets');
  await consumer.ack('consumer has');
  await describeConsumers(classic, 'settled');
  await classic.join('other protocol type', { protocols: ['else'] });
  await classic.join('classic joins unchanged', { owned: [[topic, [2, 3]]] });
  await classic.sync('classic learns unchanged');
  await assignable();
  await consumer.leave('consumer leaves');
  await describeClassic(classic, 'downgraded');
  await describeConsumers(classic, 'downgraded');
  await classic.heartbeat('classic hears of the downgrade');
  await classic.join('classic leads again', { owned: [[topic, [2, 3]]] });
  await classic.sync('classic assigns', [{ memberId: classic.memberId, assignment: assignmentOf([[topic, [0, 1]]]) }]);
  await describeClassic(classic, 'stable');
  await consumer.join('consumer joins again');
  await classic.leave('classic leaves');
  await describeConsumers(classic, 'consumer is left');
  await consumer.leave('all left');
  const late = new ClassicMember(target, groupId, [topic], { name: 'late' });
  await late.join('late joins the empty consumer group');
  await describeClassic(late, 'of an empty consumer group');
  await late.leave('late leaves');
  await assignable();
  await consumer.join('consumer joins the empty classic group');
  await consumer.leave('consumer leaves at last');
}

export async function classicMembersOfConsumerGroups(target) {
  const topic = target.topic('mixed');
  await create(target, 'before', [newTopic(topic, 2)]);
  await settled();
  const groupId = target.topic('mixed');
  await coordinated(target, groupId);
  const consumer = new Member(target, 1, groupId, idOf(1), { subscribedTopicNames: [topic], serverAssignor: 'range' });
  await consumer.join('consumer joins');
  await consumer.ack('consumer has');
  const classic = new ClassicMember(target, groupId, [topic], { instanceId: 'one' });
  await assignable();
  await classic.join('static classic joins');
  await classic.sync('static classic syncs');
  await consumer.beat('consumer hears');
  await consumer.ack('consumer has revoked');
  await classic.heartbeat('static classic hears');
  await classic.join('static classic joins again');
  await classic.sync('static classic learns');
  await describeConsumers(classic, 'mixed');
  const unknown = new ClassicMember(target, groupId, [topic]);
  unknown.memberId = 'nobody';
  unknown.generation = 3;
  await unknown.heartbeat('unknown beats');
  await unknown.sync('unknown syncs');
  await unknown.leave('unknown leaves');
  const asConsumer = new ClassicMember(target, groupId, [topic]);
  asConsumer.memberId = idOf(1);
  asConsumer.generation = consumer.epoch;
  await asConsumer.heartbeat('a consumer beats as classic');
  await asConsumer.sync('a consumer syncs as classic');
  const again = new ClassicMember(target, groupId, [topic], { instanceId: 'one', name: 'again' });
  await again.join('static classic comes back');
  await again.sync('static classic comes back, syncs');
  await classic.heartbeat('replaced beats');
  await again.heartbeat('static classic is settled');
  const upgraded = new Member(target, 1, groupId, idOf(2), { ...consumer.described, instanceId: 'one' });
  await upgraded.join('static member comes back as a consumer');
  await describeConsumers(again, 'all consumers');
  await upgraded.leave('static consumer pauses', -2);
  await consumer.leave('consumer leaves');
  const last = new ClassicMember(target, groupId, [topic], { instanceId: 'one', name: 'last' });
  await assignable();
  await last.join('static member comes back as classic');
  await describeClassic(last, 'downgraded by a static member');
  await last.sync('static member syncs');
  await last.heartbeat('static member beats');
  await last.leave('static member leaves');
}
