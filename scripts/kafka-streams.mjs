/**
 * Kills a Kafka Streams application with exactly_once_v2 and the program under it again and again, and compares what comes
 * out with what one pass over the input computes: `npm run test:kafka-streams -- [--kills N] [--seed S] [--protocol classic|streams]
 * [--version V]`. The loop itself is test/clients/more/streams.check.ts, of which `npm run test:clients` runs a short
 * form. Needs Java 17 or newer, and Maven, which fetches Kafka's jars once.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { readCommandLine, wholeNumber } from './command-line.mjs';
import { missingForKafkaTools } from './kafka-tools.mjs';

const { values } = readCommandLine({
  usage: 'npm run test:kafka-streams -- [--kills N] [--seed S] [--protocol classic|streams] [--version V]',
  options: {
    kills: { type: 'string', default: '20' },
    seed: { type: 'string', default: String(Date.now() % 1e9) },
    protocol: { type: 'string', default: '' },
    version: { type: 'string' },
  },
});
wholeNumber('kills', values.kills);
wholeNumber('seed', values.seed);
const missing = missingForKafkaTools();
if (missing !== null) {
  process.stderr.write(`${missing}\n`);
  process.exit(1);
}
process.stdout.write(`seed ${values.seed}\n`);
const chosen = values.protocol === '' ? [] : ['-t', `protocols: ${values.protocol}$`];
const config = ['--config', 'test/clients/more/vitest.config.ts', '--reporter=verbose'];
const { status } = spawnSync(
  process.execPath,
  ['node_modules/vitest/vitest.mjs', 'run', 'test/clients/more/streams.check.ts', ...config, ...chosen],
  {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    stdio: 'inherit',
    env: {
      ...process.env,
      STREAMS_KILLS: values.kills,
      STREAMS_SEED: values.seed,
      ...(values.version === undefined ? {} : { STREAMS_VERSION: values.version }),
    },
  },
);
process.exitCode = status ?? 1;
