/** Runs the commands of other people's suites, which may hang, and gets their sources. For scripts/suites.mjs. */

import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Missing } from '../build/bench/peers/cache.js';
import { canRun, runCommand } from '../build/bench/peers/commands.js';
import { kafkaCommandsClassPath } from '../build/bench/peers/kafka-jars.js';

/** What a command that does not come to an end may print, in characters: one that tries again for ever prints without end. */
const mostPrinted = 128 * 1024 * 1024;

/**
 * Runs a command to its end, or kills it and all that it started after `limitMs`, or where it prints too much. Its output goes to the file `log` too.
 * Resolves with what it printed to stdout and stderr, and `isLate` where it was killed.
 */
export function run(file, args, { cwd, environment = {}, limitMs, log }) {
  mkdirSync(dirname(log), { recursive: true });
  const kept = createWriteStream(log);
  return new Promise((resolve, reject) => {
    // A group of its own, so that what it started ends with it.
    const child = spawn(file, args, { cwd, env: { ...process.env, ...environment }, detached: true });
    let printed = '';
    let isLate = false;
    const kill = () => {
      if (isLate) return;
      isLate = true;
      killGroup(child.pid);
    };
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        if (isLate) return;
        printed += text;
        kept.write(text);
        if (printed.length > mostPrinted) kill();
      });
    }
    child.stdin.end();
    const limit = setTimeout(kill, limitMs);
    child.on('error', reject);
    child.on('close', (status) => {
      clearTimeout(limit);
      kept.end();
      resolve({ printed, status, isLate });
    });
  });
}

function killGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // All of them have ended by themselves just now, and nothing is left but what they printed.
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Throws `Missing` unless all of the commands are there. */
export function needs(what, ...commands) {
  const missing = commands.filter((command) => !canRun(command, '--version') && !canRun(command, 'version'));
  if (missing.length > 0) throw new Missing(`${missing.join(', ')} cannot be run here: ${what} is left out`);
}

/** Clones one tag of a repository into `into`. Throws `Missing` where it cannot be reached. */
export function clone(url, tag, into) {
  needs(url, 'git');
  try {
    runCommand('git', ['-c', 'advice.detachedHead=false', 'clone', '-q', '--depth', '1', '--branch', tag, url, into]);
  } catch (error) {
    throw new Missing(`${url} at ${tag} cannot be cloned here: ${error.message.split('\n').at(-2)}`);
  }
}

/** Runs `task` on each item, `width` at a time; the results stand in the order of the items. */
export async function inParallel(items, width, task) {
  const results = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const i = next++;
      results[i] = await task(items[i]);
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}

const scripts = {
  'kafka-topics.sh': 'org.apache.kafka.tools.TopicCommand',
  'kafka-configs.sh': 'kafka.admin.ConfigCommand',
};

/** A folder with those of Kafka's scripts that suites call, as it is in a distribution of Kafka. */
export function kafkaPath(folder) {
  const bin = join(folder, 'kafka', 'bin');
  mkdirSync(bin, { recursive: true });
  for (const [script, command] of Object.entries(scripts)) {
    const line = `exec java -Xmx256M -XX:TieredStopAtLevel=1 -cp '${kafkaCommandsClassPath(console.error)}' ${command} "$@"`;
    writeFileSync(join(bin, script), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
  }
  return join(folder, 'kafka');
}
