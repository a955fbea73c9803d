/**
 * Apache Kafka's own command line tools, fetched once through Maven into node_modules/.cache, for scripts that hold
 * Millrace's files against them. They are never a part of Millrace.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const version = '4.3.1';
const cache = fileURLToPath(new URL(`../node_modules/.cache/kafka-tools-${version}`, import.meta.url));
const largestOutputBytes = 1024 ** 3;

/** What is missing on this machine for the tools to run, as a sentence, or null. */
export function missingForKafkaTools() {
  const missing = ['java', 'mvn'].filter((command) => spawnSync(command, ['-version']).error !== undefined);
  if (missing.length === 0) return null;
  return `This needs Java (17 or newer) and Maven, and ${missing.join(' and ')} cannot be run here: install them and try again.`;
}

/** The class path of the tools, which Maven fetches where they are not there yet. */
export function kafkaToolsClassPath() {
  const libraries = join(cache, 'libs');
  const mark = join(cache, 'complete');
  if (!existsSync(mark)) {
    mkdirSync(cache, { recursive: true });
    const dependency = (group, artifact, release) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${release}</version></dependency>`;
    const pom = [
      '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>',
      '<groupId>millrace</groupId><artifactId>kafka-tools</artifactId><version>1</version><dependencies>',
      dependency('org.apache.kafka', 'kafka-tools', version),
      dependency('org.slf4j', 'slf4j-nop', '1.7.36'),
      '</dependencies></project>',
    ];
    writeFileSync(join(cache, 'pom.xml'), pom.join(''));
    run('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=libs'], cache);
    writeFileSync(mark, '');
  }
  return join(libraries, '*');
}

/** Runs a tool and returns what it says, errors included; throws where it does not end with 0. */
export function runKafkaTool(name, args) {
  return run('java', ['-Xmx512M', '-cp', kafkaToolsClassPath(), `org.apache.kafka.tools.${name}`, ...args]);
}

function run(command, args, cwd) {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: largestOutputBytes });
  if (status !== 0)
    throw new Error(`${command} ${args.slice(0, 5).join(' ')} … ended with ${status}:\n${stdout}${stderr}`);
  return stdout + stderr;
}
