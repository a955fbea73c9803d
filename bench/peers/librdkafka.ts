/**
 * librdkafka's own `rdkafka_performance`, a client that neither side wrote: its source stands in the npm package
 * node-rdkafka, and is built here without what a benchmark over plain sockets does not need. Main thread.
 */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { installed, Missing } from './cache.ts';
import { canRun, runCommand } from './commands.ts';

const packageVersion = '3.6.1';
export const librdkafkaVersion = '2.12.0';

const withoutThese = ['ssl', 'gssapi', 'curl', 'zstd', 'lz4-ext', 'syslog'].map((part) => `--disable-${part}`);

/** The path of the program. Throws `Missing`. */
export function rdkafkaPerformance(onNote: (note: string) => void): string {
  const source = join('package', 'deps', 'librdkafka');
  const folder = installed(`librdkafka-${librdkafkaVersion}`, onNote, (into) => {
    const missing = ['gcc', 'g++', 'make'].filter((command) => !canRun(command, '--version'));
    if (missing.length > 0) throw new Missing(`${missing.join(', ')} cannot be run here: librdkafka is left out`);
    runCommand('npm', ['pack', '--silent', `node-rdkafka@${packageVersion}`], { cwd: into });
    const archive = readdirSync(into).find((name) => name.endsWith('.tgz'))!;
    runCommand('tar', ['xzf', archive], { cwd: into });
    const cwd = join(into, source);
    runCommand('./configure', [...withoutThese, '--enable-static'], { cwd });
    runCommand('make', ['-j2', 'libs'], { cwd });
    runCommand('make', ['-C', 'examples', 'rdkafka_performance'], { cwd });
  });
  return join(folder, source, 'examples', 'rdkafka_performance');
}
