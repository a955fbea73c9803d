/** One name and its numbers, through every door that is not Kafka's: each number is stored once, wherever it comes in. */

import { expect, it } from 'vitest';
import { JsonClient, SocketClient } from './door-harness.ts';
import { HttpHarness } from './http-harness.ts';

it('is the same producer over HTTP, raw messages and JSON frames', async () => {
  const http = await HttpHarness.open();
  await http.broker.createTopic('t', 3);
  const post = async (body: string, sequence: number) => {
    const headers = { 'millrace-producer': 'meter-7', 'millrace-sequence': String(sequence) };
    const response = await http.post('/topics/t', body, 'application/json', headers);
    return (await response.json()) as { readonly partition: number; readonly records: readonly object[] };
  };

  const { records } = await post('["1","2"]', 1);
  const { partition } = records[0] as { readonly partition: number };

  await using device = await SocketClient.open(`${http.socketUrl}/topics/t/produce?producer=meter-7&first=2`);
  for (const message of ['"2"', '"3"']) device.socket.send(message);
  expect(JSON.parse(await device.next())).toEqual({ last: 2 });
  await device.until(() => device.received.includes('3'));

  await using client = await JsonClient.open(http.socketUrl);
  expect(await client.ask({ type: 'producer', id: 1, producer: 'meter-7', topic: 't' })).toMatchObject({
    type: 'last',
    partition,
    last: 3,
  });
  for (const sequence of [3, 4]) {
    const frame = { type: 'publish', id: sequence, topic: 't', producer: 'meter-7', sequence, value: String(sequence) };
    expect(await client.ask(frame)).toMatchObject({ type: 'ack', id: sequence, partition });
  }

  expect(await (await http.fetch('/topics/t/producers/meter-7')).json()).toMatchObject({ partition, sequence: 4 });
  expect(await post('"4"', 4)).toMatchObject({ partition, duplicate: true });
  expect(await post('"5"', 5)).toMatchObject({ partition });
  expect((await http.stored('t', partition)).map(({ value }) => value)).toEqual(['"1"', '"2"', '"3"', '"4"', '"5"']);
  await http.close();
});
