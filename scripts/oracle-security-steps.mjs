/**
 * The oracle's requests about who may do what: with brokers that authenticate nobody they are refused, or answered with
 * nothing, except for SCRAM credentials, which are kept all the same; the scenario takes back those that it makes.
 */

import { randomBytes } from 'node:crypto';
import { range, settled } from './oracle-requests.mjs';

const patternAny = 1;
const literal = 3;

export async function acls(target) {
  const filter = {
    resourceTypeFilter: 1,
    resourceNameFilter: null,
    patternTypeFilter: patternAny,
    principalFilter: null,
    hostFilter: null,
    operation: 1,
    permissionType: 1,
  };
  const acl = {
    resourceType: 2,
    resourceName: 'topic',
    resourcePatternType: literal,
    principal: 'User:somebody',
    host: '*',
    operation: 3,
    permissionType: 3,
  };
  for (const version of range(1, 3)) {
    await target.ask('describe', 29, version, filter);
    await target.ask('describe of unknown', 29, version, { ...filter, resourceTypeFilter: 99 });
    await target.ask('create', 30, version, { creations: [acl] });
    await target.ask('create two', 30, version, { creations: [acl, { ...acl, principal: 'nobody' }] });
    await target.ask('create none', 30, version, { creations: [] });
    await target.ask('create of unknown', 30, version, { creations: [{ ...acl, operation: 99 }] });
    await target.ask('delete', 31, version, { filters: [filter] });
    await target.ask('delete two', 31, version, { filters: [filter, { ...filter, operation: 99 }] });
    await target.ask('delete none', 31, version, { filters: [] });
  }
}

export async function sasl(target) {
  for (const version of range(0, 1)) {
    for (const mechanism of ['PLAIN', 'GSSAPI', 'SCRAM-SHA-256', ''])
      await target.ask(`handshake ${mechanism}`, 17, version, { mechanism });
  }
  for (const version of range(0, 2)) await target.ask('authenticate', 36, version, { authBytes: Buffer.from('x') });
}

export async function delegationTokens(target) {
  const hmac = Buffer.from('not one');
  for (const version of range(1, 3)) {
    await target.ask('create', 38, version, { renewers: [], maxLifetimeMs: -1 });
    await target.ask('create for others', 38, version, {
      ownerPrincipalType: version >= 3 ? 'User' : null,
      ownerPrincipalName: version >= 3 ? 'somebody' : null,
      renewers: [{ principalType: 'User', principalName: 'somebody' }],
      maxLifetimeMs: 1000,
    });
    await target.ask('create for groups', 38, version, {
      renewers: [{ principalType: 'Group', principalName: 'somebody' }],
      maxLifetimeMs: 1000,
    });
    await target.ask('describe', 41, version, { owners: null });
    await target.ask('describe some', 41, version, { owners: [{ principalType: 'User', principalName: 'somebody' }] });
    if (version === 3) continue;
    await target.ask('renew', 39, version, { hmac, renewPeriodMs: -1 });
    await target.ask('expire', 40, version, { hmac, expiryTimePeriodMs: -1 });
  }
}

export async function scramCredentials(target) {
  const user = target.topic('user');
  const describe = async (label, users) => {
    await settled();
    await target.ask(label, 50, 0, { users: users?.map((name) => ({ name })) ?? null });
  };
  const alter = (label, deletions, upsertions) => target.ask(label, 51, 0, { deletions, upsertions });
  const upsertion = (name, mechanism = 1, iterations = 4096, more = {}) => ({
    name,
    mechanism,
    iterations,
    salt: randomBytes(16),
    saltedPassword: randomBytes(mechanism === 2 ? 64 : 32),
    ...more,
  });
  const deletion = (name, mechanism = 1) => ({ name, mechanism });
  await describe('none', [user]);
  await describe('empty name', ['']);
  await describe('twice', [user, user]);
  await alter('delete none', [deletion(user)], []);
  await alter('set', [], [upsertion(user), upsertion(user, 2)]);
  await describe('set', [user]);
  await describe('set, of all', null);
  await describe('set, of an empty list', []);
  await describe('set and none', [user, `${user}-none`]);
  await alter('set again', [], [upsertion(user, 1, 8192)]);
  await describe('set again', [user]);
  await alter('delete one', [deletion(user, 2)], []);
  await describe('delete one', [user]);
  await alter('few iterations', [], [upsertion(user, 1, 4095)]);
  await alter('many iterations', [], [upsertion(user, 1, 16385)]);
  await alter('unknown mechanism', [], [upsertion(user, 0)]);
  await alter('no such mechanism', [], [upsertion(user, 9)]);
  await alter('delete unknown mechanism', [deletion(user, 0)], []);
  await alter('delete of no name', [deletion('')], []);
  await alter('no name', [], [upsertion('')]);
  await alter('no salt', [], [upsertion(user, 1, 4096, { salt: Buffer.alloc(0) })]);
  await alter('no password', [], [upsertion(user, 1, 4096, { saltedPassword: Buffer.alloc(0) })]);
  await alter('short password', [], [upsertion(user, 1, 4096, { saltedPassword: Buffer.alloc(5) })]);
  await alter('twice', [], [upsertion(user), upsertion(user)]);
  await alter('set and delete', [deletion(user)], [upsertion(user)]);
  await alter('one good, one bad', [], [upsertion(`${user}-b`), upsertion(user, 9)]);
  await alter('nothing', [], []);
  await alter('away', [deletion(user), deletion(`${user}-b`)], []);
  await describe('away', [user, `${user}-b`]);
}
