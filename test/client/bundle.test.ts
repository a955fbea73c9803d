/** What an application's bundle takes for the client: the bound is 40 kB gzipped, and what is not used is not in it. */

import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { bundleForBrowser } from './browser-bundle.ts';

const kilobyte = 1000;
const sizeOf = (code: string): number => gzipSync(code, { level: 9 }).length;

it('takes no more than 40 kB gzipped with everything in it, and nothing of Node', async () => {
  const whole = await bundleForBrowser("export * from 'millrace/client';");
  console.log(`millrace/client: ${sizeOf(whole)} bytes gzipped, ${whole.length} minified`);
  expect(sizeOf(whole)).toBeLessThan(40 * kilobyte);
  expect(whole).not.toMatch(/node:|\bBuffer\b|\bprocess\b|\bAtomics\b/);
});

it('leaves out what is not used', async () => {
  const producer = await bundleForBrowser("export { Client, Producer, json } from 'millrace/client';");
  const consumer = await bundleForBrowser("export { Client, Consumer, json } from 'millrace/client';");
  const json = await bundleForBrowser("export { json } from 'millrace/client';");
  console.log(`producer: ${sizeOf(producer)} bytes gzipped; consumer: ${sizeOf(consumer)}; json: ${sizeOf(json)}`);
  expect(producer).not.toContain('JoinGroup');
  expect(producer).not.toContain('zstd');
  expect(producer).not.toContain('CreateTopics');
  expect(consumer).not.toContain('InitProducerId');
  expect(consumer).not.toContain('cooperative-sticky');
  expect(sizeOf(producer)).toBeLessThan(20 * kilobyte);
  expect(sizeOf(consumer)).toBeLessThan(25 * kilobyte);
  expect(sizeOf(json)).toBeLessThan(500);
});

it('tells brokers the version that package.json has', async () => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  expect(await bundleForBrowser("export { Client } from 'millrace/client';")).toContain(version);
});
