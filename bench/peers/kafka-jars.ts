/** Apache Kafka's own jars, by Maven from a pom written here: the broker, and the tools of its newest release. Main thread. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { installed, Missing } from './cache.ts';
import { canRun, runCommand } from './commands.ts';

export const kafkaVersion = '4.4.0';
export const kafkaToolsVersion = '4.3.1';
/** The loggers say what goes wrong and nothing else. */
const slf4jVersion = '1.7.36';

/** The class path of the broker. Throws `Missing`. */
export function kafkaBrokerClassPath(onNote: (note: string) => void): string {
  return classPath(`apache-kafka-${kafkaVersion}`, ['kafka_2.13'], kafkaVersion, onNote);
}

/** The class path of the performance tools. Throws `Missing`. */
export function kafkaToolsClassPath(onNote: (note: string) => void): string {
  return classPath(`apache-kafka-tools-${kafkaToolsVersion}`, ['kafka-tools'], kafkaToolsVersion, onNote);
}

/** The class path of all command-line tools, of which one is in the broker's jar. Throws `Missing`. @public for scripts/. */
export function kafkaCommandsClassPath(onNote: (note: string) => void): string {
  const name = `apache-kafka-commands-${kafkaToolsVersion}`;
  return classPath(name, ['kafka-tools', 'kafka_2.13'], kafkaToolsVersion, onNote);
}

function classPath(
  name: string,
  artifacts: readonly string[],
  version: string,
  onNote: (note: string) => void,
): string {
  if (!canRun('java')) throw new Missing('Java (17 or newer) cannot be run here: Apache Kafka is left out');
  const folder = installed(name, onNote, (into) => {
    if (!canRun('mvn')) throw new Missing('Maven cannot be run here, and fetches the jars: Apache Kafka is left out');
    writeFileSync(join(into, 'pom.xml'), pom(name, artifacts, version));
    runCommand('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=libs'], { cwd: into });
  });
  return join(folder, 'libs', '*');
}

function pom(name: string, artifacts: readonly string[], version: string): string {
  const dependency = (group: string, artifact: string, release: string): string =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${release}</version></dependency>`;
  return [
    '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>',
    `<groupId>millrace</groupId><artifactId>${name}</artifactId><version>1</version><dependencies>`,
    ...artifacts.map((artifact) => dependency('org.apache.kafka', artifact, version)),
    dependency('org.slf4j', 'slf4j-simple', slf4jVersion),
    '</dependencies></project>\n',
  ].join('\n');
}
