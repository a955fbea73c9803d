/** What a process may do to brokers that it embeds, and what it gets: calls that overlap a close or a reset, or come after it. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { startBroker, text, type RunningBroker, type StartOptions } from '../src/index.ts';

const directories: string[] = [];
const brokers: RunningBroker[] = [];

afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.close();
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

async function start(options: StartOptions): Promise<RunningBroker> {
  const broker = await startBroker({ kafka: false, http: false, ...options });
  brokers.push(broker);
  return broker;
}

function directory(): string {
  const made = mkdtempSync(join(tmpdir(), 'millrace-embedding-'));
  directories.push(made);
  return made;
}

async function valuesOf(broker: RunningBroker, topic: string): Promise<string[]> {
  const values: string[] = [];
  for await (const { value } of broker.consume(topic, { value: text, untilEnd: true })) values.push(value!);
  return values;
}

/** Listeners that a broker may have left at the process. */
function listeners(): Record<string, number> {
  return Object.fromEntries(process.eventNames().map((name) => [String(name), process.listenerCount(name)]));
}

describe('a close', () => {
  it('lets what is being produced be stored or refused, and nothing that was acknowledged is lost', async () => {
    const data = directory();
    const broker = await start({ data });
    await broker.createTopic('t', { partitions: 3 });
    const under = Array.from({ length: 200 }, (_, i) => broker.produce('t', [{ value: `value ${i}` }]));
    const [results] = await Promise.all([Promise.allSettled(under), broker.close(), broker.close()]);
    const stored = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [`value ${i}`] : []));
    for (const result of results) if (result.status === 'rejected') expect(result.reason.name).toBe('BrokerError');
    const found = await valuesOf(await start({ data }), 't');
    expect(found).toEqual(expect.arrayContaining(stored));
    expect(new Set(found).size).toBe(found.length);
  });

  it('is followed by refusals, whatever is asked for', async () => {
    const broker = await start({ storage: 'memory' });
    await broker.createTopic('t');
    await broker.close();
    await broker.close();
    const refused = { name: 'BrokerError', code: 'BROKER_NOT_AVAILABLE' };
    await expect(broker.produce('t', [{ value: 'late' }])).rejects.toMatchObject(refused);
    await expect(broker.createTopic('later')).rejects.toMatchObject(refused);
    await expect(broker.deleteTopic('t')).rejects.toMatchObject(refused);
    await expect(broker.reset()).rejects.toMatchObject(refused);
    expect(() => broker.consume('t')).toThrow('closed');
  });

  it('leaves no listeners at the process', async () => {
    await (await startBroker({ storage: 'memory' })).close();
    const before = listeners();
    for (let i = 0; i < 12; i++) await (await startBroker({ storage: 'memory' })).close();
    expect(listeners()).toEqual(before);
  });
});

describe('a directory', () => {
  it('has one broker: the second is told so, and the first goes on', async () => {
    const data = directory();
    const first = await start({ data });
    await first.produce('t', [{ value: 'a' }]);
    const refused = { name: 'EnvironmentError', code: 'DATA_DIRECTORY_IN_USE' };
    await expect(start({ data })).rejects.toMatchObject(refused);
    await expect(Promise.all([start({ data }), start({ data })])).rejects.toMatchObject(refused);
    await first.produce('t', [{ value: 'b' }]);
    await first.close();
    expect(await valuesOf(await start({ data }), 't')).toEqual(['a', 'b']);
  });
});

describe('a reset', () => {
  it('ends what reads and answers what produces, and the broker is as new', async () => {
    const broker = await start({ storage: 'memory' });
    await broker.createTopic('t');
    await broker.produce('t', [{ value: 'old' }]);
    const reader = broker.consume('t', { value: text });
    const member = broker.consume('t', { value: text, group: 'g' });
    await reader.next();
    await member.next();
    const waiting = [reader.next(), member.next()];
    const under = Array.from({ length: 50 }, (_, i) => broker.produce('t', [{ value: `of before ${i}` }]));
    await broker.reset();
    // Each is told something: a record of before, an end, or that the topic is gone.
    await Promise.allSettled([...under, ...waiting]);
    await Promise.all([reader.return!(), member.return!()]);
    await broker.reset();
    expect(await broker.produce('t', [{ value: 'new' }])).toEqual([{ topic: 't', partition: 0, offset: 0 }]);
    expect(await valuesOf(broker, 't')).toEqual(['new']);
  });

  it('may overlap another and a close', async () => {
    const broker = await start({ storage: 'memory' });
    await broker.produce('t', [{ value: 'x' }]);
    await Promise.all([broker.reset(), broker.reset()]);
    const [, closed] = await Promise.allSettled([broker.reset(), broker.close()]);
    expect(closed.status).toBe('fulfilled');
  });
});
