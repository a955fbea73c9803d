/** The fuzzer as a program, started by scripts/fuzz.mjs: `npm run fuzz -- --seconds N [--seed S]`. Exits 1 for a finding. */

import { SingleBar } from 'cli-progress';
import { readCommandLine, wholeNumber } from '../../scripts/command-line.mjs';
import { fuzz, type FuzzProgress } from './fuzz-run.ts';

const { values } = readCommandLine({
  usage: 'npm run fuzz -- [--seconds N] [--seed S]',
  details: `Sends requests of every key and version, whole, changed and cut, to a real broker, and judges it.

  --seconds N   how long; default 60
  --seed S      where the random numbers begin, default 1; what runs side by side still varies in time`,
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
  },
});
const seconds = wholeNumber('seconds', values.seconds);
const seed = wholeNumber('seed', values.seed);

const write = (text: string): void => void process.stdout.write(`${text}\n`);
const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MB`;
const startedMs = performance.now();
const elapsedSeconds = (): number => Math.min((performance.now() - startedMs) / 1000, seconds);

const bar = process.stdout.isTTY
  ? new SingleBar({
      format: '{bar} {percentage}% | {requests} requests | {answers} answers | {problems} problems | {memory}',
    })
  : null;
const shown = ({ requests, answers, problems, residentBytes }: FuzzProgress) => ({
  requests,
  answers,
  problems,
  memory: megabytes(residentBytes),
});
bar?.start(seconds, 0, { requests: 0, answers: 0, problems: 0, memory: '' });
let lastLineMs = startedMs;
const result = await fuzz({
  seed,
  seconds,
  progress: (so) => {
    bar?.update(Math.floor(elapsedSeconds()), shown(so));
    if (bar !== null || performance.now() - lastLineMs < 10_000) return;
    lastLineMs = performance.now();
    write(`${elapsedSeconds().toFixed(0)} s: ${JSON.stringify(shown(so))}`);
  },
});
bar?.stop();

const kinds = [...result.byKind].map(([kind, count]) => `${count} ${kind}`).join(', ');
write(`${result.conversations} conversations (${kinds}), ${result.requests} requests, ${result.answers} answers.`);
write(`The broker took up to ${megabytes(result.largestResidentBytes)}.`);
write(
  `The bystander wrote ${result.bystanderRecords} records; its slowest request took ${Math.round(result.bystanderSlowestMs)} ms.`,
);
for (const sentence of result.sentences) write(`✗ ${sentence}`);
if (result.sentences.length > 0) write(`Repeat it with: npm run fuzz -- --seconds ${seconds} --seed ${seed}`);
process.exit(result.sentences.length > 0 ? 1 : 0);
