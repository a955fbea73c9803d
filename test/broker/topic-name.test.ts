import { expect, test } from 'vitest';
import { collisionKey, isInternalTopic, problemOfTopicName } from '../../src/broker/topic-name.ts';

test.each(['a', 'A.b_c-9', '...', 'x'.repeat(249), '-'])('takes %s', (name) => {
  expect(problemOfTopicName(name)).toBeNull();
});

test.each(['', '.', '..', 'x'.repeat(250), 'a/b', '../a', 'ä', 'a b', 'a\n', 'a\0'])('refuses %j', (name) => {
  expect(problemOfTopicName(name)).toMatch(/^Topic name is invalid: /);
});

test('names that differ only in dots and underscores collide', () => {
  expect(collisionKey('a.b_c')).toBe(collisionKey('a_b.c'));
  expect(collisionKey('a-b')).not.toBe(collisionKey('a.b'));
});

test('knows the internal topics', () => {
  expect(isInternalTopic('__consumer_offsets')).toBe(true);
  expect(isInternalTopic('__mine')).toBe(false);
});
