/**
 * A disk without room: writes are refused with the error that says so, reads go on, nothing acknowledged is lost, and
 * writing goes on by itself once there is room. A small tmpfs is the disk, which needs root on Linux.
 */

import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, rmdirSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ErrorCode } from '../../src/base/error-code.ts';
import { ProgramProcess } from '../program/program-process.ts';
import { WireClient } from '../program/wire-client.ts';

const mountPoint = mkdtempSync(join(tmpdir(), 'millrace-full-'));
const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', mountPoint]).status === 0;
const ballast = join(mountPoint, 'ballast');
const value = 'x'.repeat(200_000);

afterAll(() => {
  if (mounted) execFileSync('umount', ['-l', mountPoint]);
  rmdirSync(mountPoint);
});

if (!mounted) process.stderr.write('test/faults/full-disk.test.ts is skipped: only root can mount a small tmpfs.\n');

describe.skipIf(!mounted)('a broker whose disk is full', () => {
  let program: ProgramProcess;
  let client: WireClient;

  beforeAll(async () => {
    // Given back later: that is how room comes.
    writeFileSync(ballast, Buffer.alloc(4 * 1024 * 1024));
    program = await ProgramProcess.serving(join(mountPoint, 'data'));
    client = await WireClient.connect(program.kafkaPort);
    await client.createTopic('fills');
    await client.createTopic('other');
  });

  afterAll(async () => {
    await program.stop('SIGKILL');
  });

  it('refuses writes, serves reads, takes writes again when there is room, and has all that it acknowledged', async () => {
    const acknowledged: number[] = [await client.produce('other', 'before')];
    acknowledged.length = 0;
    const refusal = async (): Promise<string> => {
      for (;;) {
        try {
          acknowledged.push(await client.produce('fills', value));
        } catch (error) {
          return String(error);
        }
      }
    };
    const storageError = `${ErrorCode.KAFKA_STORAGE_ERROR}`;
    expect(await refusal()).toContain(storageError);
    expect(await refusal()).toContain(storageError);
    expect(acknowledged.length).toBeGreaterThan(5);
    for (const offset of acknowledged) expect((await client.fetch('fills', offset)).includes(value)).toBe(true);
    expect((await client.fetch('other', 0)).includes('before')).toBe(true);

    rmSync(ballast);
    // It looks by itself whether there is room; until then producers try again.
    for (;;) {
      try {
        acknowledged.push(await client.produce('fills', 'after'));
        break;
      } catch (error) {
        expect(String(error)).toContain(storageError);
        await setTimeout(20);
      }
    }
    for (const [i, offset] of acknowledged.slice(0, -1).entries()) {
      expect(offset).toBe(i);
      expect((await client.fetch('fills', offset)).includes(value)).toBe(true);
    }
    expect(acknowledged.at(-1)).toBe(acknowledged.length - 1);
    expect((await client.fetch('fills', acknowledged.length - 1)).includes('after')).toBe(true);
    client.socket.destroy();
    expect(await program.stop()).toEqual({ code: 0, signal: null });
    expect(program.log.filter(({ msg }) => /defect/.test(String(msg)))).toEqual([]);
  });

  it('serves reads after a kill and a start without room, and writes after the next start with room', async () => {
    const data = join(mountPoint, 'killed');
    program = await ProgramProcess.serving(data);
    client = await WireClient.connect(program.kafkaPort);
    await client.createTopic('fills');
    const storageError = `${ErrorCode.KAFKA_STORAGE_ERROR}`;
    const acknowledged: number[] = [];
    const refusal = async (): Promise<string> => {
      for (;;) {
        try {
          acknowledged.push(await client.produce('fills', value));
        } catch (error) {
          return String(error);
        }
      }
    };
    expect(await refusal()).toContain(storageError);
    expect(acknowledged.length).toBeGreaterThan(5);
    client.socket.destroy();
    await program.stop('SIGKILL');
    // To the last byte: what the torn write left is cut off by a start, if only it can be kept elsewhere.
    const filler = join(mountPoint, 'filler');
    const file = openSync(filler, 'w');
    try {
      for (;;) writeSync(file, Buffer.alloc(4096));
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    } finally {
      closeSync(file);
    }
    for (let run = 0; run < 2; run++) {
      program = await ProgramProcess.serving(data);
      client = await WireClient.connect(program.kafkaPort);
      for (const offset of acknowledged) expect((await client.fetch('fills', offset)).includes(value)).toBe(true);
      expect(await refusal()).toContain(storageError);
      const ready = await (await fetch(`http://127.0.0.1:${program.httpPort}/readyz`)).text();
      expect(ready).toContain('Partition 0 of fills takes no writes');
      client.socket.destroy();
      if (run === 0) expect(await program.stop()).toEqual({ code: 0, signal: null });
      else await program.stop('SIGKILL');
    }
    rmSync(filler);
    rmSync(join(mountPoint, 'data'), { recursive: true });
    program = await ProgramProcess.serving(data);
    client = await WireClient.connect(program.kafkaPort);
    for (const offset of acknowledged) expect((await client.fetch('fills', offset)).includes(value)).toBe(true);
    expect(await client.produce('fills', 'after')).toBe(acknowledged.length);
    client.socket.destroy();
  });
});
