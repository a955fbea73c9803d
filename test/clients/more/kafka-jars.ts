/** Jars of Kafka that tests run, fetched once by Maven, and programs of our own in Java that are compiled against them. */

import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cacheDirectory, isInstalled, run } from './other-program.ts';

/** The newest of Kafka's clients that is published. */
const newestVersion = '4.3.1';

/** What is missing on this machine to run Java programs, as a sentence, or null. */
export function missingForJava(): string | null {
  const missing = [isInstalled('java') ? [] : ['Java (17 or newer)'], isInstalled('mvn') ? [] : ['Maven']].flat();
  if (missing.length === 0) return null;
  return `${missing.join(' and ')} cannot be run here, so the tests of the Java clients are skipped: install what is missing.`;
}

/** Has Maven fetch an artifact of Kafka and what it needs, once; gives their class path. */
export async function kafkaClassPath(artifact: string, version = newestVersion): Promise<string> {
  const directory = join(cacheDirectory, `${artifact}-${version}`);
  const libraries = join(directory, 'libs');
  const mark = join(directory, 'complete');
  if (!existsSync(mark)) {
    await mkdir(directory, { recursive: true });
    const dependency = (group: string, name: string, release: string): string =>
      `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${release}</version></dependency>`;
    const dependencies = [
      dependency('org.apache.kafka', artifact, version),
      dependency('org.slf4j', 'slf4j-simple', '1.7.36'),
    ];
    const self = '<groupId>millrace</groupId><artifactId>java-clients</artifactId><version>1</version>';
    const project = `<modelVersion>4.0.0</modelVersion>${self}<dependencies>${dependencies.join('')}</dependencies>`;
    const pom = `<project xmlns="http://maven.apache.org/POM/4.0.0">${project}</project>`;
    await writeFile(join(directory, 'pom.xml'), pom);
    await run('mvn', ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=libs'], { directory });
    await writeFile(mark, '');
  }
  return join(libraries, '*');
}

/** Compiles a source file beside this one into `directory`; gives the class path to run it with. */
export async function compiledJava(source: string, classPath: string, directory: string): Promise<string> {
  const path = fileURLToPath(new URL(source, import.meta.url));
  await run('javac', ['-cp', classPath, '-d', directory, path]);
  return `${directory}:${classPath}`;
}
