/**
 * What Apache Kafka answered, as files of the project, one for each scenario: `test/oracle/answers/NAME.json`.
 *
 *   {
 *   "kafka": "4.4.0",
 *   "answers": {
 *   "v0 label": answer,     in the order of the steps, one a line
 *   …
 *   },
 *   "shared": {
 *   "1f0c22d3": value,      what stands in several answers and is not short, by the start of its SHA-1
 *   …
 *   }
 *   }
 *
 * Within a value, {"=": "1f0c22d3"} stands for the shared one. What is recorded anew changes the lines that changed.
 */

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const folder = new URL('../test/oracle/answers/', import.meta.url);
/** What is shorter is not worth a place of its own. */
const shortestShared = 60;
const hashLength = 8;

const nameOfFile = (scenario) =>
  `${scenario
    .replaceAll(/([a-z])([A-Z])/g, '$1-$2')
    .replaceAll(/[^a-z0-9]+/gi, '-')
    .toLowerCase()}.json`;

/** The recorded answers of a scenario by label, or null where nothing is recorded. */
export function readRecord(scenario) {
  const file = new URL(nameOfFile(scenario), folder);
  if (!existsSync(file)) return null;
  const { answers, shared } = JSON.parse(readFileSync(file, 'utf8'));
  const whole = (value) => {
    if (typeof value !== 'object' || value === null) return value;
    if (Object.hasOwn(value, '=')) return whole(shared[value['=']]);
    if (Array.isArray(value)) return value.map(whole);
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, whole(item)]));
  };
  return new Map(Object.entries(answers).map(([label, answer]) => [label, whole(answer)]));
}

/** Replaces what is recorded of a scenario. */
export function writeRecord(scenario, answers, kafkaVersion) {
  const times = timesOf(answers.values());
  const shared = new Map();
  const lines = [...answers].map(([label, answer]) => `${JSON.stringify(label)}: ${textOf(answer, times, shared)}`);
  const sharedLines = [...shared.keys()].toSorted().map((hash) => `${JSON.stringify(hash)}: ${shared.get(hash)}`);
  const parts = [
    ['{', `"kafka": ${JSON.stringify(kafkaVersion)},`, '"answers": {', lines.join(',\n'), '},'],
    ['"shared": {', ...(sharedLines.length === 0 ? [] : [sharedLines.join(',\n')]), '}', '}', ''],
  ];
  mkdirSync(folder, { recursive: true });
  writeFileSync(new URL(nameOfFile(scenario), folder), parts.flat().join('\n'));
}

/** Removes what is recorded of scenarios that are no more. */
export function removeRecordsBut(scenarios) {
  const kept = new Set(scenarios.map(nameOfFile));
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    if (!kept.has(name)) rmSync(new URL(name, folder));
  }
}

/** How often each value that is not short stands in another; what is within one that came before is not counted again. */
function timesOf(answers) {
  const times = new Map();
  const visit = (value) => {
    if (typeof value !== 'object' || value === null) return;
    const text = JSON.stringify(value);
    const before = times.get(text) ?? 0;
    if (text.length >= shortestShared) times.set(text, before + 1);
    if (before === 0) for (const item of Object.values(value)) visit(item);
  };
  for (const answer of answers) visit(answer);
  return times;
}

function textOf(value, times, shared) {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const text = JSON.stringify(value);
  if ((times.get(text) ?? 0) < 2) return innerTextOf(value, times, shared);
  const hash = createHash('sha1').update(text).digest('hex').slice(0, hashLength);
  if (!shared.has(hash)) shared.set(hash, innerTextOf(value, times, shared));
  return `{"=": "${hash}"}`;
}

function innerTextOf(value, times, shared) {
  if (Array.isArray(value)) return `[${value.map((item) => textOf(item, times, shared)).join(', ')}]`;
  const fields = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}: ${textOf(item, times, shared)}`);
  return `{${fields.join(', ')}}`;
}
