/**
 * Runs every example in docs/, page by page, from the top, against one broker a page.
 *
 *   ```ts        a program of its own, which has to be sound to TypeScript and to end by itself
 *   ```sh        commands, which have to succeed; in both `127.0.0.1:8080` and `127.0.0.1:9092` are the broker's ports
 *   ```text      directly behind one of these: what it prints
 *
 * Other blocks (html, json …) are not run.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningBroker, startBroker } from '../src/index.ts';

const docs = fileURLToPath(new URL('../docs/', import.meta.url));
/** In the package, so that `millrace` and `millrace/client` are what a user gets by these names. */
const programs = fileURLToPath(new URL('../build/docs/', import.meta.url));

const compiler = fileURLToPath(new URL('../node_modules/typescript/bin/tsc', import.meta.url));

interface Example {
  readonly language: 'ts' | 'sh';
  readonly code: string;
  /** Null where the page does not say. */
  readonly printed: string | null;
  readonly line: number;
}

function examplesOf(page: string): Example[] {
  const examples: Example[] = [];
  for (const match of page.matchAll(/^```(ts|sh)\n([\s\S]*?)^```\n(?:\s*^```text\n([\s\S]*?)^```\n)?/gm)) {
    const line = page.slice(0, match.index).split('\n').length;
    examples.push({ language: match[1] as 'ts' | 'sh', code: match[2]!, printed: match[3] ?? null, line });
  }
  return examples;
}

/** Has TypeScript check the page's programs and make JavaScript of them that Node 20 runs, which lacks `await using`. */
async function compile(directory: string, examples: readonly Example[], broker: RunningBroker): Promise<void> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  if (!examples.some(({ language }) => language === 'ts')) return;
  const compilerOptions = { target: 'es2022', rootDir: '.', outDir: 'out', declaration: false, sourceMap: false };
  const configuration = { extends: '../../../tsconfig.json', compilerOptions, include: ['*.ts'] };
  await writeFile(join(directory, 'tsconfig.json'), JSON.stringify(configuration));
  for (const { language, code, line } of examples) {
    if (language === 'ts') await writeFile(join(directory, `line-${line}.ts`), withAddresses(code, broker));
  }
  await run(directory, process.execPath, [compiler, '-p', '.']);
}

function withAddresses(code: string, { http, kafka }: RunningBroker): string {
  return code
    .replaceAll('127.0.0.1:8080', `127.0.0.1:${http!.port}`)
    .replaceAll('127.0.0.1:9092', `127.0.0.1:${kafka!.port}`);
}

/** What a command prints. Rejects where it fails. */
async function run(directory: string, command: string, args: readonly string[]): Promise<string> {
  const child = spawn(command, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] });
  let printed = '';
  let errors = '';
  child.stdout.on('data', (text: Buffer) => (printed += text.toString()));
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  if (code !== 0) throw new Error(`it ended with ${code ?? signal}: ${errors}${printed}`);
  return printed;
}

/** Without examples: tables that scripts write, and facts. */
const tables = new Set(['compatibility.md', 'kafka.md']);
const pages = (await readdir(docs)).filter((name) => name.endsWith('.md') && !tables.has(name)).toSorted();

describe.each(pages)('docs/%s', async (name) => {
  const examples = examplesOf(await readFile(join(docs, name), 'utf8'));
  const directoryOfPage = `${programs}${name.replace(/\.md$/, '')}/`;
  let directory: string;
  let broker: RunningBroker;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'millrace-docs-'));
    broker = await startBroker({
      data: join(directory, 'data'),
      kafka: '127.0.0.1:0',
      http: '127.0.0.1:0',
      settings: { 'group.initial.rebalance.delay.ms': '0' },
    });
    await compile(directoryOfPage, examples, broker);
  });
  afterAll(async () => {
    await broker.close();
    await rm(directory, { recursive: true, force: true });
  });

  it.each(examples)('runs its $language example in line $line', async ({ language, code, printed, line }) => {
    const output = await (language === 'ts'
      ? run(directoryOfPage, process.execPath, [`out/line-${line}.js`])
      : run(directoryOfPage, 'sh', ['-e', '-c', withAddresses(code, broker)]));
    if (printed !== null) expect(output).toBe(printed);
  });
});
