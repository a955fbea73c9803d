/**
 * Sarama's functional tests. They want five brokers, each behind a toxiproxy that slows it, cuts it off and resets its
 * connections: here all five proxies lead to the one broker, which tells its clients to come through the first. Its
 * topics have one replica in place of three; nothing else is changed in them. What starts and stops brokers, or
 * Kafka's own clients, with Docker fails on either side.
 *
 *   client ─► toxiproxy, 127.0.0.1:29091 … 29095 ─► broker
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installed } from '../build/bench/peers/cache.js';
import { runCommand } from '../build/bench/peers/commands.js';
import { freePorts, loopback, untilListening } from '../build/bench/peers/ports.js';
import { needs } from './suite-commands.mjs';
import { copyModule, goTest } from './suite-go.mjs';

const version = '1.60.1';
const toxiproxyVersion = '2.12.0';
const minute = 60_000;
const slowestStartMs = 10_000;
/** The tests expect the proxies there. */
const firstPort = 29_091;
const proxyCount = 5;

export const sarama = {
  name: 'Sarama',
  version,
  settings: {
    'advertised.listeners': `PLAINTEXT://${loopback}:${firstPort}`,
    // As Sarama's own brokers have it: what asks for a topic that is missing is not to make it.
    'auto.create.topics.enable': 'false',
  },
  install(onNote) {
    return installed(`suite-sarama-${version}`, onNote, (into) => {
      needs('Sarama', 'go');
      const toxiproxy = `github.com/Shopify/toxiproxy/v2/cmd/server@v${toxiproxyVersion}`;
      runCommand('go', ['install', toxiproxy], { cwd: into, environment: { GOBIN: into } });
      const source = join(into, 'sarama');
      copyModule('github.com/IBM/sarama', version, source);
      withOneReplica(source);
      const test = ['test', '-tags', 'functional', '-c', '-o', join(into, 'sarama.test'), '.'];
      runCommand('go', test, { cwd: source });
    });
  },
  async run(folder, address, log) {
    const [port] = await freePorts(1);
    const proxy = spawn(join(folder, 'server'), ['-host', loopback, '-port', `${port}`], { stdio: 'ignore' });
    try {
      if (!(await untilListening(port, slowestStartMs))) throw new Error('toxiproxy does not start');
      await populate(port, address);
      const environment = { TOXIPROXY_ADDR: `http://${loopback}:${port}`, KAFKA_VERSION: '4.1.0' };
      const flags = ['-test.timeout=24m'];
      const cwd = join(folder, 'sarama');
      return await goTest(join(folder, 'sarama.test'), flags, { cwd, environment, limitMs: 25 * minute, log });
    } finally {
      if (proxy.kill()) await once(proxy, 'exit');
    }
  },
};

async function populate(port, upstream) {
  const proxies = Array.from({ length: proxyCount }, (_, i) => ({
    name: `kafka${i + 1}`,
    listen: `${loopback}:${firstPort + i}`,
    upstream,
    enabled: true,
  }));
  const response = await fetch(`http://${loopback}:${port}/populate`, {
    method: 'POST',
    body: JSON.stringify(proxies),
  });
  if (!response.ok) throw new Error(`toxiproxy refuses its proxies: ${await response.text()}`);
}

function withOneReplica(source) {
  const file = join(source, 'functional_test.go');
  const before = readFileSync(file, 'utf8');
  const after = before
    .replaceAll(/ReplicationFactor: 3\b/g, 'ReplicationFactor: 1')
    .replace('len(partition.Isr) != 3', 'len(partition.Isr) != 1');
  if (!after.includes('ReplicationFactor: 1') || !after.includes('!= 1 {')) throw new Error('the tests have changed');
  writeFileSync(file, after);
}
