import { describe, expect, it } from 'vitest';
import { RouteList } from '../../../src/server/web/route-list.ts';

function routes(...given: readonly (readonly [method: string, pattern: string])[]): RouteList<string> {
  const list = new RouteList<string>();
  for (const [method, pattern] of given) list.add(method, pattern, `${method} ${pattern}`);
  return list;
}

describe('RouteList', () => {
  const list = routes(
    ['any', '/*'],
    ['GET', '/topics/:topic'],
    ['GET', '/topics/new'],
    ['POST', '/topics/:topic/partitions/:partition'],
    ['any', '/topics/:topic'],
    ['GET', '/'],
  );

  it.each([
    ['GET', '/topics/a', 'GET /topics/:topic', ['a']],
    ['GET', '/topics/new', 'GET /topics/new', []],
    ['PUT', '/topics/new', 'any /topics/:topic', ['new']],
    ['POST', '/topics/%2F/partitions/3', 'POST /topics/:topic/partitions/:partition', ['%2F', '3']],
    ['GET', '/', 'GET /', []],
    ['GET', '/topics/', 'any /*', []],
    ['GET', '/topics', 'any /*', []],
    ['GET', '/topics/a/', 'any /*', []],
    ['GET', '//topics/a', 'any /*', []],
  ])('serves %s %s by %s', (method, path, handler, parameters) => {
    expect(list.find(method, path)).toEqual({ handler, parameters });
  });

  it('finds nothing where nothing fits', () => {
    expect(routes(['GET', '/a']).find('POST', '/a')).toBe(null);
  });
});
