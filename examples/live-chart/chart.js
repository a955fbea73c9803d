// The page: reads a topic from a minute ago on and draws its last hundred values, for as long as it is open.
import { Client, Consumer, json } from 'millrace/client';

const shown = 100;
const url = /** @type {string} */ (new URLSearchParams(location.search).get('broker'));

const client = new Client({ url });
const consumer = new Consumer(client, {
  topics: ['readings'],
  value: /** @type {import('millrace/client').Serializer<{ celsius: number }>} */ (json()),
  from: { timestampMs: Date.now() - 60_000 },
  // A page may sleep for longer than records are kept; it then goes on with what there is.
  outOfRange: 'earliest',
});

const line = /** @type {Element} */ (document.querySelector('polyline'));
const latest = /** @type {Element} */ (document.querySelector('#latest'));
/** @type {number[]} */
const values = [];

for await (const records of consumer.batches()) {
  for (const { value } of records) if (value !== null) values.push(value.celsius);
  values.splice(0, values.length - shown);
  line.setAttribute('points', values.map((celsius, i) => `${(i * 100) / shown},${100 - 2 * celsius}`).join(' '));
  const { offset } = /** @type {{ offset: number }} */ (records.at(-1));
  latest.textContent = `${values.at(-1)} °C at offset ${offset}`;
}
