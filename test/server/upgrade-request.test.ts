/** Host, Origin and subprotocol headers as they come, and as attackers write them. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressText,
  chooseSubprotocol,
  hostAndPort,
  isHostAllowed,
  isLoopback,
  isOriginAllowed,
} from '../../src/server/upgrade-request.ts';

describe('hostAndPort', () => {
  it.each([
    ['broker.example:8080', { host: 'broker.example', port: 8080 }],
    ['broker.example', { host: 'broker.example', port: 80 }],
    ['[::1]:9000', { host: '::1', port: 9000 }],
    ['127.0.0.1:1', { host: '127.0.0.1', port: 1 }],
  ])('reads %s', (header, expected) => {
    expect(hostAndPort(header)).toEqual(expected);
  });

  it.each(['', 'a b', 'user@host', 'host/path', 'host:', 'host:99999', ':80', '[::1', 'a?b', 'x'.repeat(300)])(
    'refuses %j',
    (header) => {
      expect(hostAndPort(header)).toBeNull();
    },
  );

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (header) => void hostAndPort(header)));
  });
});

describe('isOriginAllowed', () => {
  it.each([
    ['', 'here:8080', [], true],
    ['http://here:8080', 'here:8080', [], true],
    ['http://HERE:8080', 'Here:8080', [], true],
    ['http://here', 'here:80', [], true],
    ['https://here', 'here', [], true],
    ['http://there:8080', 'here:8080', [], false],
    ['http://here:8081', 'here:8080', [], false],
    ['http://here:8080.evil.example', 'here:8080', [], false],
    ['null', 'here:8080', [], false],
    ['null', 'null', ['null'], false],
    ['file://here:8080', 'here:8080', [], false],
    ['https://shop.example', 'here:8080', ['https://shop.example'], true],
    ['http://shop.example', 'here:8080', ['https://shop.example'], false],
    ['http://anyone', 'here:8080', ['*'], true],
  ])('page of %j at %j, allowed %j: %j', (origin, host, allowed, expected) => {
    expect(isOriginAllowed(origin, host, allowed, 'Here')).toBe(expected);
  });

  it.each([
    ['http://evil.example:8080', 'evil.example:8080', null, false],
    ['http://evil.example:8080', 'evil.example:8080', 'broker.example', false],
    ['https://broker.example', 'broker.example', 'broker.example', true],
    ['http://localhost:8080', 'localhost:8080', null, true],
    ['http://localhost.evil.example', 'localhost.evil.example', null, false],
    ['http://127.0.0.1:8080', '127.0.0.1:8080', null, true],
    ['http://192.0.2.7', '192.0.2.7:80', null, true],
    ['http://127.0.0.1.evil.example', '127.0.0.1.evil.example', null, false],
    ['http://[::1]:8080', '[::1]:8080', null, true],
  ])('page of %j at %j, told to use %j: %j', (origin, host, ownName, expected) => {
    expect(isOriginAllowed(origin, host, [], ownName)).toBe(expected);
  });
});

describe('isHostAllowed', () => {
  it.each([
    ['127.0.0.1:8080', [], true],
    ['[::1]:8080', [], true],
    ['LOCALHOST', [], true],
    ['here:8080', [], true],
    ['evil.example:8080', [], false],
    ['127.0.0.1.evil.example', [], false],
    ['127.0.0.1@evil.example', [], false],
    ['', [], false],
    ['shop.example:1', ['https://shop.example'], true],
    ['evil.example', ['https://shop.example', 'none'], false],
    ['evil.example', ['*'], true],
  ])('%j, allowed %j: %j', (host, allowed, expected) => {
    expect(isHostAllowed(host, allowed, 'Here')).toBe(expected);
  });
});

describe('isLoopback', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.1.2.3', true],
    ['::1', true],
    ['localhost', true],
    ['0.0.0.0', false],
    ['::', false],
    ['127.0.0.1.example', false],
  ])('%j: %j', (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });
});

describe('chooseSubprotocol', () => {
  it.each([
    ['kafka', 'kafka'],
    ['binary, kafka', 'kafka'],
    ['binary', 'binary'],
    ['', ''],
    ['mqtt', null],
    ['kafkaesque', null],
  ])('%j: %j', (offered, expected) => {
    expect(chooseSubprotocol(offered, ['kafka', 'binary'])).toBe(expected);
  });
});

describe('addressText', () => {
  it('writes both families, and mapped addresses as IPv4', () => {
    expect(addressText(Uint8Array.of(192, 0, 2, 7))).toBe('192.0.2.7');
    const address = new Uint8Array(16);
    address[15] = 1;
    expect(addressText(address)).toBe('::1');
    address.set([0xff, 0xff, 127, 0, 0, 1], 10);
    expect(addressText(address)).toBe('127.0.0.1');
    expect(addressText(new Uint8Array(0))).toBe('');
  });
});
