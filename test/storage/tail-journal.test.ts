import { describe, expect, test } from 'vitest';
import { EnvironmentErrorCode } from '../../src/base/environment-error.ts';
import { asOffset, asPosition } from '../../src/base/numbers.ts';
import { MemoryFileSystem } from '../../src/storage/memory-file-system.ts';
import { readTails, tailBytesMax, tailsName, TailWriter, writeTail } from '../../src/storage/tail-journal.ts';

const topicId = 'FQ0JpJ3yR5iTtAqp5Vbaqg';
const path = `data/${tailsName}`;

function directory(): MemoryFileSystem {
  const files = new MemoryFileSystem(Infinity);
  files.makeDirectory('data');
  return files;
}

function bytesOf(sizeBytes: number, seed: number): Uint8Array {
  return Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 31 + seed) & 0xff);
}

function wholeOf(files: MemoryFileSystem, name: string): Uint8Array {
  const file = files.open(name, 'read');
  const bytes = new Uint8Array(files.sizeOf(file));
  files.read(file, bytes, 0);
  files.close(file);
  return bytes;
}

/** Keeps tails of `sizes` of as many partitions, each given in two pieces. */
async function journal(files: MemoryFileSystem, sizes: readonly number[]): Promise<boolean> {
  const writer = new TailWriter(files, 'data');
  for (const [partition, size] of sizes.entries()) {
    const bytes = bytesOf(size, partition);
    writer.begin(`orders-${partition}`, topicId);
    writer.add(bytes.subarray(0, size >> 1));
    writer.add(bytes.subarray(size >> 1));
    expect(writer.keep(asOffset(100), asPosition(partition), asOffset(200 + partition))).toMatchObject({
      name: `orders-${partition}`,
      sizeBytes: size,
    });
  }
  return writer.commit();
}

describe('the journal of tails', () => {
  test('gives back what was kept, in order, also where that is more than one buffer', async () => {
    const files = directory();
    const sizes = Array.from({ length: 36 }, (_, i) => (i % 2 === 0 ? tailBytesMax : 1 + i * 97));
    expect(await journal(files, sizes)).toBe(true);
    const tails = readTails(files, 'data');
    expect(tails.map(({ sizeBytes }) => sizeBytes)).toEqual(sizes);
    for (const [partition, tail] of tails.entries()) {
      expect(tail).toMatchObject({
        name: `orders-${partition}`,
        topicId,
        segmentBaseOffset: 100,
        position: partition,
        endOffset: 200 + partition,
      });
      const file = files.open('data/log', 'create');
      files.truncate(file, 0);
      writeTail(files, path, tail, file);
      files.close(file);
      const written = wholeOf(files, 'data/log').subarray(partition);
      expect(Buffer.compare(written, bytesOf(tail.sizeBytes, partition))).toBe(0);
    }
  });

  test('forgets what was begun and not kept, and what is too long', async () => {
    const files = directory();
    const writer = new TailWriter(files, 'data');
    writer.begin('orders-0', topicId);
    writer.add(bytesOf(50, 1));
    writer.begin('orders-1', topicId);
    writer.add(bytesOf(tailBytesMax, 2));
    writer.add(bytesOf(1, 2));
    expect(writer.keep(asOffset(0), asPosition(0), asOffset(1))).toBeNull();
    writer.begin('orders-2', topicId);
    expect(writer.keep(asOffset(0), asPosition(0), asOffset(1))).toBeNull();
    writer.begin('orders-3', topicId);
    writer.add(bytesOf(7, 3));
    expect(writer.keep(asOffset(0), asPosition(0), asOffset(1))).not.toBeNull();
    writer.begin('orders-4', topicId);
    writer.add(bytesOf(9, 4));
    await writer.commit();
    expect(readTails(files, 'data').map(({ name, sizeBytes }) => [name, sizeBytes])).toEqual([['orders-3', 7]]);
  });

  test('is not there where nothing was kept, and leaves nothing behind where it is given up', async () => {
    const files = directory();
    const writer = new TailWriter(files, 'data');
    writer.begin('orders-0', topicId);
    expect(await writer.commit()).toBe(false);
    await writer.abandon();
    const other = new TailWriter(files, 'data');
    for (let partition = 0; partition < 20; partition++) {
      other.begin(`orders-${partition}`, topicId);
      other.add(bytesOf(tailBytesMax, partition));
      other.keep(asOffset(0), asPosition(0), asOffset(1));
    }
    expect(files.list('data')).toEqual([`${tailsName}.tmp`]);
    await other.abandon();
    expect(files.list('data')).toEqual([]);
    expect(readTails(files, 'data')).toEqual([]);
  });

  test('takes the place of the one before', async () => {
    const files = directory();
    await journal(files, [10, 20, 30]);
    await journal(files, [5]);
    expect(readTails(files, 'data').map(({ sizeBytes }) => sizeBytes)).toEqual([5]);
  });

  test('is refused with a sentence wherever a byte of a head is another, or bytes are missing', async () => {
    const files = directory();
    await journal(files, [10, 20]);
    const whole = wholeOf(files, path);
    const headSizeBytes = 40 + `orders-0\n${topicId}`.length;
    const heads = [
      [0, 20 + headSizeBytes],
      [20 + headSizeBytes + 10, 20 + headSizeBytes + 10 + headSizeBytes],
    ] as const;
    const isRefused = (bytes: Uint8Array, what: string): void => {
      const file = files.open(path, 'create');
      files.truncate(file, 0);
      files.write(file, [bytes], 0);
      files.close(file);
      expect(() => readTails(files, 'data'), what).toThrow(
        expect.objectContaining({ code: EnvironmentErrorCode.DATA_CORRUPT }),
      );
    };
    for (const [from, to] of heads) {
      for (let at = from; at < to; at++) {
        const bytes = whole.slice();
        bytes[at]! ^= 0x41;
        isRefused(bytes, `byte ${at}`);
      }
    }
    for (let size = 0; size < whole.length; size++) isRefused(whole.slice(0, size), `${size} bytes`);
    isRefused(Uint8Array.from([...whole, 0]), 'one more byte');
  });

  test('says so where it ends before its time while a tail is read from it', async () => {
    const files = directory();
    await journal(files, [100]);
    const [tail] = readTails(files, 'data');
    const file = files.open(path, 'write');
    files.truncate(file, files.sizeOf(file) - 1);
    files.close(file);
    const log = files.open('data/log', 'create');
    expect(() => writeTail(files, path, tail!, log)).toThrow(expect.objectContaining({ code: 'EIO' }));
  });
});
