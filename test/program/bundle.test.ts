/** What a start has to load: the project's own code in few files, and no package. */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const dist = fileURLToPath(new URL('../../dist/', import.meta.url));

/** The modules that `file` needs before its first statement runs, those of its own chunks included. */
function neededBy(file: string, seen = new Set<string>()): Set<string> {
  const text = readFileSync(dist + file, 'utf8');
  for (const match of text.matchAll(
    /^(?:import|export)\s[^;]*?from\s*["']([^"']+)["'];?$|^import\s*["']([^"']+)["'];?$/gm,
  )) {
    const name = (match[1] ?? match[2])!;
    if (seen.has(name)) continue;
    seen.add(name);
    if (name.startsWith('./')) neededBy(name.slice(2), seen);
  }
  return seen;
}

describe.each(['main', 'index'])('dist/%s.js', (name) => {
  it('needs no package to start: each is loaded when it is first used', () => {
    const needed = [...neededBy(`${name}.js`)];
    expect(needed).toContain('node:net');
    expect(needed.filter((each) => !each.startsWith('node:') && !each.startsWith(`./${name}-`))).toEqual([]);
  });

  it('is few files', () => {
    expect([...neededBy(`${name}.js`)].filter((each) => each.startsWith('./')).length).toBeLessThanOrEqual(3);
  });

  it('holds no half of a codec that only clients use', () => {
    const text = readFileSync(`${dist}${name}.js`, 'utf8');
    expect(text).toContain('function decodeProduceRequest(');
    expect(text).not.toContain('function encodeProduceRequest(');
    expect(existsSync(`${dist}${name}.js.map`)).toBe(true);
  });
});
