/**
 * What Apache Kafka answered, as a file of the project: `test/oracle/kafka-4.4-answers.json`.
 *
 *   {"answers": {"label": n, …},
 *   "values": [
 *   value 0,        a value a line, each once; {"=": n} within one stands for value n, which comes before it
 *   …
 *   ]}
 */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';

const folder = new URL('../test/oracle/', import.meta.url);
const file = new URL('kafka-4.4-answers.json', folder);
/** What is shorter is not worth a place of its own. */
const shortestShared = 40;

/** The recorded answers by label; none where nothing is recorded. */
export function readRecord() {
  if (!existsSync(file)) return new Map();
  const { answers, values } = JSON.parse(readFileSync(file, 'utf8'));
  const whole = [];
  for (const value of values) whole.push(expanded(value, whole));
  return new Map(Object.entries(answers).map(([label, number]) => [label, whole[number]]));
}

/** Replaces what is recorded; where the run was not whole, only the answers that it has. */
export function writeRecord(answers, { isWhole }) {
  const all = new Map([...(isWhole ? [] : readRecord()), ...answers]);
  const numbers = new Map();
  const labels = {};
  for (const label of [...all.keys()].toSorted()) labels[label] = numberOf(all.get(label), numbers);
  mkdirSync(folder, { recursive: true });
  const lines = [...numbers.keys()].join(',\n');
  writeFileSync(file, `{"answers":${JSON.stringify(labels, null, 0)},\n"values":[\n${lines}\n]}\n`);
}

function numberOf(value, numbers) {
  const text = JSON.stringify(shared(value, numbers, true));
  if (!numbers.has(text)) numbers.set(text, numbers.size);
  return numbers.get(text);
}

/** The value with its larger parts replaced by their numbers. */
function shared(value, numbers, isTop = false) {
  if (typeof value !== 'object' || value === null) return value;
  if (!isTop && JSON.stringify(value).length >= shortestShared) return { '=': numberOf(value, numbers) };
  if (Array.isArray(value)) return value.map((item) => shared(item, numbers));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shared(item, numbers)]));
}

function expanded(value, whole) {
  if (typeof value !== 'object' || value === null) return value;
  if (Object.hasOwn(value, '=')) return whole[value['=']];
  if (Array.isArray(value)) return value.map((item) => expanded(item, whole));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, expanded(item, whole)]));
}
