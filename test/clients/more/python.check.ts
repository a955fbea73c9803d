/** Python's confluent-kafka, unmodified, against the program over TCP. */

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { Program } from '../program.ts';
import { cacheDirectory, isInstalled, run } from './other-program.ts';

const script = fileURLToPath(new URL('python-client.py', import.meta.url));
const hasPython = isInstalled('python3');
if (!hasPython) console.log('python3 is not installed, so the tests of confluent-kafka are skipped.');

/** A Python that has confluent-kafka: the one there is, or one of its own into which the package is installed. */
async function pythonWithClient(): Promise<string> {
  const probe = ['-c', 'import confluent_kafka'];
  if (
    await run('python3', probe).then(
      () => true,
      () => false,
    )
  )
    return 'python3';
  const directory = join(cacheDirectory, 'python');
  const python = join(directory, 'bin', 'python3');
  if (!existsSync(python)) await run('python3', ['-m', 'venv', directory]);
  await run(python, ['-m', 'pip', 'install', '--quiet', 'confluent-kafka']);
  return python;
}

describe.skipIf(!hasPython)('confluent-kafka', () => {
  let program: Program;
  let python: string;

  beforeAll(async () => {
    python = await pythonWithClient();
    program = await Program.start(['group.consumer.heartbeat.interval.ms=200']);
  });
  afterAll(() => program[Symbol.asyncDispose]());

  it.each(['topics', 'produce', 'idempotence', 'rebalance', 'seek', 'times', 'groups', 'compact'])(
    '%s',
    async (scenario) => {
      await run(python, [script, program.kafka, scenario]);
    },
  );

  it('resumes after kill -9 of the broker', async () => {
    await run(python, [script, program.kafka, 'before-kill']);
    await program.kill();
    await program.restart();
    await run(python, [script, program.kafka, 'after-kill']);
  });
});
