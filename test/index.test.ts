/** Embedding: whole brokers inside this process. */

import type { IncomingMessage } from 'node:http';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { EnvironmentErrorCode } from '../src/base/environment-error.ts';
import { startBroker, type RunningBroker, type StartOptions } from '../src/index.ts';
import { incrementalAlterConfigsApi } from '../src/protocol/generated/index.ts';
import { WireClient } from './program/wire-client.ts';

let directory: string;
const brokers: RunningBroker[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'millrace-embedded-'));
});

afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.close();
  rmSync(directory, { recursive: true, force: true });
});

async function start(name: string, options: StartOptions = {}): Promise<RunningBroker> {
  const data = join(directory, name);
  const broker = await startBroker({ data, kafka: '127.0.0.1:0', http: '127.0.0.1:0', ...options });
  brokers.push(broker);
  return broker;
}

describe('startBroker', () => {
  it('gives a broker that serves, with its addresses', async () => {
    const broker = await start('data');
    expect(broker).toMatchObject({
      dataDirectory: join(directory, 'data'),
      createdDataDirectory: true,
      nodeId: 0,
      missingHttp: null,
    });
    const client = await WireClient.connect(broker.kafka!.port);
    await client.createTopic('t');
    expect(await client.produce('t', 'hello')).toBe(0);
    expect((await client.fetch('t', 0)).includes('hello')).toBe(true);
    expect((await fetch(`http://127.0.0.1:${broker.http!.port}/readyz`)).status).toBe(200);
  });

  it('runs several beside one another, each with its own topics', async () => {
    const [one, two] = await Promise.all([start('one'), start('two', { settings: { 'node.id': '2' } })]);
    expect(two.nodeId).toBe(2);
    expect(one.clusterId).not.toBe(two.clusterId);
    for (const [index, broker] of [one, two].entries()) {
      const client = await WireClient.connect(broker.kafka!.port);
      await client.createTopic('t');
      await client.produce('t', `of broker ${index}`);
      expect((await client.fetch('t', 0)).includes(`of broker ${index}`)).toBe(true);
    }
  });

  it('closes at the end of a block, gives the directory up, and keeps what was written', async () => {
    const first = await start('data', { http: 'off' });
    expect(first.http).toBeNull();
    const writer = await WireClient.connect(first.kafka!.port);
    await writer.createTopic('t');
    await writer.produce('t', 'kept', 1);
    await first[Symbol.asyncDispose]();
    await first.close();
    await expect(WireClient.connect(first.kafka!.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    const second = await start('data');
    expect(second.createdDataDirectory).toBe(false);
    expect(second.clusterId).toBe(first.clusterId);
    const reader = await WireClient.connect(second.kafka!.port);
    expect((await reader.fetch('t', 0)).includes('kept')).toBe(true);
  });

  it('names in its metrics the address that clients of an open door are told', async () => {
    const advertised = { 'advertised.listeners': 'PLAINTEXT://kafka.test:1,WS://web.test:2' };
    const addressOf = async ({ http }: RunningBroker): Promise<string | undefined> => {
      const text = await (await fetch(`http://127.0.0.1:${http!.port}/metrics`)).text();
      return /^kafka_broker_info\{id="0",address="(.*?)"\} 1$/m.exec(text)?.[1];
    };
    const plain = await start('plain');
    expect(await addressOf(plain)).toBe(`127.0.0.1:${plain.kafka!.port}`);
    expect(await addressOf(await start('both', { settings: advertised }))).toBe('kafka.test:1');
    expect(await addressOf(await start('web', { kafka: 'off', settings: advertised }))).toBe('web.test:2');
  });

  it('refuses a directory that a broker of the same process has', async () => {
    await start('data');
    await expect(start('data')).rejects.toMatchObject({ code: EnvironmentErrorCode.DATA_DIRECTORY_IN_USE });
  });

  it('counts the connections of both doors against one bound, which may change', async () => {
    const broker = await start('data', { settings: { 'max.connections': '1' } });
    const client = await WireClient.connect(broker.kafka!.port);
    await client.createTopic('t');
    const open = () => new WebSocket(`ws://127.0.0.1:${broker.http!.port}/kafka`, 'kafka');
    const [, refusal] = (await once(
      open().on('error', () => {}),
      'unexpected-response',
    )) as [unknown, IncomingMessage];
    expect(refusal.statusCode).toBe(503);
    const change = { name: 'max.connections', configOperation: 0, value: '2' };
    const { responses } = await client.request(incrementalAlterConfigsApi, 1, {
      resources: [{ resourceType: 4, resourceName: '0', configs: [change] }],
      validateOnly: false,
    });
    expect(responses[0]!.errorCode).toBe(0);
    const socket = open();
    await once(socket, 'open');
    socket.terminate();
  });

  it('leaves nothing behind where it fails', async () => {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const kafka = `127.0.0.1:${port}`;
    await expect(start('data', { kafka })).rejects.toMatchObject({ code: EnvironmentErrorCode.ADDRESS_IN_USE });
    expect(existsSync(join(directory, 'data'))).toBe(false);
    server.close();
    await once(server, 'close');
    await start('data', { kafka });
  });

  it('gives the directory up where a later step of the start fails', async () => {
    // Both doors at one port, which is not seen from their names: it is free when it is looked at.
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    const { port } = probe.address() as AddressInfo;
    probe.close();
    await once(probe, 'close');
    const kafka = `127.0.0.1:${port}`;
    await expect(start('data', { kafka, http: `localhost:${port}` })).rejects.toMatchObject({
      code: EnvironmentErrorCode.ADDRESS_IN_USE,
    });
    expect(readdirSync(join(directory, 'data')).filter((name) => name.startsWith('millrace.lock.'))).toEqual([]);
    await start('data', { kafka });
  });

  it.each<[StartOptions, string]>([
    [{ kafka: '0.0.0.0:0' }, 'add --allow-unauthenticated'],
    [{ settings: { 'no.such': '1' } }, 'There is no setting no.such'],
    [{ settings: { 'log.retention.ms': 'soon' } }, 'Invalid value soon for configuration log.retention.ms'],
  ])('refuses %j', async (options, message) => {
    await expect(start('data', options)).rejects.toMatchObject({
      code: EnvironmentErrorCode.CONFIG_INVALID,
      message: expect.stringContaining(message),
    });
    expect(readdirSync(directory)).toEqual([]);
  });
});
