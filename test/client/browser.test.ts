/**
 * The client in a real browser: a page bundled by rolldown, in headless Chromium, against a broker in this process and
 * through connections that are cut. Chromium is not a dependency: `apt-get install chromium`, or CHROMIUM names it.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Consumer, createTopics, gzip, Producer, text } from '../../src/client/index.ts';
import { bundleForBrowser } from './browser-bundle.ts';
import { ClientHarness, CuttingProxy, first, numbered } from './client-harness.ts';

const executablePath = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser'].find(
  (path) => path !== undefined && existsSync(path),
);

describe('in Chromium', () => {
  let harness: ClientHarness;
  let browser: Browser;
  let server: Server;
  let page: Page;
  const pageErrors: string[] = [];

  beforeAll(async () => {
    if (executablePath === undefined) {
      throw new Error(
        'There is no Chromium for the tests in a browser: apt-get install chromium, or name it in CHROMIUM.',
      );
    }
    const code = await bundleForBrowser("import * as client from 'millrace/client'; globalThis.client = client;");
    server = createServer((request, response) => {
      const isCode = request.url === '/page.js';
      response.setHeader('Content-Type', isCode ? 'text/javascript' : 'text/html');
      response.end(isCode ? code : '<!doctype html><script type="module" src="/page.js"></script>');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    harness = await ClientHarness.start({ 'millrace.allowed.origins': '*' });
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
  });
  beforeEach(async () => {
    page = await browser.newPage();
    page.on('pageerror', (error) => pageErrors.push(error.message));
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    await page.waitForFunction('globalThis.client !== undefined');
  });
  afterEach(async () => {
    await page.close();
    await harness.closeAll();
    expect(pageErrors).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
    server?.close();
    await harness?.[Symbol.asyncDispose]();
  });

  /** Runs the body of an async function in the page, with the client's exports and what is given in scope. */
  function inPage<T>(given: Readonly<Record<string, unknown>>, body: string): Promise<T> {
    return page.evaluate<T>(`(async () => {
      const { Client, Producer, Consumer, createTopics, json, text, gzip } = globalThis.client;
      const { ${Object.keys(given).join(', ')} } = ${JSON.stringify(given)};
      ${body}
    })()`);
  }

  async function newTopic(partitionCount = 1): Promise<string> {
    const name = harness.newTopic();
    await createTopics(harness.client(), [{ name, partitionCount }]);
    return name;
  }

  it('produces, plain and compressed, what others read', async () => {
    const topic = await newTopic();
    const sent = await inPage<{ offset: number }[]>(
      { topic, url: harness.url, texts: numbered(500) },
      `await using client = new Client({ url });
       const sent = [];
       for (const compression of [undefined, gzip]) {
         await using producer = new Producer(client, { value: text, ...(compression && { compression }) });
         sent.push(...(await Promise.all(texts.map((value) => producer.send({ topic, value })))));
       }
       return sent;`,
    );
    expect(sent.map(({ offset }) => offset)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    const consumer = harness.closing(new Consumer(harness.client(), { topics: [topic], value: text }));
    const values = (await first(consumer, 1000)).map(({ value }) => value);
    expect(values).toEqual([...numbered(500), ...numbered(500)]);
  });

  it('consumes, plain and compressed, what others wrote, and shares a group with them', async () => {
    const topic = await newTopic(2);
    const client = harness.client();
    for (const compression of [{}, { compression: gzip }]) {
      await using producer = new Producer(client, { value: text, ...compression });
      await Promise.all(numbered(500).map((value, i) => producer.send({ topic, value, partition: i % 2 })));
    }
    const seen = await inPage<[number, string][]>(
      { topic, url: harness.url },
      `await using client = new Client({ url });
       await using consumer = new Consumer(client, { topics: [topic], group: 'pages', value: text });
       const seen = [];
       for await (const { partition, value } of consumer) if (seen.push([partition, value]) === 1000) break;
       await consumer.commit();
       return seen;`,
    );
    for (const own of [0, 1]) {
      const expected = numbered(500).filter((_, i) => i % 2 === own);
      expect(seen.filter(([partition]) => partition === own).map(([, value]) => value)).toEqual([
        ...expected,
        ...expected,
      ]);
    }
    const next = harness.closing(new Consumer(client, { topics: [topic], group: 'pages', value: text }));
    await using producer = new Producer(client, { value: text });
    await producer.send({ topic, value: 'next' });
    expect((await first(next, 1))[0]!.value).toBe('next');
  });

  it('goes on through connections that are cut, and loses and repeats nothing', async () => {
    const topic = await newTopic();
    const proxy = harness.closing(await CuttingProxy.open(() => harness.broker.http!.port));
    const cutting = setInterval(() => proxy.cut(), 100);
    const seen = await inPage<string[]>(
      { topic, url: proxy.url, texts: numbered(3000) },
      `await using client = new Client({ url, backoff: { firstMs: 5, longestMs: 20 } });
       await using producer = new Producer(client, { value: text });
       await using consumer = new Consumer(client, { topics: [topic], value: text, maxWaitMs: 50 });
       const sending = (async () => {
         const sent = [];
         for (const [i, value] of texts.entries()) {
           sent.push(producer.send({ topic, value }));
           if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
         }
         await Promise.all(sent);
       })();
       const seen = [];
       for await (const { value } of consumer) if (seen.push(value) === texts.length) break;
       await sending;
       return seen;`,
    );
    clearInterval(cutting);
    expect(seen).toEqual(numbered(3000));
    expect(proxy.connectionCount).toBeGreaterThan(6);
  });

  it('draws a topic live, as the example shows', async () => {
    const main = fileURLToPath(new URL('../../examples/live-chart/main.js', import.meta.url));
    const example = spawn(process.execPath, [main], { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      const [printed] = (await once(example.stdout, 'data')) as [Buffer];
      await page.goto(/http\S+/.exec(printed.toString())![0]);
      const drawn = (count: number): string => `document.querySelector('polyline').points.length >= ${count}`;
      await page.waitForFunction(drawn(10));
      expect(await page.textContent('#latest')).toMatch(/^[\d.]+ °C at offset \d+$/);
      await page.waitForFunction(drawn(30));
    } finally {
      example.kill('SIGINT');
    }
    expect(await once(example, 'close')).toEqual([0, null]);
  });
});
