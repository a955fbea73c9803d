import { describe, expect, it } from 'vitest';
import { DescriptorShares } from '../../src/server/descriptor-shares.ts';

function sharesOf(soft: number) {
  const told: { files: number; readers: number; confirm: () => void }[] = [];
  const bound = { soft };
  const shares = new DescriptorShares({
    softLimit: () => bound.soft,
    limitFiles: (files, readers) => new Promise((resolve) => told.push({ files, readers, confirm: resolve })),
  });
  return { shares, told, bound, files: () => told.at(-1)!.files };
}

const turn = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));

describe('the descriptors of a process', () => {
  it.each([64, 256, 1024, 20_000, 1_048_576])('are never more than %i, whoever takes what he may', async (soft) => {
    const { shares, told } = sharesOf(soft);
    shares.look();
    let connections = 0;
    for (let step = 0; step < 400; step++) {
      shares.logsAre((step * 7919) % 30_000);
      const may = shares.largestConnectionCount;
      if (connections < may) connections = Math.min(connections + 97, may);
      else connections = Math.max(connections - 500, 0);
      shares.connectionsAre(connections);
      if (step % 3 === 0) {
        for (const { confirm } of told) confirm();
        await turn();
      }
      const { files, readers } = told.at(-1)!;
      expect(files + readers + connections).toBeLessThan(soft);
      expect(files).toBeGreaterThanOrEqual(Math.min(1024, Math.floor(soft / 4)));
    }
  });

  it('go to files where many partitions are written, and to connections where those come', async () => {
    const { shares, told, files } = sharesOf(20_000);
    shares.logsAre(10_000);
    expect(files()).toBeGreaterThan(15_000);
    for (let count = 1; count <= 10_000; count++) {
      shares.connectionsAre(count);
      expect(count).toBeLessThan(shares.largestConnectionCount);
      if (count % 100 !== 0) continue;
      for (const { confirm } of told) confirm();
      await turn();
    }
    expect(files()).toBeLessThan(10_000);
    shares.connectionsAre(0);
    expect(files()).toBeGreaterThan(15_000);
  });

  it('are given to connections only once files have given them back', async () => {
    const { shares, told } = sharesOf(4096);
    shares.logsAre(10_000);
    const before = shares.largestConnectionCount;
    shares.connectionsAre(before);
    expect(shares.largestConnectionCount).toBe(before);
    expect(told).toHaveLength(2);
    told[1]!.confirm();
    await turn();
    expect(shares.largestConnectionCount).toBeGreaterThan(before);
  });

  it('are shared anew when the bound was changed, and without one nobody is limited', async () => {
    const { shares, told, bound, files } = sharesOf(Infinity);
    shares.look();
    expect(shares.largestConnectionCount).toBe(Infinity);
    shares.logsAre(10_000);
    expect(files()).toBeGreaterThan(20_000);
    bound.soft = 256;
    shares.look();
    told.at(-1)!.confirm();
    await turn();
    expect(files()).toBeLessThan(180);
    expect(files() + shares.largestConnectionCount).toBeLessThan(192);
  });
});
