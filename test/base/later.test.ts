import { describe, expect, it } from 'vitest';
import { Later } from '../../src/base/later.ts';

function recorder<Value>() {
  const heard: unknown[] = [];
  const listener = {
    settled: (value: Value) => void heard.push(['settled', value]),
    failed: (error: unknown) => void heard.push(['failed', error]),
  };
  return { heard, listener };
}

describe('a value that comes later', () => {
  it('is told within the call that gives it', () => {
    const { heard, listener } = recorder<number>();
    const later = new Later<number>();
    later.listen(listener);
    expect(heard).toEqual([]);
    later.settle(7);
    expect(heard).toEqual([['settled', 7]]);
  });

  it('is told at once where it is there already, and so is an error', () => {
    const value = recorder<number>();
    const there = new Later<number>();
    there.settle(7);
    there.listen(value.listener);
    expect(value.heard).toEqual([['settled', 7]]);

    const error = new Error('none');
    const failed = new Later<number>();
    failed.fail(error);
    failed.listen(value.listener);
    expect(value.heard.at(-1)).toEqual(['failed', error]);
  });

  it('comes once, to one', () => {
    const later = new Later<number>();
    later.settle(1);
    expect(() => later.settle(2)).toThrow('a value comes once');
    expect(() => later.fail(new Error('late'))).toThrow('a value comes once');
    later.listen(recorder<number>().listener);
    expect(() => later.listen(recorder<number>().listener)).toThrow('one waits for a value');
  });

  it('can be awaited', async () => {
    const later = new Later<number>();
    queueMicrotask(() => later.settle(7));
    expect(await later).toBe(7);
    const failing = new Later<number>();
    queueMicrotask(() => failing.fail(new Error('none')));
    await expect(async () => await failing).rejects.toThrow('none');
  });
});
