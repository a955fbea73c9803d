/**
 * Apache Kafka as a server that is measured: one node that is broker and controller, with the JVM's flags and the heap of
 * its own start script, and its own settings but for those that one node needs, and when files of deleted topics go. Main
 * thread.
 */

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ServerKind } from '../load/server-under-test.ts';
import { runCommand } from './commands.ts';
import { kafkaBrokerClassPath, kafkaVersion } from './kafka-jars.ts';
import { freePorts, loopback, untilListening } from './ports.ts';

const jvmFlags = [
  '-server',
  ...['-Xmx1G', '-Xms1G', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20', '-XX:InitiatingHeapOccupancyPercent=35'],
  ...['-XX:+ExplicitGCInvokesConcurrent', '-Djava.awt.headless=true', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'],
];
const clusterId = 'MillracePeersAAAAAAAAA';
const slowestStartMs = 180_000;

/** `more` are settings beside its own. Throws `Missing` where Java or Maven is not there. */
export function apacheKafka(onNote: (note: string) => void, more: Readonly<Record<string, string>> = {}): ServerKind {
  const classPath = kafkaBrokerClassPath(onNote);
  return {
    name: `Apache Kafka ${kafkaVersion}`,
    command: async (directory) => {
      const [port, controllerPort] = (await freePorts(2)) as [number, number];
      const settings = join(directory, 'server.properties');
      writeFileSync(settings, properties(join(directory, 'data'), port, controllerPort, more));
      if (!existsSync(join(directory, 'data'))) {
        const format = ['-cp', classPath, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', settings];
        runCommand('java', format);
      }
      return {
        file: 'java',
        args: [...jvmFlags, '-cp', classPath, 'kafka.Kafka', settings],
        doors: async () => {
          if (await untilListening(port, slowestStartMs)) return { kafka: { host: loopback, port } };
          throw new Error(`Apache Kafka did not open its port within ${slowestStartMs / 1000} s`);
        },
      };
    },
  };
}

function properties(
  data: string,
  port: number,
  controllerPort: number,
  more: Readonly<Record<string, string>>,
): string {
  return [
    'process.roles=broker,controller',
    'node.id=1',
    `controller.quorum.voters=1@${loopback}:${controllerPort}`,
    `listeners=PLAINTEXT://${loopback}:${port},CONTROLLER://${loopback}:${controllerPort}`,
    `advertised.listeners=PLAINTEXT://${loopback}:${port}`,
    'controller.listener.names=CONTROLLER',
    'inter.broker.listener.name=PLAINTEXT',
    `log.dirs=${data}`,
    // What one node cannot have otherwise.
    'offsets.topic.replication.factor=1',
    'transaction.state.log.replication.factor=1',
    'transaction.state.log.min.isr=1',
    'share.coordinator.state.topic.replication.factor=1',
    'share.coordinator.state.topic.min.isr=1',
    // A minute by default: the files of topics that are deleted after one measurement would go during another.
    'log.segment.delete.delay.ms=1000',
    ...Object.entries(more).map(([name, value]) => `${name}=${value}`),
    '',
  ].join('\n');
}
